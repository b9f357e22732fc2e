//! The table of a model's versions: what the gate said of each, and the metrics that were chosen.

use std::collections::BTreeMap;

use futures::future::join_all;
use maud::{Markup, html};
use trainyard_base::words::tags;
use trainyard_mlflow::entities::{Metric, ModelVersion, RegisteredModel, Tag};

use crate::format;
use crate::links::query;
use crate::site::Web;

/// Versions of a page. Each has a run whose metrics are read.
pub(super) const PAGE_SIZE: i64 = 25;
/// Columns of metrics.
const METRICS_MAX: usize = 8;
/// Columns where nobody chose any.
const METRICS_BY_DEFAULT: usize = 4;
/// Names that a browser proposes.
const NAMES_MAX: usize = 500;
/// What the tag of a gate's rule begins with; the metric's name follows.
const RULE: &str = "trainyard.gate.";
/// The gate's rule about clients, which is no metric.
const CONTRACT: &str = "contract";

/// The latest metrics of each version, by its number.
pub(super) type Metrics = BTreeMap<String, Vec<Metric>>;

/// Those of the versions' models, else of their runs; none of those that cannot be read.
pub(super) async fn metrics(web: &Web, versions: &[ModelVersion]) -> Metrics {
    let read = versions
        .iter()
        .map(|version| async move { (version.version.clone(), metrics_of(web, version).await) });
    join_all(read).await.into_iter().collect()
}

/// The same of one.
pub(super) async fn metrics_of(web: &Web, version: &ModelVersion) -> Vec<Metric> {
    if !version.model_metrics.is_empty() {
        return version.model_metrics.clone();
    }
    let Some(run_id) = version.run_id.as_deref().filter(|id| !id.is_empty()) else {
        return Vec::new();
    };
    match web.tracking.runs.get(run_id).await {
        Ok(run) => run.data.metrics,
        Err(error) => {
            tracing::debug!(%error, "the metrics of a version are not shown");
            Vec::new()
        }
    }
}

/// The columns: those that were asked for, else what the gate asks about, and then what there is.
fn columns(asked: &str, versions: &[ModelVersion], metrics: &Metrics) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    let mut add = |name: &str, most: usize| {
        if !name.is_empty() && columns.len() < most && !columns.iter().any(|known| known == name) {
            columns.push(name.to_owned());
        }
    };
    for name in asked.split(',') {
        add(name.trim(), METRICS_MAX);
    }
    if asked.trim().is_empty() {
        let tags = versions.iter().flat_map(|version| &version.tags);
        let rules = tags.filter_map(|tag| tag.key.strip_prefix(RULE));
        let logged = names(metrics).into_iter().filter(|name| !name.starts_with("system/"));
        for name in rules.filter(|name| *name != CONTRACT).chain(logged) {
            add(name, METRICS_BY_DEFAULT);
        }
    }
    columns
}

/// All names of metrics, in order.
fn names(metrics: &Metrics) -> Vec<&str> {
    let mut names: Vec<&str> =
        metrics.values().flatten().map(|metric| metric.key.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(NAMES_MAX);
    names
}

/// What to ask for.
pub(super) struct Shown<'a> {
    pub(super) model: &'a RegisteredModel,
    pub(super) versions: &'a [ModelVersion],
    pub(super) metrics: &'a Metrics,
    /// Names with commas between them, as the address has them.
    pub(super) asked: &'a str,
    pub(super) next: Option<&'a str>,
}

impl Shown<'_> {
    pub(super) fn table(&self, web: &Web) -> Markup {
        let columns = columns(self.asked, self.versions, self.metrics);
        let chosen = columns.join(",");
        let own = web.links.model(&self.model.name);
        html! {
            form.filter method="get" action=(own) {
                input type="search" name="metrics" value=(chosen) list="metrics" aria-label="Metrics, with commas between them" placeholder="metrics: accuracy,f1";
                datalist id="metrics" { @for name in names(self.metrics) { option value=(name) {} } }
                button.quiet { "Show these metrics" }
            }
            form method="get" action=(web.links.model_diff(&self.model.name)) {
                div.scroll {
                    table {
                        thead {
                            tr {
                                th.tight { "New, old" } th.number { "Version" } th { "Aliases" } th { "Gate" }
                                @for name in &columns { th.number { (format::short(name, 24)) } }
                                th.tight { "Registered (UTC)" } th { "Run" } th { "Description" }
                            }
                        }
                        tbody { @for (number, version) in self.versions.iter().enumerate() { (self.line(web, &columns, number, version)) } }
                    }
                }
                div.actions {
                    @if self.versions.len() > 1 { button.quiet { "Compare the two" } }
                    @if let Some(token) = self.next {
                        a href={ (own) (query(&[("metrics", self.asked), ("page", token)])) } rel="next" { "Next page" }
                    }
                }
            }
        }
    }

    fn line(&self, web: &Web, columns: &[String], number: usize, version: &ModelVersion) -> Markup {
        let metrics = self.metrics.get(&version.version).map(Vec::as_slice).unwrap_or_default();
        let value = |name: &str| metrics.iter().find(|metric| metric.key == name);
        let name = &version.version;
        html! {
            tr {
                // The newest two, before anybody chose.
                td.tight {
                    input type="radio" name="b" value=(name) checked[number == 0] aria-label={ "Version " (name) " as the new one" };
                    input type="radio" name="a" value=(name) checked[number == 1] aria-label={ "Version " (name) " as the old one" };
                }
                td.number { a href=(web.links.version(&version.name, name)) { (name) } }
                td {
                    @for alias in aliases(self.model, name) { span.badge.good { (alias) } }
                    @if has_stage(version) { span.badge.plain { "stage " (version.current_stage) } }
                }
                td { (verdict(version)) }
                @for column in columns {
                    td.number { @if let Some(metric) = value(column) { span title=(metric.value.to_string()) { (format::number(metric.value)) } } }
                }
                td.tight { (format::time(version.creation_timestamp)) }
                td { (run_link(web, version)) }
                td.soft { (format::short(version.description.as_deref().unwrap_or(""), 100)) }
            }
        }
    }
}

/// What the gate said, and what became of the version.
pub(super) fn verdict(version: &ModelVersion) -> Markup {
    let tag = |key: &str| Tag::find(&version.tags, key);
    let gate = match tag(tags::GATE) {
        Some("passed") => Some(("good", "passed")),
        Some("failed") => Some(("bad", "failed")),
        _ => None,
    };
    let state = match tag(tags::STATE) {
        Some("refused") => Some(("bad", "refused")),
        Some("released") => Some(("good", "released")),
        Some("replaced") => Some(("plain", "replaced")),
        Some("rolled_back") => Some(("bad", "rolled back")),
        _ => None,
    };
    let reason = tag("trainyard.state.reason").map(|reason| format::short(reason, 300));
    html! {
        @if let Some((class, word)) = gate { span class={ "badge " (class) } { (word) } }
        @if let Some((class, word)) = state { span class={ "badge " (class) } title=[reason] { (word) } }
        @if tag("trainyard.contract") == Some("broken") { span.badge.bad title=[tag("trainyard.contract.breaks").map(|text| format::short(text, 300))] { "breaks clients" } }
    }
}

pub(super) fn aliases<'a>(model: &'a RegisteredModel, version: &str) -> Vec<&'a str> {
    let own = model.aliases.iter().filter(|alias| alias.version == version);
    own.map(|alias| alias.alias.as_str()).collect()
}

pub(super) fn has_stage(version: &ModelVersion) -> bool {
    !version.current_stage.is_empty() && version.current_stage != "None"
}

fn run_link(web: &Web, version: &ModelVersion) -> Markup {
    html! {
        @if let Some(run_id) = version.run_id.as_deref().filter(|id| !id.is_empty()) {
            a href=(web.links.run(run_id)) { code { (run_id.get(..8).unwrap_or(run_id)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_what_was_asked_for_or_what_the_gate_asks_about() {
        let rule = |name: &str| Tag::new(format!("{RULE}{name}"), "x");
        let tags = vec![rule("f1"), rule(CONTRACT), Tag::new(tags::GATE, "passed")];
        let versions = [ModelVersion { tags, ..ModelVersion::default() }];
        let all = ["system/gpu", "accuracy", "f1", "m1", "m2", "m3"];
        let logged = all.iter().map(|name| Metric::new(*name, 1.0, 1, 1)).collect();
        let metrics = Metrics::from([("1".to_owned(), logged)]);
        assert_eq!(columns("", &versions, &metrics), ["f1", "accuracy", "m1", "m2"]);
        assert_eq!(columns(" m3 ,m3,,none", &versions, &metrics), ["m3", "none"]);
        let many: Vec<String> = (0..20).map(|n| format!("m{n}")).collect();
        assert_eq!(columns(&many.join(","), &versions, &metrics).len(), METRICS_MAX);
    }
}
