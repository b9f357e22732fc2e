//! Cumulative distributions and quantile–quantile plots.

use std::fmt::Write as _;

use super::{Axis, Canvas, Svg, coordinate};

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 170.0;
const LEFT: f64 = 34.0;
const RIGHT: f64 = WIDTH - 8.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = HEIGHT - 20.0;

/// A step function through points in ascending order of x; y from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub struct Curve<'a> {
    /// The points.
    pub points: &'a [(f64, f64)],
    /// Drawn as the current side (otherwise as the reference).
    pub current: bool,
}

/// Cumulative curves over one axis. `ends` are the labels of the smallest and the largest x.
pub fn curves(curves: &[Curve<'_>], ends: [&str; 2], label: &str) -> Svg {
    let mut canvas = Canvas::new(WIDTH, HEIGHT, label);
    let xs = || curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.0));
    let (low, high) = (xs().fold(f64::INFINITY, f64::min), xs().fold(f64::NEG_INFINITY, f64::max));
    let (x, y) = (Axis::new(low, high, LEFT, RIGHT), Axis::new(0.0, 1.0, BOTTOM, TOP));
    for (share, text) in [(0.5, "50%"), (1.0, "100%")] {
        canvas.path("x g", &format!("M{LEFT} {}H{RIGHT}", coordinate(y.at(share))));
        canvas.text("t", LEFT - 4.0, y.at(share) + 4.0, "end", text);
    }
    canvas.path("x", &format!("M{LEFT} {BOTTOM}H{RIGHT}"));
    for curve in curves {
        let mut data = format!("M{LEFT} {BOTTOM}");
        let mut last = (String::new(), String::new());
        for (value, share) in curve.points {
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
        canvas.path(if curve.current { "l" } else { "r" }, &data);
    }
    canvas.text("t", LEFT, HEIGHT - 6.0, "start", ends[0]);
    canvas.text("t", RIGHT, HEIGHT - 6.0, "end", ends[1]);
    canvas.finish()
}

/// Quantiles of the reference (across) against the same quantiles of current (up). Points on the dashed
/// line are equal on both sides.
pub fn quantile_pairs(pairs: &[(f64, f64)], ends: [&str; 2], label: &str) -> Svg {
    const SIZE: f64 = 170.0;
    let mut canvas = Canvas::new(SIZE, SIZE, label);
    let values = || pairs.iter().flat_map(|pair| [pair.0, pair.1]);
    let (low, high) =
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let (x, y) = (Axis::new(low, high, 8.0, SIZE - 8.0), Axis::new(low, high, SIZE - 20.0, TOP));
    canvas.path("x", &format!("M8 {}H{}", SIZE - 20.0, SIZE - 8.0));
    canvas.path("x d", &format!("M8 {}L{} {TOP}", SIZE - 20.0, SIZE - 8.0));
    for (reference, current) in pairs {
        let (x, y) = (coordinate(x.at(*reference)), coordinate(y.at(*current)));
        canvas.raw(&format!("<circle class=\"c\" cx=\"{x}\" cy=\"{y}\" r=\"3.5\"/>"));
    }
    canvas.text("t", 8.0, SIZE - 6.0, "start", ends[0]);
    canvas.text("t", SIZE - 8.0, SIZE - 6.0, "end", ends[1]);
    canvas.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_end_at_the_top_right() {
        let points = [(0.0, 0.25), (1.0, 0.5), (4.0, 1.0)];
        let svg = curves(&[Curve { points: &points, current: true }], ["0", "4"], "x").0;
        assert!(svg.contains("d=\"M34 150H34V114.5H113.5V79H352V8H352\""), "{svg}");
        assert!(!curves(&[], ["", ""], "empty").0.contains("NaN"));
    }

    #[test]
    fn equal_quantiles_lie_on_the_line() {
        let svg = quantile_pairs(&[(0.0, 0.0), (10.0, 10.0)], ["0", "10"], "x").0;
        assert!(
            svg.contains("cx=\"8\" cy=\"150\"") && svg.contains("cx=\"162\" cy=\"8\""),
            "{svg}"
        );
    }
}
