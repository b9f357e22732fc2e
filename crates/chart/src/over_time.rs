//! Numbers of one kind over time, a line each, with gaps where nothing is known, and what happened meanwhile.

use crate::Svg;
use crate::axis::Axis;
use crate::canvas::{Anchor, Canvas, escape, polyline};
use crate::history::thinned;
use crate::intervals::Event;
use crate::lines::class;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 76.0;
/// Room for half of a name.
const RIGHT: f64 = WIDTH - 44.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = HEIGHT - 30.0;
/// Points of one line: no chart is wider in pixels.
const LINE_POINTS_MAX: usize = 600;

/// One of the numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series<'a> {
    /// What it is called when it is pointed at.
    pub name: &'a str,
    /// Which colour and dash it has, as [`class`] tells.
    pub number: usize,
    /// (x, y) in ascending order of x, and finite.
    pub points: Vec<(f64, f64)>,
}

/// A chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OverTime<'a> {
    /// What the numbers are.
    pub title: &'a str,
    /// Where the axis of time begins and ends.
    pub span: (f64, f64),
    /// Points that are further from each other are not joined.
    pub gap: f64,
    /// Moments of the axis that are named.
    pub names: Vec<(f64, String)>,
    /// The lines; the axis of their values begins at 0.
    pub series: Vec<Series<'a>>,
    /// What happened; what is outside of the span is left out.
    pub events: Vec<Event>,
}

impl OverTime<'_> {
    /// The drawing; none where there is no point.
    pub fn draw(&self) -> Option<Svg> {
        let values = self.series.iter().flat_map(|one| &one.points).map(|point| point.1);
        values.clone().next()?;
        let x = Axis::new(self.span.0, self.span.1, LEFT, RIGHT);
        let y = over_nothing(values);
        let label = escape(&self.label());
        let attributes = format!("class=\"chart lines\" role=\"img\" aria-label=\"{label}\"");
        let mut canvas = Canvas::with(WIDTH, HEIGHT, &attributes);
        for (at, text) in y.ticks(4) {
            canvas.line("class=\"grid\"", (LEFT, at), (RIGHT, at));
            canvas.text("", (LEFT - 8.0, at + 4.0), Anchor::End, &text);
        }
        for (at, text) in &self.names {
            canvas.text("", (x.at(*at), BOTTOM + 18.0), Anchor::Middle, text);
        }
        let holds = |at: f64| at >= self.span.0 && at <= self.span.1;
        for event in self.events.iter().filter(|event| holds(event.x)) {
            let at = x.at(event.x);
            let line = polyline([(at, TOP), (at, BOTTOM)].into_iter());
            canvas.titled_path("class=\"event\"", &line, &event.name);
            canvas.text("", (at, TOP - 8.0), Anchor::Middle, &event.name);
        }
        for one in self.series.iter().filter(|one| !one.points.is_empty()) {
            let mut data = String::new();
            let parts = one.points.chunk_by(|left, right| right.0 - left.0 <= self.gap);
            for part in parts {
                // Each part has its share of what is drawn.
                let share = (LINE_POINTS_MAX * part.len()).div_ceil(one.points.len()).max(2);
                let part = thinned(part, share);
                data.push_str(&polyline(part.iter().map(|point| (x.at(point.0), y.at(point.1)))));
                // What stands alone is a dot.
                if part.len() == 1 {
                    data.push_str("h2");
                }
            }
            let look = format!("class=\"line {}\"", class(one.number));
            canvas.titled_path(&look, &data, one.name);
        }
        Some(canvas.finish())
    }

    /// For those who do not see it: the newest of each.
    fn label(&self) -> String {
        let newest = self.series.iter().filter_map(|one| {
            let last = one.points.last()?;
            Some(format!("{} {}", one.name, crate::short(last.1)))
        });
        let newest: Vec<String> = newest.collect();
        format!("{} over time, at last {}", self.title, newest.join(", "))
    }
}

/// The axis of values, which begins at nothing unless some are less than that.
fn over_nothing(values: impl Iterator<Item = f64>) -> Axis {
    let (low, high) =
        values.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    Axis::new(low, if low < high { high } else { 1.0 }, BOTTOM, TOP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> OverTime<'static> {
        let series = Series { name: "<2xx>", number: 2, points };
        OverTime {
            title: "requests",
            span: (0.0, 100.0),
            gap: 1.5,
            series: vec![series],
            ..OverTime::default()
        }
    }

    #[test]
    fn what_is_not_known_is_a_gap() {
        let points = (0..100).filter(|x| !(40..60).contains(x)).map(|x| (f64::from(x), 7.0));
        let mut chart = chart(points.collect());
        chart.names.push((50.0, "noon".to_owned()));
        let event = |x: f64, name: &str| Event { x, name: name.to_owned() };
        chart.events = vec![event(20.0, "v<2>"), event(101.0, "later")];
        let svg = chart.draw().unwrap().0;
        let line = svg.split("class=\"line c2 d0\" d=\"").nth(1).unwrap();
        assert_eq!(line.split('"').next().unwrap().matches('M').count(), 2, "{svg}");
        assert!(
            svg.contains("noon") && svg.contains("v&lt;2&gt;") && !svg.contains("later"),
            "{svg}"
        );
        assert!(!svg.contains("<2") && svg.contains("at last &lt;2xx&gt; 7"), "{svg}");
        // The axis begins at nothing: a flat line is not at its foot.
        assert!(svg.contains(">0</text>"), "{svg}");
    }

    #[test]
    fn odd_values_make_no_odd_charts() {
        assert_eq!(OverTime::default().draw(), None);
        assert_eq!(chart(Vec::new()).draw(), None);
        let many = (0..50_000).map(|x| (f64::from(x) / 500.0, f64::from(x % 7))).collect();
        assert!(chart(many).draw().unwrap().0.len() < 20_000);
        let odd: [&[(f64, f64)]; 4] = [
            &[(0.0, 0.0)],
            &[(f64::MIN, f64::MAX), (f64::MAX, f64::MIN)],
            &[(1.0, 1e-300), (2.0, 0.0)],
            &[(-5.0, 1.0), (500.0, 2.0)],
        ];
        for points in odd {
            for span in [(0.0, 0.0), (0.0, 1.0), (f64::MIN, f64::MAX)] {
                let chart = OverTime { span, ..chart(points.to_vec()) };
                let svg = chart.draw().unwrap().0;
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }
}
