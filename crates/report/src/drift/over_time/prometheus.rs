//! The last closed window, and the alerts that go on, for Prometheus' textfile collector.

use trainyard_base::prometheus::{Kind, Page, number};
use trainyard_drift::{Episode, Series, WindowLength, WindowResult};

/// Characters of a label that are kept.
const LABEL_CHARS_MAX: usize = 200;

/// Every measure of the last window that rows cannot come to any more, when it ended, and 1 for each alert that goes
/// on. The names begin with `trainyard_window_` and carry the model as a label.
pub fn windows_prometheus(
    results: &[WindowResult],
    length: WindowLength,
    alerts: &[Episode],
    model: &str,
) -> String {
    let mut page = Page::new("trainyard_window_");
    let model = label(model);
    let last = results.iter().rev().find(|result| !result.is_open);
    page.head("measure", Kind::Gauge, "What was measured in the last window");
    for measure in last.into_iter().flat_map(|result| &result.measures) {
        let labels = labels(&model, &Series::from(measure));
        page.sample("measure", &pairs(&labels), number(measure.value));
    }
    if let Some(last) = last
        && length.milliseconds().is_some()
    {
        page.head("end_seconds", Kind::Gauge, "When the last window ended, seconds since 1970");
        page.sample("end_seconds", &[("model", &model)], last.window.ends / 1000);
    }
    page.head("alert", Kind::Gauge, "1 for an alert that goes on");
    for one in alerts.iter().filter(|one| one.ended.is_none()) {
        let mut labels = labels(&model, &one.series);
        labels.push(("rule", label(&one.rule)));
        page.sample("alert", &pairs(&labels), 1);
    }
    page.head("alerts", Kind::Gauge, "Alerts that go on");
    let ongoing = alerts.iter().filter(|one| one.ended.is_none()).count();
    page.sample("alerts", &[("model", &model)], ongoing);
    page.into_text()
}

/// The labels of a series.
fn labels(model: &str, series: &Series) -> Vec<(&'static str, String)> {
    let Series { about, metric, segment, version, column } = series;
    let mut labels = vec![
        ("model", model.to_owned()),
        ("about", about.name().to_owned()),
        ("metric", label(metric)),
    ];
    for (name, value) in [("column", column), ("segment", segment), ("version", version)] {
        labels.extend(value.as_ref().map(|value| (name, label(value))));
    }
    labels
}

fn pairs<'a>(labels: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    labels.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// A text as the value of a label.
fn label(text: &str) -> String {
    text.chars().take(LABEL_CHARS_MAX).collect()
}
