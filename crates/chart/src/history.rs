//! A metric over its steps or over time.

use crate::Svg;
use crate::axis::Axis;
use crate::canvas::{Anchor, Canvas, escape, polyline};
use crate::number::full;

/// More points than this are thinned: no chart is wider in pixels.
const POINTS_MAX: usize = 600;
/// More points than this have no dots: they would hide the line.
const DOTS_MAX: usize = 60;

/// A line as large as a word; none for fewer than two points. Points (x, y) are in ascending order of x,
/// and finite.
pub fn small(points: &[(f64, f64)]) -> Option<Svg> {
    const WIDTH: f64 = 120.0;
    const HEIGHT: f64 = 24.0;
    let points = thinned(points, POINTS_MAX);
    let last = points.last().filter(|_| points.len() > 1)?;
    let attributes =
        format!("class=\"spark\" width=\"{WIDTH}\" height=\"{HEIGHT}\" aria-hidden=\"true\"");
    let mut canvas = Canvas::with(WIDTH, HEIGHT, &attributes);
    let x = Axis::over(points.iter().map(|point| point.0), 2.0, WIDTH - 4.0);
    let y = Axis::over(points.iter().map(|point| point.1), HEIGHT - 3.0, 3.0);
    canvas.path("", &polyline(points.iter().map(|point| (x.at(point.0), y.at(point.1)))));
    canvas.circle("", (x.at(last.0), y.at(last.1)), 2.0);
    Some(canvas.finish())
}

/// A chart with axes, described for those who do not see it; none for no points. Points (x, y) are in
/// ascending order of x, and finite; `unit` is that of x.
pub fn large(title: &str, unit: &str, points: &[(f64, f64)]) -> Option<Svg> {
    const WIDTH: f64 = 720.0;
    const HEIGHT: f64 = 280.0;
    const LEFT: f64 = 76.0;
    const RIGHT: f64 = WIDTH - 12.0;
    const BOTTOM: f64 = HEIGHT - 34.0;
    let (first, last) = (points.first()?, points.last()?);
    let description =
        format!("{title}: {} points, from {} to {}", points.len(), full(first.1), full(last.1));
    let attributes =
        format!("class=\"chart\" role=\"img\" aria-label=\"{}\"", escape(&description));
    let mut canvas = Canvas::with(WIDTH, HEIGHT, &attributes);
    let points = thinned(points, POINTS_MAX);
    // A flat line lies in the middle.
    let x = Axis::over(points.iter().map(|point| point.0), LEFT, RIGHT).widened(0.0);
    let y = Axis::over(points.iter().map(|point| point.1), BOTTOM, 12.0).widened(0.0);
    for (at, text) in y.ticks(5) {
        canvas.line("class=\"grid\"", (LEFT, at), (RIGHT, at));
        canvas.text("", (LEFT - 8.0, at + 4.0), Anchor::End, &text);
    }
    for (at, text) in x.ticks(6) {
        canvas.text("", (at, BOTTOM + 16.0), Anchor::Middle, &text);
    }
    canvas.text("", (RIGHT, HEIGHT - 3.0), Anchor::End, unit);
    canvas.path("", &polyline(points.iter().map(|point| (x.at(point.0), y.at(point.1)))));
    if points.len() <= DOTS_MAX {
        for point in &points {
            let title = format!("{unit} {}: {}", full(point.0), full(point.1));
            canvas.titled_circle((x.at(point.0), y.at(point.1)), 3.0, &title);
        }
    }
    Some(canvas.finish())
}

/// At most `max` points: keeps the lowest and highest of each stretch, so that no peak is lost.
pub(crate) fn thinned(points: &[(f64, f64)], max: usize) -> Vec<(f64, f64)> {
    if points.len() <= max {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil((max / 2).max(1));
    let mut thinned = Vec::with_capacity(max);
    for points in points.chunks(stretch) {
        let lowest = points.iter().min_by(|left, right| left.1.total_cmp(&right.1));
        let highest = points.iter().max_by(|left, right| left.1.total_cmp(&right.1));
        let (Some(lowest), Some(highest)) = (lowest, highest) else { continue };
        let in_order = if lowest.0 <= highest.0 { [lowest, highest] } else { [highest, lowest] };
        thinned.extend(in_order);
        if in_order[0] == in_order[1] {
            thinned.pop();
        }
    }
    thinned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<(f64, f64)> {
        values.iter().enumerate().map(|(step, value)| (step as f64, *value)).collect()
    }

    #[test]
    fn peaks_survive_thinning() {
        let mut values = vec![0.0; 100_000];
        values[54_321] = 7.0;
        values[99_999] = -3.0;
        let few = thinned(&points(&values), POINTS_MAX);
        assert!(few.len() <= POINTS_MAX, "{}", few.len());
        assert!(few.contains(&(54_321.0, 7.0)) && few.contains(&(99_999.0, -3.0)));
    }

    #[test]
    fn odd_histories_make_no_odd_charts() {
        let odd: [&[f64]; 5] =
            [&[], &[1.0], &[2.0, 2.0, 2.0], &[f64::MAX / 2.0, -f64::MAX / 2.0], &[0.0, 0.0]];
        for values in odd {
            let points = points(values);
            assert_eq!(small(&points).is_some(), points.len() > 1);
            assert_eq!(large("m", "step", &points).is_some(), !points.is_empty());
            for svg in small(&points).into_iter().chain(large("<m>", "step", &points)) {
                assert!(!svg.0.contains("NaN") && !svg.0.contains("inf"), "{values:?}: {svg:?}");
                assert!(!svg.0.contains("<m>"), "{svg:?}");
            }
        }
    }
}
