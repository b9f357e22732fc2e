//! Quantiles of the reference (across) against the same quantiles of current (up).

use crate::Svg;
use crate::axis::Axis;
use crate::canvas::{Anchor, Canvas, page};

const SIZE: f64 = 170.0;
const LEFT: f64 = 8.0;
const RIGHT: f64 = SIZE - 8.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = SIZE - 20.0;

/// Points (reference, current); those on the dashed line are equal on both sides. `ends` are the labels of
/// the smallest and the largest value.
pub fn points(pairs: &[(f64, f64)], ends: [&str; 2], label: &str) -> Svg {
    let mut canvas = Canvas::new(SIZE, SIZE, label);
    let values = || pairs.iter().flat_map(|pair| [pair.0, pair.1]);
    let (x, y) = (Axis::over(values(), LEFT, RIGHT), Axis::over(values(), BOTTOM, TOP));
    canvas.path(page::AXIS, &format!("M{LEFT} {BOTTOM}H{RIGHT}"));
    canvas.path(page::DASHED, &format!("M{LEFT} {BOTTOM}L{RIGHT} {TOP}"));
    for (reference, current) in pairs {
        canvas.circle(page::CURRENT, (x.at(*reference), y.at(*current)), 3.5);
    }
    canvas.text(page::TEXT, (LEFT, SIZE - 6.0), Anchor::Start, ends[0]);
    canvas.text(page::TEXT, (RIGHT, SIZE - 6.0), Anchor::End, ends[1]);
    canvas.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_quantiles_lie_on_the_line() {
        let svg = points(&[(0.0, 0.0), (10.0, 10.0)], ["0", "10"], "x").0;
        for place in ["cx=\"8\" cy=\"150\"", "cx=\"162\" cy=\"8\""] {
            assert!(svg.contains(place), "{svg}");
        }
    }
}
