//! Small SVG charts for the artifacts of a run: no script, no font file, readable on their own.

mod confusion;
mod curves;
mod importance;

pub(crate) use confusion::confusion_matrix;
pub(crate) use curves::{Line, residuals, roc};
pub(crate) use importance::importance;

use std::fmt::Write as _;

/// Colours that stay apart for most colour-blind readers (Okabe and Ito), for lines and dots.
const COLOURS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666"];

/// A drawing: elements with a size around them.
struct Drawing {
    width: f64,
    height: f64,
    body: String,
}

/// Where a text is fixed to its position.
#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

impl Drawing {
    fn new(width: f64, height: f64, title: &str) -> Self {
        let mut drawing = Self { width, height, body: String::new() };
        let _ = write!(drawing.body, "<title>{}</title>", escape(title));
        drawing.styled_text(
            16.0,
            26.0,
            Anchor::Start,
            "font-size=\"16\" font-weight=\"600\"",
            title,
        );
        drawing
    }

    fn text(&mut self, x: f64, y: f64, anchor: Anchor, text: &str) {
        self.styled_text(x, y, anchor, "", text);
    }

    fn styled_text(&mut self, x: f64, y: f64, anchor: Anchor, style: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = write!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {style}>{}</text>",
            escape(text)
        );
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), style: &str) {
        let _ = write!(
            self.body,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" {style}/>",
            from.0, from.1, to.0, to.1
        );
    }

    fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64, style: &str) {
        let _ = write!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" {style}/>"
        );
    }

    fn finish(self) -> String {
        let Self { width, height, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" font-family=\"system-ui, \
             sans-serif\" font-size=\"12\" fill=\"#1f2328\"><rect width=\"100%\" height=\"100%\" \
             fill=\"#ffffff\"/>{body}</svg>\n"
        )
    }
}

/// Text that is safe between tags and in attributes.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // XML has no way to write other control characters.
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
        safe
    })
}

/// At most `length` characters, the end replaced by an ellipsis.
fn shorten(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length.saturating_sub(1)).chain(['…']).collect()
}

/// A number short enough for an axis.
fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.3}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// About `count` round numbers from `low` to `high`.
fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let span = high - low;
    if !(span.is_finite() && span > 0.0) {
        return vec![low];
    }
    let raw = span / count as f64;
    let magnitude = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * magnitude)
        .find(|step| *step >= raw)
        .unwrap_or(10.0 * magnitude);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).take(4 * count).map(|index| index as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(0.0, 1.0, 5), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks(-130.0, 310.0, 5), [-100.0, 0.0, 100.0, 200.0, 300.0]);
        assert_eq!(ticks(3.0, 3.0, 5), [3.0]);
    }

    #[test]
    fn numbers_are_short() {
        let texts: Vec<String> =
            [0.0, -0.0001, 0.25, 1234.5, 3e7, 5.0].into_iter().map(number).collect();
        assert_eq!(texts, ["0", "-1.0e-4", "0.25", "1234.5", "3.0e7", "5"]);
    }

    #[test]
    fn text_cannot_break_out() {
        assert_eq!(escape("<a & \"b\"\u{1}>"), "&lt;a &amp; &quot;b&quot; &gt;");
        assert_eq!(shorten("abcdef", 4), "abc…");
    }
}
