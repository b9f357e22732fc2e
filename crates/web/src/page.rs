//! The frame around every page.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, html};
use trainyard_mlflow::entities::{RunStatus, Tag};

use crate::links::Links;
use crate::pagination::Asked;
use crate::{assets, colours, format, frame};

/// What a page is.
pub(crate) const MEDIA_TYPE: &str = "text/html; charset=utf-8";

/// Entry of the navigation that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Experiments,
    Models,
    Services,
    Team,
}

/// A whole page; `trail` leads from the top to the page above: address and name.
pub(crate) fn layout(
    links: &Links,
    title: &str,
    section: Option<Section>,
    trail: &[(String, String)],
    body: &Markup,
) -> Markup {
    let entry = |entry: Section, address: String, name: &str| {
        html! {
            a href=(address) aria-current=[(section == Some(entry)).then_some("page")] { (name) }
        }
    };
    let chosen = frame::colours();
    html! {
        (DOCTYPE)
        html lang="en" data-colours=[chosen.mark()] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Trainyard" }
                link rel="stylesheet" href=(links.asset(&assets::STYLE.name));
                link rel="icon" type="image/svg+xml" href=(links.asset(&assets::ICON.name));
                script src=(links.asset(&assets::SCRIPT.name)) defer {}
            }
            body data-home=(links.home()) data-drawn=[frame::drawn()] {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href=(links.home()) { "Trainyard" }
                    nav aria-label="Main" {
                        (entry(Section::Experiments, links.experiments(), "Experiments"))
                        (entry(Section::Models, links.models(), "Models"))
                        (entry(Section::Services, links.services(), "Services"))
                        (entry(Section::Team, links.team(), "Team"))
                    }
                    form.find method="get" action=(links.search()) role="search" aria-label="Everything" {
                        input type="search" name="q" aria-label="Search everything" aria-keyshortcuts="/" placeholder="Search ( / )";
                    }
                    @if let Some(me) = frame::me().filter(|me| !me.username.is_empty()) {
                        a.me href=(me.account) title="Your account, and signing out" { (format::short(&me.username, 30)) span.soft { " · sign out" } }
                    }
                }
                main #main {
                    @if !trail.is_empty() {
                        nav.trail aria-label="Breadcrumb" {
                            @for (address, name) in trail {
                                a href=(address) { (format::name(name, 60)) } span aria-hidden="true" { "/" }
                            }
                        }
                    }
                    (body)
                }
                footer.bottom { (colours::choice(links, chosen)) }
            }
        }
    }
}

/// The page as an answer.
pub(crate) fn respond(status: StatusCode, page: &Markup) -> Response {
    let headers = [(header::CONTENT_TYPE, MEDIA_TYPE)];
    (status, headers, page.0.clone()).into_response()
}

/// A table of keys and values, in the order given; `None` if there are none.
pub(crate) fn key_values(entries: &[Tag]) -> Markup {
    html! {
        div.scroll {
            table.pairs {
                tbody {
                    @for entry in entries {
                        tr { th scope="row" { (entry.key) } td { (value(&entry.value)) } }
                    }
                }
            }
        }
    }
}

/// The same for any number of them, a part at a time.
pub(crate) fn long_key_values(asked: Asked<'_>, name: &'static str, entries: &[Tag]) -> Markup {
    let rows = asked.rows(name, entries);
    html! { (key_values(rows.items)) (rows.others()) }
}

/// A value; a long one folds, and of one that no reader reads to its end the start is there.
pub(crate) fn value(text: &str) -> Markup {
    const SHOWN: usize = 300;
    const FOLDED: usize = 20_000;
    let end = text.char_indices().nth(FOLDED).map(|(end, _character)| end);
    html! {
        @if text.chars().nth(SHOWN).is_some() {
            details {
                summary { (format::short(text, 120)) }
                pre { (text.get(..end.unwrap_or(text.len())).unwrap_or_default()) }
                @if end.is_some() { p.soft { "The first " (FOLDED) " characters; the API has all." } }
            }
        } @else {
            (text)
        }
    }
}

/// What to do when there is nothing.
pub(crate) fn empty(text: &str, hint: &Markup) -> Markup {
    html! { div.empty { p { strong { (text) } } (hint) } }
}

/// A run's state, told by word and colour.
pub(crate) fn status(status: RunStatus) -> Markup {
    let (class, word) = match status {
        RunStatus::Running => ("running", "running"),
        RunStatus::Scheduled => ("running", "scheduled"),
        RunStatus::Finished => ("good", "finished"),
        RunStatus::Failed => ("bad", "failed"),
        RunStatus::Killed => ("bad", "killed"),
    };
    html! { span class={ "badge " (class) } { (word) } }
}

/// A run's name, or its id when it has none that can be seen.
pub(crate) fn run_name<'a>(name: &'a str, run_id: &'a str) -> &'a str {
    if format::is_blank(name) { run_id.get(..8).unwrap_or(run_id) } else { name }
}

/// A text as Python writes it; JSON's escapes are Python's.
pub(crate) fn python(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Commands or code to copy.
pub(crate) fn code(text: &str) -> Markup {
    html! { pre.code { code { (text) } } }
}
