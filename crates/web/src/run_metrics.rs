//! Metrics of a run: by what stands before the first slash of their names, those of the machine last.

use futures::future::join_all;
use maud::{Markup, html};
use trainyard_mlflow::entities::{Metric, Run};
use trainyard_mlflow::{CurvePoint, DrawCurve};

use crate::pagination::Rows;
use crate::site::Web;
use crate::{format, history};

/// Histories that are drawn; the others are a click away.
const SPARKLINES_MAX: usize = 40;
/// Values of a history that is drawn whole, as small as a word, and steps of a longer one.
const SPARKLINE: DrawCurve =
    DrawCurve { steps: None, whole_max: 1000, steps_max: 240, is_log: false };
/// What metrics of the machine begin with, as MLflow names them.
const SYSTEM: &str = "system";

/// The metrics whose names have this text in any case, in the order in which they are shown.
pub(crate) fn found<'a>(metrics: &'a [Metric], text: &str) -> Vec<&'a Metric> {
    let text = text.to_lowercase();
    let is_found = |metric: &&Metric| metric.key.to_lowercase().contains(&text);
    let mut found: Vec<&Metric> = metrics.iter().filter(is_found).collect();
    found.sort_by_cached_key(|metric| {
        let group = group(metric);
        (group == SYSTEM, group.to_owned(), metric.key.clone())
    });
    found
}

/// What stands before the first slash.
fn group(metric: &Metric) -> &str {
    metric.key.split_once('/').map_or("", |(group, _rest)| group)
}

/// The first histories of those that are shown; one that cannot be read is not drawn.
pub(crate) async fn histories(
    web: &Web,
    run: &Run,
    shown: &[&Metric],
) -> Vec<(String, Vec<CurvePoint>)> {
    let asked = shown.iter().take(SPARKLINES_MAX).map(|metric| async move {
        let key = metric.key.as_str();
        match web.tracking.runs.curve(&run.info.run_id, key, SPARKLINE).await {
            Ok(curve) => (key.to_owned(), curve.points),
            Err(error) => {
                tracing::warn!(%error, key, "the history of a metric cannot be drawn");
                (key.to_owned(), Vec::new())
            }
        }
    });
    join_all(asked).await
}

/// The tables, a group each; all of them open where something was looked for.
pub(crate) fn show(
    web: &Web,
    run: &Run,
    rows: &Rows<'_, &Metric>,
    histories: &[(String, Vec<CurvePoint>)],
    is_search: bool,
) -> Markup {
    let groups: Vec<&[&Metric]> =
        rows.items.chunk_by(|one, other| group(one) == group(other)).collect();
    html! {
        @for metrics in &groups {
            @let name = metrics.first().map_or("", |metric| group(metric));
            @if groups.len() == 1 || name.is_empty() { (table(web, run, metrics, histories)) } @else {
                details.more open[is_search || name != SYSTEM] {
                    summary { (name) "/ " small { (metrics.len()) } }
                    (table(web, run, metrics, histories))
                }
            }
        }
        (rows.others())
    }
}

fn table(
    web: &Web,
    run: &Run,
    metrics: &[&Metric],
    histories: &[(String, Vec<CurvePoint>)],
) -> Markup {
    let history =
        |key: &str| histories.iter().find(|(name, _)| name == key).map(|(_, history)| history);
    html! {
        div.scroll {
            table {
                thead { tr { th { "Metric" } th.number { "Latest" } th { "History" } } }
                tbody {
                    @for metric in metrics {
                        tr {
                            td.named { a href=(web.links.metric(&run.info.run_id, &metric.key)) { (metric.key) } }
                            td.number title=(metric.value.to_string()) { (format::number(metric.value)) }
                            td { @if let Some(history) = history(&metric.key) { (history::small(history)) } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_and_the_machines_come_last() {
        let keys = ["system/gpu_0", "val/loss", "zoo", "train/Loss", "accuracy"];
        let metrics = keys.map(|key| Metric::new(key, 1.0, 0, 0));
        let order = |text: &str| -> Vec<String> {
            found(&metrics, text).into_iter().map(|metric| metric.key.clone()).collect()
        };
        assert_eq!(order(""), ["accuracy", "zoo", "train/Loss", "val/loss", "system/gpu_0"]);
        assert_eq!(order("LOSS"), ["train/Loss", "val/loss"]);
        assert!(order("nothing").is_empty());
    }
}
