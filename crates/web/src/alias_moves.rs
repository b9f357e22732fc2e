//! Who moved a model's aliases, and where they pointed at a time: from the audit log, where there is one.

use chrono::NaiveDateTime;
use maud::{Markup, html};
use trainyard_mlflow::SearchAudit;
use trainyard_mlflow::entities::{AuditEvent, RegistryAt};

use crate::format;
use crate::site::Web;

/// Moves that are listed, the newest.
const MOVES_SHOWN: i64 = 20;
/// What a browser's field for a time sends, with and without seconds; UTC.
const FORMS: [&str; 2] = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f"];

/// The section of a model's page; nothing where nothing is written down. `asked` is the time that is looked at.
pub(crate) async fn section(web: &Web, model: &str, asked: &str) -> Markup {
    let search = SearchAudit {
        subject: Some(format!("model:{model}")),
        part: Some("alias:".to_owned()),
        newest_first: true,
        max_results: Some(MOVES_SHOWN),
        ..SearchAudit::default()
    };
    let moves = match web.tracking.audit.events(search).await {
        Ok(moves) => moves,
        Err(error) => {
            // The registry is elsewhere and has no such log; the rest of the page is as good without.
            tracing::debug!(%error, "no moves of aliases are shown");
            return html! {};
        }
    };
    let asked = asked.trim();
    let then = match time(asked) {
        Some(at) => match web.tracking.audit.registry_at(at, Some(model)).await {
            Ok(found) => registry(&found),
            Err(error) => html! { p.notice.bad { (error.for_clients()) } },
        },
        None if asked.is_empty() => html! {},
        None => html! { p.notice.bad { "A time is written 2026-03-01T12:00 (UTC)." } },
    };
    html! {
        h2 { "Aliases over time" }
        form.filter method="get" action=(web.links.model(model)) {
            input type="datetime-local" name="at" value=(asked) aria-label="Time (UTC)";
            button.quiet { "As it was then (UTC)" }
        }
        (then)
        @if moves.is_empty() { p.soft { "No alias was moved since changes are written down." } }
        @else { (table(&moves)) }
    }
}

/// A time in UTC as a browser's field sends it, in milliseconds since the Unix epoch.
pub(crate) fn time(text: &str) -> Option<i64> {
    let time = FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    Some(time.and_utc().timestamp_millis())
}

fn registry(found: &RegistryAt) -> Markup {
    html! {
        @match found.known_since {
            _ if found.is_known() => {
                @if found.aliases.is_empty() { p { "No alias pointed anywhere at " (format::time(found.at)) "." } }
            },
            Some(since) => p.notice { "Changes are known since " (format::time(since)) "; nothing is known of a time before." },
            None => p.notice { "No change was ever written down." },
        }
        @for alias in &found.aliases {
            p {
                span.badge.good { (alias.alias) " → " (alias.version) } " "
                @if alias.is_found { "found there " (format::time(alias.since)) }
                @else { "since " (format::time(alias.since)) " by " (named(&alias.who)) }
                @if let Some(reason) = &alias.reason { ": " (format::short(reason, 200)) }
            }
        }
    }
}

fn named(who: &str) -> &str {
    if who.is_empty() { "somebody" } else { who }
}

fn table(moves: &[AuditEvent]) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { th.tight { "Moved (UTC)" } th { "Alias" } th { "From" } th { "To" } th { "By" } } }
                tbody {
                    @for event in moves {
                        tr {
                            td.tight { (format::time(event.at)) }
                            td { (event.part.strip_prefix("alias:").unwrap_or(&event.part)) }
                            td { (event.before.as_deref().unwrap_or("")) }
                            td { (event.after.as_deref().unwrap_or("removed")) }
                            td { (named(&event.who)) @if let Some(token) = event.token.as_ref().filter(|token| !token.is_empty()) { " (token " (token) ")" } }
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
    fn times_are_those_of_a_browser() {
        assert_eq!(time("1970-01-01T00:01"), Some(60_000));
        assert_eq!(time("1970-01-01T00:00:01.5"), Some(1500));
        assert_eq!(time("yesterday"), None);
    }

    #[test]
    fn what_is_not_known_is_said() {
        let at = |known_since| RegistryAt { at: 1000, known_since, aliases: Vec::new() };
        assert!(registry(&at(Some(1000))).into_string().contains("No alias pointed anywhere"));
        assert!(registry(&at(Some(2000))).into_string().contains("nothing is known"));
        assert!(registry(&at(None)).into_string().contains("ever written down"));
    }
}
