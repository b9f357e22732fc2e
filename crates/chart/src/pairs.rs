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
    fn bars_carry_the_change() {
        let pairs = [
            Pair { label: "<b>", reference: 0.5, current: 0.25 },
            Pair { label: "other", reference: 0.1, current: 0.1 },
        ];
        let svg = bars(&pairs, "x").0;
        assert!(svg.contains("&lt;b&gt;") && svg.contains("−25%") && svg.contains("±0%"), "{svg}");
    }
}
