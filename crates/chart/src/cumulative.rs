//! Cumulative distributions of both sides.

use std::fmt::Write as _;

use crate::Svg;
use crate::axis::Axis;
use crate::canvas::{Anchor, Canvas, coordinate, page};

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 170.0;
const LEFT: f64 = 34.0;
const RIGHT: f64 = WIDTH - 8.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = HEIGHT - 20.0;

/// Step functions of the reference and of current through points in ascending order of x, y from 0 to 1.
/// `ends` are the labels of the smallest and the largest x.
pub fn curves(
    reference: &[(f64, f64)],
    current: &[(f64, f64)],
    ends: [&str; 2],
    label: &str,
) -> Svg {
    let mut canvas = Canvas::new(WIDTH, HEIGHT, label);
    let x = Axis::over(reference.iter().chain(current).map(|point| point.0), LEFT, RIGHT);
    let y = Axis::new(0.0, 1.0, BOTTOM, TOP);
    for (share, text) in [(0.5, "50%"), (1.0, "100%")] {
        canvas.path(page::GRID, &format!("M{LEFT} {}H{RIGHT}", coordinate(y.at(share))));
        canvas.text(page::TEXT, (LEFT - 4.0, y.at(share) + 4.0), Anchor::End, text);
    }
    canvas.path(page::AXIS, &format!("M{LEFT} {BOTTOM}H{RIGHT}"));
    for (look, points) in [(page::REFERENCE_LINE, reference), (page::CURRENT_LINE, current)] {
        canvas.path(look, &steps(points, x, y));
    }
    canvas.text(page::TEXT, (LEFT, HEIGHT - 6.0), Anchor::Start, ends[0]);
    canvas.text(page::TEXT, (RIGHT, HEIGHT - 6.0), Anchor::End, ends[1]);
    canvas.finish()
}

fn steps(points: &[(f64, f64)], x: Axis, y: Axis) -> String {
    let mut data = format!("M{LEFT} {BOTTOM}");
    let mut last = (String::new(), String::new());
    for (value, share) in points {
        let next = (coordinate(x.at(*value)), coordinate(y.at(*share)));
        if next.0 != last.0 {
            let _infallible = write!(data, "H{}", next.0);
        }
        if next.1 != last.1 {
            let _infallible = write!(data, "V{}", next.1);
        }
        last = next;
    }
    let _infallible = write!(data, "H{RIGHT}");
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_end_at_the_top_right() {
        let points = [(0.0, 0.25), (1.0, 0.5), (4.0, 1.0)];
        let svg = curves(&[], &points, ["0", "4"], "x").0;
        assert!(svg.contains("d=\"M34 150H34V114.5H113.5V79H352V8H352\""), "{svg}");
        assert!(!curves(&[], &[], ["", ""], "empty").0.contains("NaN"));
    }
}
