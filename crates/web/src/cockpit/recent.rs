//! What happened lately, over all models, by day: whoever comes in the morning asks what changed yesterday.

use axum::extract::State;
use axum::http::StatusCode;
use futures::future::{join, join_all};
use maud::{Markup, html};
use trainyard_mlflow::entities::{AuditEvent, ModelVersion, RegisteredModel};
use trainyard_mlflow::{SearchAudit, SearchModelVersions, SearchRegisteredModels};

use super::records::{Records, looks_within};
use super::show::production;
use super::standing::PRODUCTION;
use super::timeline::{cells, events};
use super::timeline_sources::{Entry, of_event, of_looks, of_release, of_version};
use crate::error::Result;
use crate::grammar::equals;
use crate::page;
use crate::site::Web;
use crate::{format, live};

/// How far back it goes, in milliseconds: a week.
const LATELY_MS: i64 = 7 * DAY_MS;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Models that are looked at, each of which takes some queries: those that were changed last.
const MODELS_MAX: i64 = 12;
/// Versions and releases of each, the newest.
const OF_A_MODEL_MAX: i64 = 20;
/// Moves of aliases that are read, and lines that are shown.
const EVENTS_MAX: i64 = 200;
const SHOWN: usize = 200;
/// What is written down so near a release of the same version, in milliseconds, is a part of it.
const OF_A_RELEASE_MS: i64 = 90_000;

/// Something that happened to a model.
struct Told {
    model: String,
    entry: Entry,
}

pub(crate) async fn show(State(web): State<Web>) -> Result {
    let now = chrono::Utc::now().timestamp_millis();
    let since = now.saturating_sub(LATELY_MS);
    let search = SearchRegisteredModels {
        max_results: Some(MODELS_MAX),
        order_by: vec!["last_updated_timestamp DESC".to_owned()],
        ..SearchRegisteredModels::default()
    };
    let models = web.tracking.registered_models.search(search).await?;
    let moves = SearchAudit {
        part: Some("alias:".to_owned()),
        since: Some(since),
        newest_first: true,
        max_results: Some(EVENTS_MAX),
        ..SearchAudit::default()
    };
    let own = join_all(models.items.iter().map(|model| of_model(&web, model, since, now)));
    let (own, moves) = join(own, events(&web, moves)).await;
    let has_moves = moves.is_some();
    let unread = own.iter().filter(|told| told.is_none()).count();
    let mut told: Vec<Told> = own.into_iter().flatten().flatten().collect();
    told.extend(moves.into_iter().flatten().filter_map(|event| of_move(&event)));
    told.retain(|one| one.entry.at >= since && one.entry.at <= now);
    let mut told = once(told);
    told.sort_by_key(|one| std::cmp::Reverse(one.entry.at));
    let is_cut = told.len() > SHOWN;
    told.truncate(SHOWN);
    let days = told.chunk_by(|one, other| day(one.entry.at) == day(other.entry.at));
    let content = html! {
        p.soft {
            "Releases, rollbacks, gates, new versions and what was found in data, of the last week"
            @if models.next_page_token.is_some() { ", of the " (MODELS_MAX) " models that were changed last" }
            "."
            @if !has_moves { " Moves of aliases are in the audit log, which is not for everybody." }
        }
        @if unread > 0 { p.notice.bad { "What happened to " (unread) " of the models cannot be read now." } }
        @if told.is_empty() && unread == 0 { (page::empty("Nothing happened.", &html! { p { "No model was released, moved or looked at." } })) }
        @for told in days { (of_day(&web, told, now)) }
        @if is_cut { p.soft { "The newest " (SHOWN) "; each model's page has more." } }
    };
    let body = html! { h1 { "What happened" } (live::part("recent", &content)) };
    Ok(page::respond(StatusCode::OK, &page::layout(&web.links, "What happened", None, &[], &body)))
}

/// What is written down of a model; none where that cannot be read.
async fn of_model(web: &Web, model: &RegisteredModel, since: i64, now: i64) -> Option<Vec<Told>> {
    let search = SearchModelVersions {
        filter: equals("name", &model.name),
        max_results: Some(OF_A_MODEL_MAX),
        order_by: vec!["version_number DESC".to_owned()],
        page_token: None,
    };
    let versions: Vec<ModelVersion> = match web.tracking.model_versions.search(search).await {
        Ok(found) => found.items,
        Err(error) => {
            tracing::debug!(%error, "what happened to a model is not shown");
            return None;
        }
    };
    let looks = async {
        let served = production(web, model, &versions).await;
        let version = served.as_ref().or(versions.first());
        looks_within(web, &model.name, version, since, now.saturating_add(1)).await
    };
    let (releases, looks) =
        join(Records::last_releases(web, &model.name, OF_A_MODEL_MAX), looks).await;
    let own = versions.iter().filter(|version| version.name == model.name);
    let mut entries: Vec<Entry> = releases.iter().filter_map(of_release).collect();
    entries.extend(of_looks(&looks));
    entries.extend(own.flat_map(of_version));
    Some(entries.into_iter().map(|entry| Told { model: model.name.clone(), entry }).collect())
}

fn of_move(event: &AuditEvent) -> Option<Told> {
    let model = event.subject.strip_prefix("model:")?.to_owned();
    Some(Told { model, entry: of_event(event)? })
}

/// Leaves a release as one line: that its version is in production, that another one is not any more, and that the alias
/// moved, is the same.
fn once(told: Vec<Told>) -> Vec<Told> {
    let is_release = |one: &Told| matches!(one.entry.kind, "release" | "rollback");
    let releases: Vec<(String, Option<String>, i64)> = told
        .iter()
        .filter(|one| is_release(one))
        .map(|one| (one.model.clone(), one.entry.version.clone(), one.entry.at))
        .collect();
    let moved = format!("{PRODUCTION} moved");
    let is_part = |one: &Told| {
        let Entry { kind, at, text, version, .. } = &one.entry;
        // What is not of the released version is of the one that went.
        let (is_of_one, is_of_both) = match *kind {
            "in production" => (true, false),
            "alias" => (text.starts_with(&moved), false),
            "replaced" | "found bad" => (false, true),
            _ => (false, false),
        };
        releases.iter().any(|(model, released, ended)| {
            *model == one.model
                && at.abs_diff(*ended) <= OF_A_RELEASE_MS.unsigned_abs()
                && (is_of_both || is_of_one && released == version)
        })
    };
    told.into_iter().filter(|one| !is_part(one)).collect()
}

fn day(at: i64) -> i64 {
    at.div_euclid(DAY_MS)
}

fn of_day(web: &Web, told: &[Told], now: i64) -> Markup {
    let at = told.first().map_or(now, |one| one.entry.at);
    let date = format::time_text(at);
    let date = date.get(..10).unwrap_or_default();
    let name = match day(now) - day(at) {
        0 => "Today",
        1 => "Yesterday",
        _ => "",
    };
    html! {
        h2 { (name) " " small { (date) " (UTC)" } }
        div.scroll {
            table.told {
                thead { tr { th.tight { "When" } th { "Model" } th { "What" } th.number { "Version" } th { "Said" } th { "By" } } }
                tbody {
                    @for Told { model, entry } in told {
                        tr {
                            td.tight { (format::time_text(entry.at).get(11..16).unwrap_or_default()) }
                            td { a href=(web.links.model(model)) title=(model) { (format::short(model, 60)) } }
                            (cells(web, model, entry))
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::timeline_sources::Tone;
    use super::*;

    #[test]
    fn a_release_is_told_once() {
        let of = |kind: &'static str, at: i64, version: &str, text: &str| Told {
            model: "Iris".to_owned(),
            entry: Entry {
                at,
                kind,
                tone: Tone::Plain,
                version: Some(version.to_owned()),
                text: text.to_owned(),
                who: String::new(),
                run_id: None,
            },
        };
        let at = 1_000_000;
        let told = once(vec![
            of("release", at, "2", "from version 1"),
            of("in production", at - 100, "2", ""),
            of("replaced", at - 90, "1", ""),
            of("alias", at + 50, "2", "Production moved here from version 1"),
            of("alias", at + 60, "2", "Production-eu moved here"),
            of("alias", at + 10 * OF_A_RELEASE_MS, "2", "Production moved here from version 3"),
            of("registered", at, "2", ""),
            of("replaced", at - 10 * OF_A_RELEASE_MS, "0", ""),
        ]);
        let left: Vec<(&str, i64)> =
            told.iter().map(|one| (one.entry.kind, one.entry.at)).collect();
        assert_eq!(
            left,
            [
                ("release", at),
                ("alias", at + 60),
                ("alias", at + 10 * OF_A_RELEASE_MS),
                ("registered", at),
                ("replaced", at - 10 * OF_A_RELEASE_MS),
            ]
        );
    }
}
