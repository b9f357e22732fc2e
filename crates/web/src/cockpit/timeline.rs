//! What happened to a model, in the order of time: releases, rollbacks, gates, moves of aliases, approvals, and what was
//! found in production's data.

use futures::future::join;
use maud::{Markup, html};
use trainyard_mlflow::SearchAudit;
use trainyard_mlflow::entities::{AuditEvent, ModelVersion, Run};

use super::records::Records;
use super::timeline_sources::{Entry, Tone, of_event, of_looks, of_release, of_version};
use crate::format;
use crate::site::Web;

/// Entries that are shown, the newest.
const SHOWN: usize = 40;
/// Events of each kind that are read back.
const EVENTS_MAX: i64 = 30;

/// The section of a model's page.
pub(super) async fn section(
    web: &Web,
    model: &str,
    versions: &[ModelVersion],
    records: &Records,
) -> Markup {
    let of_model = SearchAudit {
        subject: Some(format!("model:{model}")),
        newest_first: true,
        max_results: Some(EVENTS_MAX),
        ..SearchAudit::default()
    };
    let moves = SearchAudit { part: Some("alias:".to_owned()), ..of_model.clone() };
    let approvals = SearchAudit { action: Some("approval.".to_owned()), ..of_model };
    let (moves, approvals) = join(events(web, moves), events(web, approvals)).await;
    let has_events = moves.is_some();
    let events: Vec<AuditEvent> = moves.into_iter().chain(approvals).flatten().collect();
    let mut entries: Vec<Entry> = records.releases.iter().filter_map(of_release).collect();
    entries.extend(of_looks(&records.looks));
    entries.extend(versions.iter().flat_map(of_version));
    entries.extend(events.iter().filter_map(of_event));
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    let cut = entries.len() > SHOWN;
    entries.truncate(SHOWN);
    html! {
        h2 #timeline { "What happened" }
        @if entries.is_empty() { p.soft { "Nothing is recorded yet." } }
        @else { (table(web, model, &entries)) }
        @if cut { p.soft { "The newest " (SHOWN) "; `trainyard audit` and the runs of releases have all." } }
        @if !has_events { p.soft { "Moves of aliases are in the audit log, which is not for everybody." } }
    }
}

/// Releases and rollbacks alone, for other pages.
pub(crate) fn releases(web: &Web, model: &str, runs: &[Run]) -> Markup {
    let entries: Vec<Entry> = runs.iter().filter_map(of_release).collect();
    html! {
        @if entries.is_empty() { p.soft { "No release is recorded." } }
        @else { (table(web, model, &entries)) }
    }
}

/// None where the log is not for whoever asks, or there is none.
pub(super) async fn events(web: &Web, search: SearchAudit) -> Option<Vec<AuditEvent>> {
    match web.tracking.audit.events(search).await {
        Ok(events) => Some(events),
        Err(error) => {
            tracing::debug!(%error, "a timeline has no changes");
            None
        }
    }
}

fn table(web: &Web, model: &str, entries: &[Entry]) -> Markup {
    html! {
        div.scroll {
            table.told {
                thead { tr { th.tight { "When (UTC)" } th { "What" } th.number { "Version" } th { "Said" } th { "By" } } }
                tbody {
                    @for entry in entries {
                        tr {
                            td.tight { (format::time(entry.at)) }
                            (cells(web, model, entry))
                        }
                    }
                }
            }
        }
    }
}

/// What, version, said and by whom.
pub(super) fn cells(web: &Web, model: &str, entry: &Entry) -> Markup {
    html! {
        td.tight { span class={ "badge " (class(entry.tone)) } { (entry.kind) } }
        td.number {
            @if let Some(version) = &entry.version { a href=(web.links.version(model, version)) { (format::short(version, 20)) } }
        }
        td {
            (format::short(&entry.text, 240))
            @if let Some(run_id) = &entry.run_id { " " a href=(web.links.run(run_id)) { "run" } }
        }
        td { (format::short(&entry.who, 60)) }
    }
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Plain => "plain",
    }
}
