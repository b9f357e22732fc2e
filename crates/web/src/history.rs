//! A metric's history as a chart.

use maud::{Markup, PreEscaped, html};
use trainyard_chart::history;
use trainyard_mlflow::CurvePoint;

/// A line as large as a word; nothing for fewer than two points.
pub(crate) fn small(history: &[CurvePoint]) -> Markup {
    let (points, _unit) = points(history);
    html! { @if let Some(drawing) = history::small(&points) { (PreEscaped(drawing.0)) } }
}

/// A chart with axes.
pub(crate) fn large(title: &str, history: &[CurvePoint]) -> Markup {
    let (points, unit) = points(history);
    html! {
        @match history::large(title, unit, &points) {
            Some(drawing) => (PreEscaped(drawing.0)),
            None => p { "No finite values to draw." },
        }
    }
}

/// The points of a history over its steps, or over its times if all steps are equal, and the unit of x.
/// What is not finite is left out.
fn points(history: &[CurvePoint]) -> (Vec<(f64, f64)>, &'static str) {
    let by_time =
        history.iter().all(|point| Some(point.step) == history.first().map(|first| first.step));
    let start = history.iter().map(|point| point.timestamp).min().unwrap_or_default();
    let x = |point: &CurvePoint| {
        if by_time { (point.timestamp - start) as f64 / 1000.0 } else { point.step as f64 }
    };
    let mut points: Vec<(f64, f64)> = history
        .iter()
        // MLflow stores infinities as the largest number.
        .filter(|point| point.value.is_finite() && point.value.abs() < f64::MAX)
        .map(|point| (x(point), point.value))
        .collect();
    points.sort_by(|left, right| left.0.total_cmp(&right.0));
    (points, if by_time { "seconds" } else { "step" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(values: &[f64], step: i64) -> Vec<CurvePoint> {
        let metrics = values.iter().zip(0..);
        metrics
            .map(|(value, n)| CurvePoint { step: step * n, timestamp: 1_500 * n, value: *value })
            .collect()
    }

    #[test]
    fn histories_without_steps_are_drawn_over_time() {
        let values = [1.0, f64::NAN, f64::INFINITY, f64::MAX, 2.0];
        assert_eq!(points(&history(&values, 2)), (vec![(0.0, 1.0), (8.0, 2.0)], "step"));
        assert_eq!(points(&history(&values, 0)), (vec![(0.0, 1.0), (6.0, 2.0)], "seconds"));
        assert_eq!(small(&history(&[f64::NAN, 1.0], 1)).into_string(), "");
        assert!(large("m", &history(&[f64::NAN], 1)).into_string().contains("No finite values"));
    }
}
