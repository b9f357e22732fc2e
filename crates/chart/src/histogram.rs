//! Two histograms over the same bins: the reference as an area, current as a line.

use std::fmt::Write as _;

use crate::Svg;
use crate::axis::Axis;
use crate::canvas::{Anchor, Canvas, coordinate, page};

/// A small histogram for a table row, without axes. Shares of the same bins on both sides.
pub fn small(reference: &[f64], current: &[f64], label: &str) -> Svg {
    const WIDTH: f64 = 120.0;
    const HEIGHT: f64 = 28.0;
    let mut canvas = Canvas::new(WIDTH, HEIGHT, label);
    let x = Axis::new(0.0, reference.len() as f64, 0.0, WIDTH);
    draw(&mut canvas, reference, current, x, [HEIGHT, 1.0]);
    canvas.finish()
}

/// A histogram with axes. `ticks` are labels with the position of a bin's edge, 0 to the number of bins.
pub fn large(reference: &[f64], current: &[f64], ticks: &[(f64, String)], label: &str) -> Svg {
    const WIDTH: f64 = 360.0;
    const HEIGHT: f64 = 170.0;
    const LEFT: f64 = 34.0;
    const RIGHT: f64 = WIDTH - 8.0;
    const TOP: f64 = 8.0;
    const BOTTOM: f64 = HEIGHT - 20.0;
    let mut canvas = Canvas::new(WIDTH, HEIGHT, label);
    let bins = reference.len() as f64;
    let x = Axis::new(0.0, bins, LEFT, RIGHT);
    let largest = largest(reference, current);
    let y = Axis::new(0.0, largest, BOTTOM, TOP);
    for share in [largest / 2.0, largest] {
        canvas.path(page::GRID, &format!("M{LEFT} {}H{RIGHT}", coordinate(y.at(share))));
        canvas.text(page::TEXT, (LEFT - 4.0, y.at(share) + 4.0), Anchor::End, &percent(share));
    }
    draw(&mut canvas, reference, current, x, [BOTTOM, TOP]);
    canvas.path(page::AXIS, &format!("M{LEFT} {BOTTOM}H{RIGHT}"));
    for (position, text) in ticks {
        let anchor = match *position {
            position if position <= 0.0 => Anchor::Start,
            position if position >= bins => Anchor::End,
            _ => Anchor::Middle,
        };
        canvas.text(page::TEXT, (x.at(*position), HEIGHT - 6.0), anchor, text);
    }
    canvas.finish()
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 1.0 { format!("{percent:.1}%") } else { format!("{percent:.0}%") }
}

fn largest(reference: &[f64], current: &[f64]) -> f64 {
    reference.iter().chain(current).copied().fold(f64::MIN_POSITIVE, f64::max)
}

/// Both sides between the heights `[bottom, top]`.
fn draw(canvas: &mut Canvas, reference: &[f64], current: &[f64], x: Axis, heights: [f64; 2]) {
    let [bottom, top] = heights;
    let y = Axis::new(0.0, largest(reference, current), bottom, top);
    let ground = coordinate(bottom);
    canvas.path(page::REFERENCE, &format!("{}V{ground}Z", steps(reference, x, y, true)));
    canvas.path(page::CURRENT_LINE, &steps(current, x, y, false));
}

/// A staircase over the bins. Filled ones start on the ground.
fn steps(shares: &[f64], x: Axis, y: Axis, filled: bool) -> String {
    let mut data = String::new();
    let mut height = String::new();
    if filled {
        height = coordinate(y.ends().0);
        let _infallible = write!(data, "M{} {height}", coordinate(x.ends().0));
    }
    for (index, share) in shares.iter().enumerate() {
        let next = coordinate(y.at(*share));
        if data.is_empty() {
            let _infallible = write!(data, "M{} {next}", coordinate(x.ends().0));
        } else if next != height {
            let _infallible = write!(data, "V{next}");
        }
        height = next;
        // Equal neighbours are one step.
        if shares.get(index + 1).is_none_or(|share| coordinate(y.at(*share)) != height) {
            let _infallible = write!(data, "H{}", coordinate(x.at((index + 1) as f64)));
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staircase_has_one_step_a_bin() {
        let svg = small(&[0.5, 0.5, 0.0], &[0.0, 0.25, 0.75], "x").0;
        assert!(svg.contains("<path class=\"a\" d=\"M0 28V10H80V28H120V28Z\"/>"), "{svg}");
        assert!(svg.contains("<path class=\"l\" d=\"M0 28H40V19H80V1H120\"/>"), "{svg}");
    }

    #[test]
    fn no_bins_and_no_values_draw_nothing_wild() {
        assert!(!small(&[], &[], "x").0.contains("NaN"));
        assert!(!large(&[0.0], &[f64::NAN], &[(0.0, "a".to_owned())], "x").0.contains("NaN"));
    }
}
