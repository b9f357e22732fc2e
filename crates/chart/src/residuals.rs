//! Predictions against the truth, and what they miss.

use crate::Svg;
use crate::axis::Axis;
use crate::canvas::{Canvas, file};
use crate::frame::{Frame, thinned};

const LEFT: f64 = 96.0;
const RIGHT: f64 = LEFT + 390.0;
/// Room around the points, as a share of their range.
const ROOM: f64 = 0.04;

/// Draws (truth, prediction) pairs, and below them what the prediction misses.
pub fn scatter(pairs: &[(f64, f64)]) -> Svg {
    let mut canvas = Canvas::file(520.0, 660.0, "Predictions and residuals");
    let points = thinned(pairs);
    let both = points.clone().flat_map(|(truth, predicted)| [truth, predicted]);
    let x = Axis::over(both.clone(), LEFT, RIGHT).widened(ROOM);
    let upper = Frame { x, y: Axis::over(both, 344.0, 44.0).widened(ROOM) };
    upper.draw(&mut canvas, "", "predicted");
    let (low, high) = x.range();
    canvas.line(file::DASHED, upper.at((low, low)), upper.at((high, high)));
    dots(&mut canvas, &upper, points.clone());

    let missed = points.map(|(truth, predicted)| (truth, truth - predicted));
    let heights = missed.clone().map(|(_, missed)| missed).chain([0.0]);
    let lower = Frame { x, y: Axis::over(heights, 590.0, 390.0).widened(ROOM) };
    lower.draw(&mut canvas, "true value", "true - predicted");
    canvas.line(file::DASHED, lower.at((low, 0.0)), lower.at((high, 0.0)));
    dots(&mut canvas, &lower, missed);
    canvas.finish()
}

fn dots(canvas: &mut Canvas, frame: &Frame, points: impl Iterator<Item = (f64, f64)>) {
    let look = format!("fill=\"{}\" fill-opacity=\"0.55\"", file::BLUE);
    for point in points {
        canvas.circle(&look, frame.at(point), 3.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_predictions_miss_nothing() {
        let svg = scatter(&[(0.0, 0.0), (10.0, 10.0)]).0;
        assert_eq!(svg.matches("<circle").count(), 4);
        assert!(!svg.contains("NaN") && !scatter(&[]).0.contains("NaN"), "{svg}");
    }
}
