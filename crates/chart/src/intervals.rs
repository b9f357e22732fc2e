//! A number over time with the interval that it lies in, beside what it was at first, and what happened meanwhile.

use crate::Svg;
use crate::axis::Axis;
use crate::canvas::{Anchor, Canvas, escape, polyline};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 76.0;
/// Room for half of a name.
const RIGHT: f64 = WIDTH - 44.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = HEIGHT - 30.0;
/// Half of the height of a sign.
const SIGN: f64 = 5.0;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// When: in the unit of the chart's span.
    pub x: f64,
    /// The value; finite.
    pub y: f64,
    /// Where it lies with confidence; finite.
    pub interval: Option<[f64; 2]>,
    /// Whether it is a reason to look.
    pub is_alarming: bool,
    /// What is said when it is pointed at.
    pub title: String,
}

/// What happened at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When.
    pub x: f64,
    /// A short name.
    pub name: String,
}

/// A chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Intervals<'a> {
    /// What the values are.
    pub title: &'a str,
    /// Where the axis of time begins and ends.
    pub span: (f64, f64),
    /// Moments of the axis that are named.
    pub names: Vec<(f64, String)>,
    /// What was measured, in the order of time.
    pub measured: Vec<Point>,
    /// What was estimated in place of it, likewise: dashed.
    pub estimated: Vec<Point>,
    /// What it is compared with, likewise.
    pub reference: Vec<(f64, f64)>,
    /// What happened; what is outside of the span is left out.
    pub events: Vec<Event>,
}

impl Intervals<'_> {
    /// The drawing; none where there is no value.
    pub fn draw(&self) -> Option<Svg> {
        let points = || self.measured.iter().chain(&self.estimated);
        let last = self.measured.last().or(self.estimated.last())?;
        let ends = points().flat_map(|point| point.interval.into_iter().flatten());
        let references = self.reference.iter().map(|point| point.1);
        let values = points().map(|point| point.y).chain(ends).chain(references);
        let x = Axis::new(self.span.0, self.span.1, LEFT, RIGHT);
        let y = Axis::over(values, BOTTOM, TOP).widened(0.05);
        let label = format!("{}: {} values, {}", self.title, points().count(), last.title);
        let attributes =
            format!("class=\"chart intervals\" role=\"img\" aria-label=\"{}\"", escape(&label));
        let mut canvas = Canvas::with(WIDTH, HEIGHT, &attributes);
        for (at, text) in y.ticks(5) {
            canvas.line("class=\"grid\"", (LEFT, at), (RIGHT, at));
            canvas.text("", (LEFT - 8.0, at + 4.0), Anchor::End, &text);
        }
        for (at, text) in &self.names {
            canvas.text("", (x.at(*at), BOTTOM + 18.0), Anchor::Middle, text);
        }
        for event in self.events.iter().filter(|event| self.holds(event.x)) {
            let at = x.at(event.x);
            let line = polyline([(at, TOP), (at, BOTTOM)].into_iter());
            canvas.titled_path("class=\"event\"", &line, &event.name);
            canvas.text("", (at, TOP - 8.0), Anchor::Middle, &event.name);
        }
        let place = |(at, value): (f64, f64)| (x.at(at), y.at(value));
        let reference = polyline(self.reference.iter().map(|point| place(*point)));
        canvas.path("class=\"reference\"", &reference);
        for (class, points) in [("estimate", &self.estimated), ("value", &self.measured)] {
            let line = polyline(points.iter().map(|point| place((point.x, point.y))));
            canvas.path(&format!("class=\"{class}\""), &line);
            for point in points {
                if let Some([low, high]) = point.interval {
                    canvas.line(
                        "class=\"interval\"",
                        place((point.x, low)),
                        place((point.x, high)),
                    );
                }
                let (at, height) = place((point.x, point.y));
                if point.is_alarming {
                    // A sign that differs in form, not only in colour.
                    let (left, right, low) = (at - SIGN, at + SIGN, height + SIGN);
                    let corners = [(left, low), (right, low), (at, height - SIGN)];
                    let sign = format!("{}Z", polyline(corners.into_iter()));
                    canvas.titled_path("class=\"alarm\"", &sign, &point.title);
                } else {
                    canvas.titled_circle((at, height), 2.5, &point.title);
                }
            }
        }
        Some(canvas.finish())
    }

    fn holds(&self, at: f64) -> bool {
        at >= self.span.0 && at <= self.span.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f64, y: f64, is_alarming: bool) -> Point {
        let interval = Some([y - 0.1, y + 0.1]);
        Point { x, y, interval, is_alarming, title: format!("<{y}>") }
    }

    #[test]
    fn values_intervals_and_what_happened_are_drawn() {
        let event = |x: f64, name: &str| Event { x, name: name.to_owned() };
        let chart = Intervals {
            title: "accuracy",
            span: (0.0, 30.0),
            names: vec![(5.0, "Monday".to_owned())],
            measured: vec![point(5.0, 0.9, false), point(15.0, 0.5, true)],
            estimated: vec![point(25.0, 0.8, false)],
            reference: vec![(5.0, 0.92), (15.0, 0.92)],
            events: vec![event(12.0, "<v2>"), event(31.0, "later")],
        };
        let svg = chart.draw().unwrap().0;
        let count = |text: &str| svg.matches(text).count();
        assert_eq!(
            (count("class=\"interval\""), count("<circle"), count("class=\"alarm\"")),
            (3, 2, 1)
        );
        assert_eq!((count("class=\"event\""), count("class=\"reference\"")), (1, 1));
        assert!(svg.contains("Monday") && svg.contains("&lt;v2&gt;"), "{svg}");
        assert!(!svg.contains("later") && !svg.contains("<v2>") && !svg.contains("<0"), "{svg}");
    }

    #[test]
    fn odd_values_make_no_odd_charts() {
        assert_eq!(Intervals::default().draw(), None);
        let odd = [(0.0, 0.0), (f64::MAX, -f64::MAX), (-1.0, 5e-324)];
        for (first, second) in odd {
            for span in [(0.0, 0.0), (0.0, 1.0), (f64::MIN, f64::MAX)] {
                let measured = vec![point(0.0, first, true), point(1.0, second, false)];
                let chart = Intervals { span, measured, ..Intervals::default() };
                let svg = chart.draw().unwrap().0;
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }
}
