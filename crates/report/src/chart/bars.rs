//! Labels with two bars each: the reference and current share.

use super::{Axis, Canvas, Svg, coordinate};

/// One label with both shares.
#[derive(Debug, Clone)]
pub struct Bar<'a> {
    /// The label.
    pub label: &'a str,
    /// Share of the reference.
    pub reference: f64,
    /// Share of current.
    pub current: f64,
}

/// Characters of a label that fit beside the bars.
const LABEL_CHARS: usize = 18;

/// Horizontal bars, one pair a label, in the order given.
pub fn paired_bars(bars: &[Bar<'_>], label: &str) -> Svg {
    const WIDTH: f64 = 360.0;
    const LEFT: f64 = 118.0;
    const ROW: f64 = 22.0;
    let right = WIDTH - 44.0;
    let mut canvas = Canvas::new(WIDTH, ROW * bars.len() as f64 + 4.0, label);
    let largest =
        bars.iter().map(|bar| bar.reference.max(bar.current)).fold(f64::MIN_POSITIVE, f64::max);
    let x = Axis::new(0.0, largest, LEFT, right);
    for (index, bar) in bars.iter().enumerate() {
        let top = ROW * index as f64 + 3.0;
        canvas.text("t", LEFT - 5.0, top + 12.0, "end", &cut(bar.label));
        canvas.rect("a", LEFT, top, x.at(bar.reference) - LEFT, 8.0);
        canvas.rect("c", LEFT, top + 9.0, x.at(bar.current) - LEFT, 6.0);
        let shift = (bar.current - bar.reference) * 100.0;
        let end = x.at(bar.reference.max(bar.current)) + 4.0;
        canvas.text("t", end, top + 12.0, "start", &format!("{}%", signed(shift)));
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

fn cut(label: &str) -> String {
    if label.chars().count() <= LABEL_CHARS {
        return label.to_owned();
    }
    label.chars().take(LABEL_CHARS - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_carry_the_change() {
        let bars = [
            Bar { label: "<b>", reference: 0.5, current: 0.25 },
            Bar { label: "other", reference: 0.1, current: 0.1 },
        ];
        let svg = paired_bars(&bars, "x").0;
        assert!(svg.contains("&lt;b&gt;") && svg.contains("−25%") && svg.contains("±0%"), "{svg}");
        assert_eq!(cut("a label that is too long").chars().count(), LABEL_CHARS);
    }
}
