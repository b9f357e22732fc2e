//! SVG charts in a few hundred bytes each.
//!
//! Colours come from the page (`--reference`, `--current`, `--axis`) so that one chart serves light, dark
//! and paper; [`standalone`] brings them along for a chart in a file of its own. The two sides of a
//! comparison also differ in form: the reference is a filled area, current a line.

mod bars;
mod curve;
mod histogram;
mod line;
mod matrix;

use std::fmt::Write as _;

pub use bars::{Bar, paired_bars};
pub use curve::{Curve, curves, quantile_pairs};
pub use histogram::{overlay, sparkline};
pub use line::{Series, lines};
pub use matrix::confusion_matrix;

/// A finished drawing: an `<svg>` element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Svg(pub String);

/// Colours for a chart outside a page, with a white ground.
const STANDALONE_STYLE: &str = "<style>svg{background:#fff;font:11px system-ui,sans-serif;--reference:#0072b2;--current:#d55e00;--axis:#666;--ink:#1a1a1a}.a{fill:var(--reference);fill-opacity:.35}.l{fill:none;stroke:var(--current);stroke-width:1.8}.r{fill:none;stroke:var(--reference);stroke-width:1.8}.x{stroke:var(--axis);stroke-width:.8;fill:none}.t{fill:var(--axis)}.c{fill:var(--current)}.d{stroke-dasharray:4 3}</style>";

/// Makes a chart a file of its own, `name.svg`.
pub fn standalone(chart: &Svg) -> String {
    let body = chart.0.replacen('>', &format!(">{STANDALONE_STYLE}"), 1);
    body.replacen("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 1)
}

/// Text for use inside an element or an attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Control characters are not allowed in XML at all.
            character if character.is_control() && character != '\n' && character != '\t' => {
                out.push('\u{fffd}');
            }
            character => out.push(character),
        }
    }
    out
}

/// A drawing under construction.
pub(crate) struct Canvas {
    body: String,
}

impl Canvas {
    /// `label` is read out by screen readers.
    pub(crate) fn new(width: f64, height: f64, label: &str) -> Self {
        let label = escape(label);
        Self {
            body: format!(
                "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">"
            ),
        }
    }

    pub(crate) fn path(&mut self, class: &str, data: &str) {
        let _infallible = write!(self.body, "<path class=\"{class}\" d=\"{data}\"/>");
    }

    pub(crate) fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        let (x, y, width, height) =
            (coordinate(x), coordinate(y), coordinate(width), coordinate(height));
        let _infallible = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
        );
    }

    /// `anchor` is `start`, `middle` or `end`.
    pub(crate) fn text(&mut self, class: &str, x: f64, y: f64, anchor: &str, text: &str) {
        let (x, y, text) = (coordinate(x), coordinate(y), escape(text));
        let _infallible = write!(
            self.body,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>"
        );
    }

    pub(crate) fn raw(&mut self, element: &str) {
        self.body.push_str(element);
    }

    pub(crate) fn finish(mut self) -> Svg {
        self.body.push_str("</svg>");
        Svg(self.body)
    }
}

/// A coordinate with at most one decimal; what is not finite sits at the origin.
pub(crate) fn coordinate(value: f64) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// Maps a range of values to a range of coordinates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    from: f64,
    span: f64,
    start: f64,
    length: f64,
}

impl Axis {
    pub(crate) fn new(from: f64, to: f64, start: f64, end: f64) -> Self {
        Self { from, span: to - from, start, length: end - start }
    }

    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = (value - self.from) / self.span;
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 };
        self.start + share * self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_everywhere() {
        let mut canvas = Canvas::new(10.0, 10.0, "\"><script>");
        canvas.text("t", 0.0, 0.0, "start", "</text><script>alert('1')</script>\u{0}");
        let svg = canvas.finish().0;
        assert!(!svg.contains("<script"), "{svg}");
        assert!(!svg.contains('\u{0}'));
    }

    #[test]
    fn standalone_files_have_namespace_and_style() {
        let file = standalone(&Canvas::new(10.0, 10.0, "empty").finish());
        assert!(file.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox"));
        assert!(file.contains("><style>"));
    }

    #[test]
    fn coordinates_are_short_and_finite() {
        assert_eq!(
            [coordinate(1.0), coordinate(-0.04), coordinate(2.345), coordinate(f64::NAN)],
            ["1", "0", "2.3", "0"]
        );
        assert_eq!(Axis::new(3.0, 3.0, 0.0, 10.0).at(3.0), 5.0);
    }
}
