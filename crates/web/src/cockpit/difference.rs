//! Two versions side by side: what differs in their signatures, params, metrics, data, code and tags.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use futures::future::{join, try_join};
use maud::{Markup, html};
use serde::Deserialize;
use trainyard_mlflow::VersionId;
use trainyard_mlflow::entities::{ModelVersion, Run, Tag};
use trainyard_signature::contract;

use super::actions::{self, Beside};
use super::versions::metrics_of;
use crate::error::Result;
use crate::page::{self, Section};
use crate::site::Web;
use crate::{format, signature};

/// Lines of one kind that are shown.
const LINES_MAX: usize = 500;

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// The old version.
    #[serde(default)]
    a: String,
    /// The new one.
    #[serde(default)]
    b: String,
    /// Whether what is the same is shown, too.
    #[serde(default)]
    all: String,
}

/// What is compared of a version.
struct Side {
    version: ModelVersion,
    params: Vec<Tag>,
    metrics: Vec<Tag>,
}

pub(crate) async fn show(
    State(web): State<Web>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result {
    let is_missing = asked.a.is_empty() || asked.b.is_empty();
    let body = if is_missing {
        page::empty(
            "Choose two versions.",
            &html! { p { "Choose them in the table of " a href=(web.links.model(&name)) { "the model's page" } "." } },
        )
    } else {
        let old = VersionId { name: &name, version: &asked.a };
        let new = VersionId { name: &name, version: &asked.b };
        let (before, after) = try_join(side(&web, old), side(&web, new)).await?;
        let files = join(
            signature::of_version(&web.tracking, old),
            signature::of_version(&web.tracking, new),
        );
        let beside = match files.await {
            (Ok(before), Ok(after)) => Some(Beside {
                production: asked.a.clone(),
                contract: contract::compare(before.signature.as_ref(), after.signature.as_ref()),
            }),
            _ => None,
        };
        let all = !asked.all.is_empty();
        html! {
            h2 { "Signature" }
            @match &beside {
                Some(beside) => (actions::contract(beside)),
                None => p.soft { "The signature of one of them cannot be read." },
            }
            (table(&web, &before, &after, all))
            div.actions {
                @if all { a href=(web.links.versions_diff(&name, &asked.a, &asked.b)) { "Only what differs" } }
                @else { a href={ (web.links.versions_diff(&name, &asked.a, &asked.b)) "&all=1" } { "What is the same, too" } }
            }
        }
    };
    let title = if is_missing {
        format!("{name}: two versions")
    } else {
        format!("{name}: version {} and version {}", asked.a, asked.b)
    };
    let body = html! { h1 { (title) } (body) };
    let trail = [(web.links.models(), "Models".to_owned()), (web.links.model(&name), name.clone())];
    let page = page::layout(&web.links, &title, Some(Section::Models), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

async fn side(web: &Web, id: VersionId<'_>) -> Result<Side> {
    let version = web.tracking.model_versions.get(id).await?;
    let run = run_of(web, &version).await;
    let metrics = match &run {
        Some(run) => run.data.metrics.clone(),
        None => metrics_of(web, &version).await,
    };
    let metrics = metrics.iter().map(|metric| Tag::new(&metric.key, format::number(metric.value)));
    let metrics = metrics.collect();
    Ok(Side { version, params: run.map(|run| run.data.params).unwrap_or_default(), metrics })
}

/// The run that made a version; none where it cannot be read.
async fn run_of(web: &Web, version: &ModelVersion) -> Option<Run> {
    let run_id = version.run_id.as_deref().filter(|id| !id.is_empty())?;
    match web.tracking.runs.get(run_id).await {
        Ok(run) => Some(run),
        Err(error) => {
            tracing::debug!(%error, "the run of a version is not compared");
            None
        }
    }
}

fn table(web: &Web, before: &Side, after: &Side, all: bool) -> Markup {
    let parts = [
        ("Tags: gate, data, code", &before.version.tags, &after.version.tags),
        ("Params", &before.params, &after.params),
        ("Metrics", &before.metrics, &after.metrics),
    ];
    let head = |side: &Side| {
        let version = &side.version;
        html! { th { a href=(web.links.version(&version.name, &version.version)) { "version " (version.version) } } }
    };
    html! {
        div.scroll {
            table.compare {
                thead { tr { td {} (head(before)) (head(after)) } }
                tbody { @for (title, old, new) in parts { (lines(title, old, new, all)) } }
            }
        }
    }
}

fn by_key(pairs: &[Tag]) -> BTreeMap<&str, &str> {
    pairs.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect()
}

fn lines(title: &str, old: &[Tag], new: &[Tag], all: bool) -> Markup {
    let keys: BTreeSet<&str> = old.iter().chain(new).map(|pair| pair.key.as_str()).collect();
    // Looked up, as a run may have a hundred thousand of them.
    let [old, new] = [old, new].map(by_key);
    let both = keys.into_iter().map(|key| (key, old.get(key).copied(), new.get(key).copied()));
    let shown: Vec<_> = both.filter(|(_, old, new)| all || old != new).collect();
    html! {
        tr.section { th colspan="3" scope="colgroup" { (title) } }
        @if shown.is_empty() { tr { td.soft colspan="3" { @if all { "None." } @else { "No differences." } } } }
        @for (key, old, new) in shown.iter().take(LINES_MAX) {
            @let class = if old == new { "" } else { "differs" };
            tr {
                th scope="row" { (format::breakable(&format::short(key, 80))) }
                @for value in [old, new] { td class=(class) { @if let Some(value) = value { (page::value(value)) } } }
            }
        }
        @if shown.len() > LINES_MAX { tr { td.soft colspan="3" { "The first " (LINES_MAX) " of " (shown.len()) } } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_that_differ() {
        let old = [Tag::new("depth", "3"), Tag::new("seed", "7"), Tag::new("gone", "x")];
        let new = [Tag::new("depth", "4"), Tag::new("seed", "7"), Tag::new("<b>", "<i>")];
        let text = lines("Params", &old, &new, false).into_string();
        assert!(
            text.contains("depth") && text.contains("gone") && !text.contains("seed"),
            "{text}"
        );
        assert!(text.contains("&lt;b&gt;") && !text.contains("<i>"), "{text}");
        assert!(lines("Params", &old, &new, true).into_string().contains("seed"));
        assert!(lines("Params", &old, &old, false).into_string().contains("No differences."));
    }
}
