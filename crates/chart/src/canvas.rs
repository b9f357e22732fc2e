//! A drawing under construction, and how its elements look.
//!
//! Elements take their look as SVG attributes: a class that a page's style sheet colours, or colours of
//! their own in files.

use std::fmt::Write as _;

/// A finished drawing: an `<svg>` element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Svg(pub String);

/// Looks of the charts of pages: classes that the page's style sheet colours.
pub(crate) mod page {
    /// The reference, filled.
    pub(crate) const REFERENCE: &str = "class=\"a\"";
    /// The reference as a line.
    pub(crate) const REFERENCE_LINE: &str = "class=\"r\"";
    /// Current, filled.
    pub(crate) const CURRENT: &str = "class=\"c\"";
    /// Current as a line.
    pub(crate) const CURRENT_LINE: &str = "class=\"l\"";
    pub(crate) const AXIS: &str = "class=\"x\"";
    pub(crate) const DASHED: &str = "class=\"x d\"";
    pub(crate) const GRID: &str = "class=\"x g\"";
    pub(crate) const TEXT: &str = "class=\"t\"";
}

/// Looks of charts that are files: dark on white, blue for what is right and orange for what is not, which
/// people with any colour vision tell apart (Okabe and Ito).
pub(crate) mod file {
    pub(crate) const BLUE: &str = "#0072b2";
    pub(crate) const ORANGE: &str = "#d55e00";
    /// For lines beside each other.
    pub(crate) const COLOURS: [&str; 7] =
        [BLUE, ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666"];
    /// A reference line: chance, or no error.
    pub(crate) const DASHED: &str = "stroke=\"#8c959f\" stroke-dasharray=\"4 4\"";
    pub(crate) const GRID: &str = "stroke=\"#d8dee4\"";
    /// Text in the colour of the file.
    pub(crate) const TEXT: &str = "";
    pub(crate) const SOFT_TEXT: &str = "fill=\"#59636e\"";
    pub(crate) const TITLE: &str = "font-size=\"16\" font-weight=\"600\"";
}

/// Where a text is fixed to its position.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing under construction.
#[derive(Debug)]
pub(crate) struct Canvas {
    body: String,
}

impl Canvas {
    /// A drawing of a page; `label` is read out by screen readers.
    pub(crate) fn new(width: f64, height: f64, label: &str) -> Self {
        let label = escape(label);
        Self::with(width, height, &format!("role=\"img\" aria-label=\"{label}\""))
    }

    /// A drawing of a page with these attributes.
    pub(crate) fn with(width: f64, height: f64, attributes: &str) -> Self {
        Self { body: format!("<svg {attributes} viewBox=\"0 0 {width} {height}\">") }
    }

    /// A drawing that is a file of its own, with a title.
    pub(crate) fn file(width: f64, height: f64, title: &str) -> Self {
        let body = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" font-family=\"system-ui, \
             sans-serif\" font-size=\"12\" fill=\"#1f2328\"><rect width=\"100%\" height=\"100%\" \
             fill=\"#ffffff\"/><title>{}</title>",
            escape(title)
        );
        let mut canvas = Self { body };
        canvas.text(file::TITLE, (16.0, 26.0), Anchor::Start, title);
        canvas
    }

    pub(crate) fn path(&mut self, look: &str, data: &str) {
        let _infallible = write!(self.body, "<path {look} d=\"{data}\"/>");
    }

    /// A path that says what it stands for when it is pointed at.
    pub(crate) fn titled_path(&mut self, look: &str, data: &str, title: &str) {
        let title = escape(title);
        let _infallible =
            write!(self.body, "<path {look} d=\"{data}\"><title>{title}</title></path>");
    }

    /// A straight line.
    pub(crate) fn line(&mut self, look: &str, from: (f64, f64), to: (f64, f64)) {
        self.element("line", look, &[("x1", from.0), ("y1", from.1), ("x2", to.0), ("y2", to.1)]);
        self.body.push_str("/>");
    }

    pub(crate) fn rect(&mut self, look: &str, corner: (f64, f64), width: f64, height: f64) {
        let places = [("x", corner.0), ("y", corner.1), ("width", width), ("height", height)];
        self.element("rect", look, &places);
        self.body.push_str("/>");
    }

    pub(crate) fn circle(&mut self, look: &str, centre: (f64, f64), radius: f64) {
        self.element("circle", look, &[("cx", centre.0), ("cy", centre.1), ("r", radius)]);
        self.body.push_str("/>");
    }

    /// A circle that says what it stands for when it is pointed at.
    pub(crate) fn titled_circle(&mut self, centre: (f64, f64), radius: f64, title: &str) {
        self.element("circle", "", &[("cx", centre.0), ("cy", centre.1), ("r", radius)]);
        let _infallible = write!(self.body, "><title>{}</title></circle>", escape(title));
    }

    pub(crate) fn text(&mut self, look: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.element("text", look, &[("x", at.0), ("y", at.1)]);
        let _infallible = write!(self.body, " text-anchor=\"{anchor}\">{}</text>", escape(text));
    }

    /// Begins an element: its look, and where it lies.
    fn element(&mut self, name: &str, look: &str, places: &[(&str, f64)]) {
        let _infallible = write!(self.body, "<{name} {look}");
        for (attribute, place) in places {
            let _infallible = write!(self.body, " {attribute}=\"{}\"", coordinate(*place));
        }
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

/// The data of a path through points.
pub(crate) fn polyline(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut data = String::new();
    for (x, y) in points {
        let command = if data.is_empty() { 'M' } else { 'L' };
        let _infallible = write!(data, "{command}{} {}", coordinate(x), coordinate(y));
    }
    data
}

/// Attributes that turn a text by these degrees about a point.
pub(crate) fn turned(look: &str, degrees: f64, about: (f64, f64)) -> String {
    let (x, y) = (coordinate(about.0), coordinate(about.1));
    format!("{look} transform=\"rotate({degrees} {x} {y})\"")
}

/// At most `length` characters, the end replaced by an ellipsis.
pub(crate) fn shorten(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length.saturating_sub(1)).chain(['…']).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_everywhere() {
        for mut canvas in
            [Canvas::new(10.0, 10.0, "\"><script>"), Canvas::file(9.0, 9.0, "<script>")]
        {
            canvas.text(
                page::TEXT,
                (0.0, 0.0),
                Anchor::Start,
                "</text><script>alert('1')</script>\u{0}",
            );
            canvas.titled_circle((1.0, 1.0), 1.0, "<script>");
            let svg = canvas.finish().0;
            assert!(!svg.contains("<script"), "{svg}");
            assert!(!svg.contains('\u{0}'));
        }
    }

    #[test]
    fn coordinates_are_short_and_finite() {
        assert_eq!(
            [coordinate(1.0), coordinate(-0.04), coordinate(2.345), coordinate(f64::NAN)],
            ["1", "0", "2.3", "0"]
        );
        assert_eq!(polyline([(0.0, 1.0), (2.5, 3.0)].into_iter()), "M0 1L2.5 3");
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!((shorten("abcdef", 4).as_str(), shorten("abcd", 4).as_str()), ("abc…", "abcd"));
    }
}
