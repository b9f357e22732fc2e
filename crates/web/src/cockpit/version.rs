//! The page of one version: what it is, what the gate said, what it would change for clients, and what is next.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use maud::{Markup, html};
use trainyard_mlflow::entities::{Metric, ModelVersion, RegisteredModel, Tag};
use trainyard_mlflow::uri::{ModelUri, without_credentials};
use trainyard_mlflow::{Result as StoreResult, VersionId};
use trainyard_signature::contract;
use trainyard_signature::model::MlModel;

use super::actions::{self, Beside};
use super::release::{Candidate, Releases};
use super::snippets::Use;
use super::standing::PRODUCTION;
use super::versions::{aliases, has_stage, metrics_of, verdict};
use crate::error::Result;
use crate::form::Forms;
use crate::page::{self, Section};
use crate::pagination::Asked;
use crate::services::{Service, read_of};
use crate::site::Web;
use crate::ticket::Ticket;
use crate::{format, lineage, live, markdown, signature};

/// What the tags of the gate and of its rules begin with.
const GATE: &str = "trainyard.gate";
/// What the keys of tags begin with that people do not write.
const OWN: &str = "trainyard.";
/// Metrics that are shown.
const METRICS_SHOWN: usize = 40;

pub(crate) async fn show(
    State(web): State<Web>,
    Path((name, version)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    Extension(ticket): Extension<Ticket>,
) -> Result {
    let address = web.links.version(&name, &version);
    let id = VersionId { name: &name, version: &version };
    let found = web.tracking.model_versions.get(id).await?;
    let model = web.tracking.registered_models.get(&name).await?;
    let root = web.tracking.model_versions.download_uri(id).await?;
    let file = signature::read(&web.tracking, &root).await;
    let now = chrono::Utc::now().timestamp_millis();
    let services = read_of(&web, &model).await.services;
    let beside = beside(&web, &model, &found, &file, &services, now).await;
    let requests = actions::open_requests(&web, &name).await;
    let data = lineage::learned_from(&web, found.run_id.as_deref()).await;
    let mut tags: Vec<Tag> = found.tags.clone();
    tags.sort_by(|left, right| left.key.cmp(&right.key));
    let (own, given): (Vec<Tag>, Vec<Tag>) =
        tags.iter().cloned().partition(|tag| tag.key.starts_with(OWN));
    let mut metrics = metrics_of(&web, &found).await;
    metrics.sort_by(|left, right| left.key.cmp(&right.key));
    let forms = Forms { ticket: &ticket, address: &address };
    let compared = beside.as_ref().map(|beside| beside.production.clone());
    let candidate = Candidate::new(found.clone(), beside);
    let releases = Releases {
        web: &web,
        forms,
        model: &name,
        services: &services,
        candidate: Some(&candidate),
        requests: &requests,
        now,
    };
    let uri = ModelUri::Version { name: name.clone(), version: found.version.clone() }.to_string();
    let example = match &file {
        Ok(model) => signature::example(&web.tracking, &root, model).await,
        Err(_unread) => None,
    };
    let used = Use { uri: &uri, file: Some(&file), example, services: &[], now };
    let body = html! {
        h1 {
            (name) " " small { "version " (found.version) } " "
            @for alias in aliases(&model, &found.version) { span.badge.good { (alias) } }
            @if has_stage(&found) { span.badge.plain { "stage " (found.current_stage) } }
            (verdict(&found))
        }
        @if let Some(text) = found.description.as_deref().filter(|text| !text.is_empty()) { (markdown::description(text)) }
        @if let Some(production) = &compared {
            p { a href=(web.links.versions_diff(&name, production, &found.version)) { "Compare with version " (production) ", which is in production" } }
        }
        (gate(&tags))
        (live::part("release", &releases.section()))
        (actions::of_version(forms, &model, &found))
        div.columns {
            section {
                h2 { "About" }
                (about(&web, &found, &root, &data))
                h2 { "Tags " small { (tags.len()) } }
                @if tags.is_empty() { p.soft { "None. The pipeline tags a version with its run, data digest, commit and gate results." } }
                @if !given.is_empty() { (page::long_key_values(Asked::new(&address, query.as_deref()), "tags", &given)) }
                @if !own.is_empty() {
                    details.more {
                        summary { "What the pipeline wrote down " small { (own.len()) } }
                        (page::long_key_values(Asked::new(&address, query.as_deref()), "own", &own))
                    }
                }
            }
            section {
                @if !metrics.is_empty() {
                    h2 { "Metrics " small { (metrics.len()) } }
                    (measured(&metrics))
                }
                h2 { "Signature" }
                (signature::show(&file))
            }
        }
        (used.section())
    };
    let trail = [(web.links.models(), "Models".to_owned()), (web.links.model(&name), name.clone())];
    let title = format!("{name} version {}", found.version);
    let page = page::layout(&web.links, &title, Some(Section::Models), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

/// What the version would change for clients of what serves, where a host says that, else of production; none where it is
/// that itself, or either cannot be read.
async fn beside(
    web: &Web,
    model: &RegisteredModel,
    version: &ModelVersion,
    file: &StoreResult<MlModel>,
    services: &[Service],
    now: i64,
) -> Option<Beside> {
    let listening = services.iter().find(|service| service.takes_releases(now));
    let serves = listening.and_then(|service| service.record.serves.clone());
    let alias = model.aliases.iter().find(|alias| alias.alias == PRODUCTION);
    let production = serves.or_else(|| alias.map(|alias| alias.version.clone()))?;
    let after = file.as_ref().ok()?;
    if production == version.version {
        return None;
    }
    let id = VersionId { name: &model.name, version: &production };
    let before = signature::of_version(&web.tracking, id).await.ok()?;
    let contract = contract::compare(before.signature.as_ref(), after.signature.as_ref());
    Some(Beside { production, contract })
}

/// The first of its metrics.
fn measured(metrics: &[Metric]) -> Markup {
    html! {
        div.scroll { table.pairs { tbody {
            @for metric in metrics.iter().take(METRICS_SHOWN) {
                tr { th scope="row" { (format::short(&metric.key, 100)) } td.number { (format::number(metric.value)) } }
            }
        } } }
        @if metrics.len() > METRICS_SHOWN { p.soft { "The first " (METRICS_SHOWN) ", by name; its run has all." } }
    }
}

/// How a rule begins that does not hold, and how one of the others does.
const REFUSING: &str = "✕ ";
const MARKS: [&str; 3] = [REFUSING, "✓ ", "? "];

/// The rules about one metric, which share its tag.
fn rules_of(value: &str) -> Vec<&str> {
    let mut rules = Vec::new();
    let mut rest = value;
    let is_end = |text: &str, at: usize| {
        text.get(at + 2..).is_some_and(|next| MARKS.iter().any(|mark| next.starts_with(mark)))
    };
    while let Some((at, _)) = rest.match_indices("; ").find(|(at, _)| is_end(rest, *at)) {
        let (rule, next) = rest.split_at(at);
        rules.push(rule);
        rest = next.get(2..).unwrap_or_default();
    }
    rules.push(rest);
    rules
}

/// What each rule of the gate said, those that do not hold first.
fn gate(tags: &[Tag]) -> Markup {
    let is_rule = |tag: &&Tag| tag.key.strip_prefix(GATE).is_some_and(|rest| rest.starts_with('.'));
    let mut rules: Vec<&str> =
        tags.iter().filter(is_rule).flat_map(|tag| rules_of(&tag.value)).collect();
    rules.sort_by_key(|rule| !rule.starts_with(REFUSING));
    html! {
        @if !rules.is_empty() {
            h2 { "Gate" }
            @match Tag::find(tags, GATE) {
                Some("failed") => p { "The gate refused this version. What it said of each rule:" },
                Some("passed") => p { "The gate let this version pass. What it said of each rule:" },
                _ => {},
            }
            ul { @for rule in rules { li { (format::short(rule, 600)) } } }
        }
    }
}

fn about(web: &Web, version: &ModelVersion, root: &str, data: &Markup) -> Markup {
    let model_id = match version.source.parse() {
        Ok(ModelUri::LoggedModel { model_id }) => Some(model_id),
        _ => version.model_id.clone().filter(|id| !id.is_empty()),
    };
    html! {
        div.scroll {
            table.pairs {
                tbody {
                    tr { th scope="row" { "Registered (UTC)" } td { (format::time(version.creation_timestamp)) } }
                    @if let Some(run_id) = version.run_id.as_deref().filter(|id| !id.is_empty()) {
                        tr { th scope="row" { "Run" } td { a href=(web.links.run(run_id)) { (run_id) } } }
                    }
                    @if let Some(model_id) = model_id {
                        tr { th scope="row" { "Logged model" } td { a href=(web.links.logged_model(&model_id)) { (model_id) } } }
                    }
                    (data)
                    tr { th scope="row" { "Source" } td { (without_credentials(&version.source)) } }
                    tr { th scope="row" { "Files" } td { (without_credentials(root)) } }
                    @if let Some(message) = version.status_message.as_deref().filter(|text| !text.is_empty()) {
                        tr { th scope="row" { "State" } td { (message) } }
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
    fn rules_that_do_not_hold_come_first() {
        let tag = |key: &str, value: &str| Tag::new(format!("{GATE}{key}"), value);
        let tags = [
            tag("", "failed"),
            tag(".auc", "✓ auc is 0.9000, must be at least 0.8: rows; and more"),
            tag(".f1", "✕ f1 is 0.1, must be at least 0.5; ✓ f1 is 0.1, must be not worse"),
            tag(".old", "old is 1, must be at least 0"),
        ];
        let page = gate(&tags).into_string();
        let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
        assert!(place("<li>✕ f1 is 0.1, must be at least 0.5</li>") < place("<li>✓ auc"), "{page}");
        assert!(page.contains("rows; and more</li>") && page.contains("<li>✓ f1 is"), "{page}");
        assert!(page.contains("<li>old is 1"), "of an earlier version: {page}");
    }
}
