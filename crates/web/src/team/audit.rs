//! The log of changes, searched: who changed what, from where, by which token, and what was there before.

use axum::extract::{RawQuery, State};
use chrono::{NaiveDate, NaiveTime};
use maud::{Markup, html};
use trainyard_mlflow::SearchAudit;
use trainyard_mlflow::entities::AuditEvent;

use super::place::{self, Place};
use crate::error::Result;
use crate::query::Query;
use crate::site::Web;
use crate::{alias_moves, format, page};

/// Events of a page.
const PAGE_SIZE: usize = 100;
/// Characters of a value that are shown.
const VALUE_SHOWN: usize = 160;
/// Fields of the search, but for the page.
const FIELDS: [&str; 6] = ["subject", "part", "action", "who", "since", "until"];

pub(crate) async fn show(State(web): State<Web>, RawQuery(query): RawQuery) -> Result {
    let me = place::myself(&web).await?;
    let asked = Query::read(query.as_deref().unwrap_or_default());
    // One more than is shown tells whether there are others.
    let search = search(&asked, PAGE_SIZE + 1);
    let found = match search {
        Ok(search) => Ok(web.tracking.audit.events(search).await?),
        Err(told) => Err(told),
    };
    let body = html! {
        h1 { "Audit log" }
        (form(&web, &asked))
        @match &found {
            Ok(events) if events.is_empty() => (page::empty("No change is known.", &html! {
                p { "Search for less, or for a longer time. " code { "trainyard server --audit" } " says what is written down." }
            })),
            Ok(events) => (table(&web, &asked, events)),
            Err(told) => p.notice.bad { (told) },
        }
    };
    Ok(place::respond(&web, me.as_ref(), Some(Place::Audit), "Audit log", &body))
}

/// What is asked for, or what is wrong with it.
fn search(asked: &Query, max_results: usize) -> Result<SearchAudit, String> {
    let text = |name: &str| Some(asked.one(name).trim().to_owned()).filter(|text| !text.is_empty());
    let moment = |name: &str| match text(name) {
        None => Ok(None),
        Some(text) => time(&text).map(Some).ok_or_else(|| {
            format!("{name} is {text:?}; a time is written 2026-03-01 or 2026-03-01T12:00 (UTC)")
        }),
    };
    Ok(SearchAudit {
        after: asked.one("after").parse().ok(),
        subject: text("subject"),
        part: text("part"),
        who: text("who"),
        action: text("action"),
        since: moment("since")?,
        until: moment("until")?,
        newest_first: true,
        max_results: i64::try_from(max_results).ok(),
    })
}

/// A time in UTC as people and browsers write it, in milliseconds since the Unix epoch.
fn time(text: &str) -> Option<i64> {
    let midnight = || {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(day.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
    };
    alias_moves::time(text).or_else(midnight)
}

fn form(web: &Web, asked: &Query) -> Markup {
    let field = |name: &str, label: &str, hint: &str| {
        html! {
            label { (label) " " input type="text" name=(name) value=(asked.one(name)) placeholder=(hint); }
        }
    };
    let moment = |name: &str, label: &str| {
        // Browsers show no day alone in such a field, and would send nothing.
        let is_day = NaiveDate::parse_from_str(asked.one(name), "%Y-%m-%d").is_ok();
        let clock = if is_day { "T00:00" } else { "" };
        html! {
            label { (label) " " input type="datetime-local" name=(name) value={ (asked.one(name)) (clock) }; }
        }
    };
    html! {
        form.edit method="get" action=(web.links.audit()) role="search" aria-label="Changes" {
            (field("subject", "Of", "model:Iris"))
            (field("part", "Part", "alias:Production"))
            (field("action", "What", "alias."))
            (field("who", "By", "ada"))
            (moment("since", "Since (UTC)"))
            (moment("until", "Before (UTC)"))
            button.quiet { "Search" }
            @if FIELDS.iter().any(|name| asked.has(name)) { a href=(web.links.audit()) { "All" } }
        }
    }
}

fn table(web: &Web, asked: &Query, events: &[AuditEvent]) -> Markup {
    let shown = events.get(..PAGE_SIZE).unwrap_or(events);
    let last = shown.last().filter(|_last| events.len() > shown.len());
    html! {
        div.scroll {
            table.told {
                thead { tr { th.tight { "When (UTC)" } th { "By" } th { "What" } th { "Of" } th { "Before" } th { "After" } } }
                tbody { @for event in shown { (row(web, event)) } }
            }
        }
        @if let Some(last) = last {
            div.actions {
                a href=(asked.with("after", &last.id.to_string()).at(&web.links.audit())) rel="next" { "Older changes" }
            }
        }
    }
}

fn row(web: &Web, event: &AuditEvent) -> Markup {
    let only = |name: &str, value: &str| Query::default().with(name, value).at(&web.links.audit());
    html! {
        tr id={ "event-" (event.id) } {
            td.tight { (format::time(event.at)) }
            td {
                @if event.who.is_empty() { span.soft { "somebody" } }
                @else { a href=(only("who", &event.who)) { (event.who) } }
                @if let Some(token) = event.token.as_deref().filter(|token| !token.is_empty()) { " (token " (token) ")" }
                @if let Some(address) = &event.address { " " span.soft { "from " (address) } }
            }
            td { (event.action) }
            td {
                a href=(only("subject", &event.subject)) { (format::short(&event.subject, 80)) }
                @if !event.part.is_empty() { " " (format::short(&event.part, 80)) }
            }
            td { (value(event.before.as_deref())) }
            td { (value(event.after.as_deref())) }
        }
    }
}

fn value(text: Option<&str>) -> String {
    text.map(|text| format::short(text, VALUE_SHOWN)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_or_moments() {
        assert_eq!(time("1970-01-02"), Some(86_400_000));
        assert_eq!(time("1970-01-01T00:01"), Some(60_000));
        assert_eq!(time("1970-01-01T00:00:01.5"), Some(1500));
        assert_eq!(time("March"), None);
    }

    #[test]
    fn what_is_asked_is_searched_for_and_what_is_no_time_is_said() {
        let asked = Query::read("subject=model:Iris&action=alias.&since=2026-03-01&after=7&who=+");
        let found = search(&asked, 10).unwrap();
        assert_eq!(found.subject.as_deref(), Some("model:Iris"));
        assert_eq!((found.after, found.max_results, found.who), (Some(7), Some(10), None));
        assert_eq!(found.since, Some(1_772_323_200_000));
        let told = search(&Query::read("until=soon"), 10).unwrap_err();
        assert!(told.contains("until is \"soon\""), "{told}");
    }
}
