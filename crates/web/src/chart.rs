//! Small line charts of a metric's history, as SVG that needs no style or script of its own.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};
use trainyard_mlflow::entities::Metric;

use crate::format;

/// More points than this are thinned: no chart is wider in pixels.
const POINTS_MAX: usize = 600;

/// One point of a history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// The points of a history over its steps, or over its times if all steps are equal; what is not
/// finite is left out.
pub(crate) fn points(history: &[Metric]) -> (Vec<Point>, &'static str) {
    let by_time = history.iter().all(|metric| Some(metric.step) == history.first().map(|m| m.step));
    let start = history.iter().map(|metric| metric.timestamp).min().unwrap_or_default();
    let mut points: Vec<Point> = history
        .iter()
        .filter(|metric| metric.value.is_finite() && metric.value.abs() < f64::MAX)
        .map(|metric| {
            let x = if by_time {
                (metric.timestamp - start) as f64 / 1000.0
            } else {
                metric.step as f64
            };
            Point { x, y: metric.value }
        })
        .collect();
    points.sort_by(|left, right| left.x.total_cmp(&right.x));
    (thin(points), if by_time { "seconds" } else { "step" })
}

/// Keeps the lowest and highest point of each stretch, so that no peak is lost.
fn thin(points: Vec<Point>) -> Vec<Point> {
    if points.len() <= POINTS_MAX {
        return points;
    }
    let stretch = points.len().div_ceil(POINTS_MAX / 2);
    let mut thinned = Vec::with_capacity(POINTS_MAX);
    for points in points.chunks(stretch) {
        let lowest = points.iter().min_by(|left, right| left.y.total_cmp(&right.y));
        let highest = points.iter().max_by(|left, right| left.y.total_cmp(&right.y));
        let (Some(lowest), Some(highest)) = (lowest, highest) else { continue };
        let in_order = if lowest.x <= highest.x { [lowest, highest] } else { [highest, lowest] };
        thinned.extend(in_order.map(|point| *point));
        if in_order[0] == in_order[1] {
            thinned.pop();
        }
    }
    thinned
}

/// Maps a range of values onto pixels.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        // A flat line lies in the middle.
        if low < high {
            Self { low, high, from, to }
        } else {
            let half = if low == 0.0 { 1.0 } else { low.abs() / 2.0 };
            Self { low: low - half, high: high + half, from, to }
        }
    }

    fn at(&self, value: f64) -> f64 {
        // Halved, so that the difference of huge values stays finite.
        let share = (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0);
        self.from + share * (self.to - self.from)
    }
}

fn path(points: &[Point], x: &Scale, y: &Scale) -> String {
    let mut path = String::new();
    for (position, point) in points.iter().enumerate() {
        let command = if position == 0 { 'M' } else { 'L' };
        // Writing to a string cannot fail.
        let _written = write!(path, "{command}{:.1} {:.1}", x.at(point.x), y.at(point.y));
    }
    path
}

/// A line as large as a word; nothing for fewer than two points.
pub(crate) fn sparkline(history: &[Metric]) -> Markup {
    const WIDTH: f64 = 120.0;
    const HEIGHT: f64 = 24.0;
    let (points, _unit) = points(history);
    let Some(last) = points.last().filter(|_| points.len() > 1) else { return html! {} };
    let x = Scale::of(points.iter().map(|point| point.x), 2.0, WIDTH - 4.0);
    let y = Scale::of(points.iter().map(|point| point.y), HEIGHT - 3.0, 3.0);
    html! {
        svg.spark viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } width=(WIDTH) height=(HEIGHT) aria-hidden="true" {
            path d=(path(&points, &x, &y)) {}
            circle cx={ (PreEscaped(format!("{:.1}", x.at(last.x)))) } cy=(format!("{:.1}", y.at(last.y))) r="2" {}
        }
    }
}

/// A chart with axes, described for those who do not see it.
pub(crate) fn line_chart(title: &str, history: &[Metric]) -> Markup {
    const WIDTH: f64 = 720.0;
    const HEIGHT: f64 = 280.0;
    const LEFT: f64 = 76.0;
    const BOTTOM: f64 = 34.0;
    let (points, unit) = points(history);
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return html! { p { "No finite values to draw." } };
    };
    let x = Scale::of(points.iter().map(|point| point.x), LEFT, WIDTH - 12.0);
    let y = Scale::of(points.iter().map(|point| point.y), HEIGHT - BOTTOM, 12.0);
    let description = format!(
        "{title}: {} points, from {} to {}",
        history.len(),
        format::number(first.y),
        format::number(last.y)
    );
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(description) {
            @for tick in ticks(y.low, y.high, 5) {
                @let at = format!("{:.1}", y.at(tick));
                line.grid x1=(LEFT) x2=(WIDTH - 12.0) y1=(at) y2=(at) {}
                text x=(LEFT - 8.0) y=(at) text-anchor="end" dominant-baseline="middle" { (format::number(tick)) }
            }
            @for tick in ticks(x.low, x.high, 6) {
                @let at = format!("{:.1}", x.at(tick));
                text x=(at) y=(HEIGHT - BOTTOM + 16.0) text-anchor="middle" { (format::number(tick)) }
            }
            text x=(WIDTH - 12.0) y=(HEIGHT - 3.0) text-anchor="end" { (unit) }
            path d=(path(&points, &x, &y)) {}
            @if points.len() <= 60 {
                @for point in &points {
                    circle cx=(format!("{:.1}", x.at(point.x))) cy=(format!("{:.1}", y.at(point.y))) r="3" {
                        title { (unit) " " (format::number(point.x)) ": " (format::number(point.y)) }
                    }
                }
            }
        }
    }
}

/// About `count` round values within the range.
fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 {
        return vec![low, high];
    }
    let rough = span / count as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    (0..=2 * count as i64)
        .map(|n| (first + n) as f64 * step)
        .take_while(|tick| *tick <= high + step * 1e-9)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(values: impl IntoIterator<Item = f64>) -> Vec<Metric> {
        values
            .into_iter()
            .enumerate()
            .map(|(step, value)| Metric::new("m", value, 1_000 * step as i64, step as i64))
            .collect()
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 1.0, 5), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks(3.0, 27.0, 5), [5.0, 10.0, 15.0, 20.0, 25.0]);
        assert_eq!(ticks(1.0, 1.0, 5), [1.0, 1.0]);
    }

    #[test]
    fn peaks_survive_thinning() {
        let mut values = vec![0.0; 100_000];
        values[54_321] = 7.0;
        values[99_999] = -3.0;
        let (points, unit) = points(&history(values));
        assert!(points.len() <= POINTS_MAX, "{}", points.len());
        assert_eq!(unit, "step");
        assert!(points.contains(&Point { x: 54_321.0, y: 7.0 }));
        assert!(points.contains(&Point { x: 99_999.0, y: -3.0 }));
    }

    #[test]
    fn odd_histories_make_no_odd_charts() {
        for values in [
            vec![],
            vec![1.0],
            vec![f64::NAN, f64::NAN],
            vec![2.0, 2.0, 2.0],
            vec![f64::MAX / 2.0, -f64::MAX / 2.0],
            vec![0.0, f64::INFINITY, 1.0],
        ] {
            let history = history(values.clone());
            let svg = sparkline(&history).into_string() + &line_chart("m", &history).into_string();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{values:?}: {svg}");
        }
    }
}
