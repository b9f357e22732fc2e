//! Labels with two bars each: the reference and current share.

use crate::Svg;
use crate::axis::Axis;
use crate::canvas::{Anchor, Canvas, coordinate, page, shorten};

/// One label with both shares.
#[derive(Debug, Clone)]
pub struct Pair<'a> {
    /// The label.
    pub label: &'a str,
    /// Share of the reference.
    pub reference: f64,
    /// Share of current.
    pub current: f64,
}

/// Characters of a label that fit beside the bars.
const LABEL_CHARS_MAX: usize = 18;
const WIDTH: f64 = 360.0;
const LEFT: f64 = 118.0;
const ROW: f64 = 22.0;

/// Horizontal bars, one pair a label, in the order given; the change in percentage points stands beside.
pub fn bars(pairs: &[Pair<'_>], label: &str) -> Svg {
    let mut canvas = Canvas::new(WIDTH, ROW * pairs.len() as f64 + 4.0, label);
    let largest =
        pairs.iter().map(|pair| pair.reference.max(pair.current)).fold(f64::MIN_POSITIVE, f64::max);
    let x = Axis::new(0.0, largest, LEFT, WIDTH - 44.0);
    for (index, pair) in pairs.iter().enumerate() {
        let top = ROW * index as f64 + 3.0;
        let name = shorten(pair.label, LABEL_CHARS_MAX);
        canvas.text(page::TEXT, (LEFT - 5.0, top + 12.0), Anchor::End, &name);
        canvas.rect(page::REFERENCE, (LEFT, top), x.at(pair.reference) - LEFT, 8.0);
        canvas.rect(page::CURRENT, (LEFT, top + 9.0), x.at(pair.current) - LEFT, 6.0);
        let change = signed((pair.current - pair.reference) * 100.0);
        let end = x.at(pair.reference.max(pair.current)) + 4.0;
        canvas.text(page::TEXT, (end, top + 12.0), Anchor::Start, &format!("{change}%"));
    }
    canvas.finish()
}

/// Small bars for a table row, without labels: for each pair of shares the reference beside current.
pub fn small(shares: &[(f64, f64)], label: &str) -> Svg {
    const WIDTH: f64 = 120.0;
    const HEIGHT: f64 = 28.0;
    /// A bar of few labels is no wall.
    const BAR_MAX: f64 = 12.0;
    let mut canvas = Canvas::new(WIDTH, HEIGHT, label);
    let largest = shares
        .iter()
        .map(|(reference, current)| reference.max(*current))
        .fold(f64::MIN_POSITIVE, f64::max);
    let place = WIDTH / shares.len().max(1) as f64;
    let bar = (place * 0.4).min(BAR_MAX);
    let y = Axis::new(0.0, largest, HEIGHT, 1.0);
    for (index, (reference, current)) in shares.iter().enumerate() {
        let left = place * index as f64;
        for (look, left, share) in
            [(page::REFERENCE, left, *reference), (page::CURRENT, left + bar, *current)]
        {
            let top = y.at(share);
            canvas.rect(look, (left, top), bar, HEIGHT - top);
        }
    }
    canvas.finish()
}

fn signed(value: f64) -> String {
    let text = coordinate(value.abs());
    match value {
        value if text == "0" || value.is_nan() => "±0".to_owned(),
        value if value < 0.0 => format!("−{text}"),
        _ => format!("+{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_bars_stand_side_by_side() {
        let svg = small(&[(0.5, 0.25), (0.5, 0.75)], "x").0;
        assert_eq!(svg.matches("class=\"a\"").count(), 2, "{svg}");
        assert_eq!(svg.matches("class=\"c\"").count(), 2, "{svg}");
        assert!(!small(&[], "x").0.contains("NaN"));
    }

    #[test]
    fn bars_carry_the_change() {
        let pairs = [
            Pair { label: "<b>", reference: 0.5, current: 0.25 },
            Pair { label: "other", reference: 0.1, current: 0.1 },
        ];
        let svg = bars(&pairs, "x").0;
        assert!(svg.contains("&lt;b&gt;") && svg.contains("−25%") && svg.contains("±0%"), "{svg}");
    }
}
