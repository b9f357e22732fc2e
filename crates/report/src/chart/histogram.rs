//! Two histograms over the same bins: the reference as an area, current as a line.

use std::fmt::Write as _;

use super::{Axis, Canvas, Svg, coordinate};

/// A small histogram for a table row, without axes. Shares of the same bins on both sides.
pub fn sparkline(reference: &[f64], current: &[f64], label: &str) -> Svg {
    const WIDTH: f64 = 120.0;
    const HEIGHT: f64 = 28.0;
    let mut canvas = Canvas::new(WIDTH, HEIGHT, label);
    draw(
        &mut canvas,
        reference,
        current,
        Area { left: 0.0, right: WIDTH, top: 1.0, bottom: HEIGHT },
    );
    canvas.finish()
}

/// A histogram with an axis. `ticks` are labels with the position of a bin's edge, 0 to the number of bins.
pub fn overlay(reference: &[f64], current: &[f64], ticks: &[(f64, String)], label: &str) -> Svg {
    const WIDTH: f64 = 360.0;
    const HEIGHT: f64 = 170.0;
    let area = Area { left: 34.0, right: WIDTH - 8.0, top: 8.0, bottom: HEIGHT - 20.0 };
    let mut canvas = Canvas::new(WIDTH, HEIGHT, label);
    let largest = largest(reference, current);
    let y = Axis::new(0.0, largest, area.bottom, area.top);
    for share in [largest / 2.0, largest] {
        canvas.path("x g", &format!("M{} {}H{}", area.left, coordinate(y.at(share)), area.right));
        canvas.text("t", area.left - 4.0, y.at(share) + 4.0, "end", &percent(share));
    }
    draw(&mut canvas, reference, current, area);
    canvas.path("x", &format!("M{} {}H{}", area.left, area.bottom, area.right));
    let x = Axis::new(0.0, reference.len() as f64, area.left, area.right);
    for (position, text) in ticks {
        let anchor = if *position <= 0.0 {
            "start"
        } else if *position >= reference.len() as f64 {
            "end"
        } else {
            "middle"
        };
        canvas.text("t", x.at(*position), HEIGHT - 6.0, anchor, text);
    }
    canvas.finish()
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 1.0 { format!("{percent:.1}%") } else { format!("{percent:.0}%") }
}

#[derive(Clone, Copy)]
struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

fn largest(reference: &[f64], current: &[f64]) -> f64 {
    reference.iter().chain(current).copied().fold(f64::MIN_POSITIVE, f64::max)
}

fn draw(canvas: &mut Canvas, reference: &[f64], current: &[f64], area: Area) {
    let largest = largest(reference, current);
    canvas.path(
        "a",
        &format!("{}V{}Z", steps(reference, largest, area, true), coordinate(area.bottom)),
    );
    canvas.path("l", &steps(current, largest, area, false));
}

/// A staircase over the bins. Filled ones start on the ground.
fn steps(shares: &[f64], largest: f64, area: Area, filled: bool) -> String {
    let y = Axis::new(0.0, largest, area.bottom, area.top);
    let width = (area.right - area.left) / shares.len().max(1) as f64;
    let mut data = String::new();
    let mut height = f64::NAN;
    if filled {
        let _infallible = write!(data, "M{} {}", coordinate(area.left), coordinate(area.bottom));
        height = area.bottom;
    }
    for (index, share) in shares.iter().enumerate() {
        let next = y.at(*share);
        if data.is_empty() {
            let _infallible = write!(data, "M{} {}", coordinate(area.left), coordinate(next));
        } else if coordinate(next) != coordinate(height) {
            let _infallible = write!(data, "V{}", coordinate(next));
        }
        height = next;
        // Equal neighbours are one step.
        if shares.get(index + 1).is_none_or(|share| coordinate(y.at(*share)) != coordinate(height))
        {
            let _infallible =
                write!(data, "H{}", coordinate(area.left + width * (index + 1) as f64));
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staircase_has_one_step_a_bin() {
        let svg = sparkline(&[0.5, 0.5, 0.0], &[0.0, 0.25, 0.75], "x").0;
        assert!(svg.contains("<path class=\"a\" d=\"M0 28V10H80V28H120V28Z\"/>"), "{svg}");
        assert!(svg.contains("<path class=\"l\" d=\"M0 28H40V19H80V1H120\"/>"), "{svg}");
    }

    #[test]
    fn no_bins_and_no_values_draw_nothing_wild() {
        assert!(!sparkline(&[], &[], "x").0.contains("NaN"));
        assert!(!overlay(&[0.0], &[f64::NAN], &[(0.0, "a".to_owned())], "x").0.contains("NaN"));
    }
}
