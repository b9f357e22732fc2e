//! What pages are made of, on one page: colours, type, spacing, states. Whoever changes the style sheet looks here first,
//! in both schemes.

use axum::extract::State;
use axum::http::StatusCode;
use maud::{Markup, html};
use trainyard_mlflow::entities::RunStatus;

use crate::cockpit::Health;
use crate::error::Result;
use crate::page;
use crate::site::Web;

/// The colours by name, each with what it is for.
const TOKENS: [(&str, &str); 12] = [
    ("ground", "behind all"),
    ("surface", "tables, fields, boxes"),
    ("ink", "text"),
    ("soft", "what matters less"),
    ("line", "borders"),
    ("accent", "links, what is to be done"),
    ("accent-soft", "what is told"),
    ("good", "all right"),
    ("good-soft", "behind it"),
    ("bad", "not all right"),
    ("bad-soft", "behind it"),
    ("warn-soft", "what differs"),
];

pub(crate) async fn show(State(web): State<Web>) -> Result {
    let body = html! {
        h1 { "Style " small { "what pages are made of" } }
        h2 { "Colours" }
        p.soft { "Text and what is behind it differ by a contrast of 4.5 at least. No colour says what no word says." }
        div.swatches {
            @for (name, purpose) in TOKENS {
                div {
                    svg viewBox="0 0 100 44" preserveAspectRatio="none" aria-hidden="true" { rect data-colour=(name) width="100" height="44" {} }
                    code { (name) } br; span.soft { (purpose) }
                }
            }
        }
        h2 { "Type and spacing" }
        p { "Text has 15 px and lines of 1.5, in the system's own font; a paragraph is 80 characters wide at most." }
        p { "A heading of a page has 24 px, of a section 17 px " small.soft { "and of what is in it 15 px" } ". " code { "Code has a font of its own." } }
        p { "Between parts of a page are 30 px, between lines of a part 8 to 14, around a table's cell 7 and 12; corners are round by 6 to 10." }
        h2 { "States" }
        p { @for status in [RunStatus::Running, RunStatus::Finished, RunStatus::Failed] { (page::status(status)) " " } span.badge.plain { "a tag: value" } }
        p { @for (health, word) in HEALTHS { (health.dot()) (word) " " } }
        p.notice { "Something to know." }
        p.notice.bad { "Something that failed, and what to do." }
        (page::empty("Nothing is here.", &html! { p { "How to get the first one." } }))
        h2 { "What is done" }
        (controls())
        h2 { "Tables" }
        div.scroll {
            table {
                thead { tr { th { "Name" } th.number { "A number" } th { "Which differs" } } }
                tbody {
                    tr { td { a href=(web.links.home()) { "leads on" } } td.number { "1,204" } td { "as before" } }
                    tr { td { "leads nowhere" } td.number { "0.5" } td.differs { "another" } }
                }
            }
        }
    };
    let page = page::layout(&web.links, "Style", None, &[], &body);
    Ok(page::respond(StatusCode::OK, &page))
}

const HEALTHS: [(Health, &str); 4] = [
    (Health::Good, "all right"),
    (Health::Warning, "to be looked at"),
    (Health::Bad, "not all right"),
    (Health::Unknown, "not known"),
];

fn controls() -> Markup {
    html! {
        div.actions {
            button type="button" { "What one is here for" }
            button.quiet type="button" { "Something else" }
            button.danger type="button" { "What cannot be undone" }
            button type="button" disabled { "Not now" }
        }
        form.filter method="get" role="search" {
            input type="search" name="q" aria-label="A field" placeholder="words, or a filter";
            select name="view" aria-label="A choice" { option { "one" } option { "another" } }
            label { input type="checkbox" name="flat" value="1"; " a tick" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_colours_are_shown() {
        let sheet = include_str!("assets/style.css");
        let names = sheet.split(": light-dark(").filter_map(|before| before.rsplit_once("--"));
        let mut names: Vec<&str> = names.map(|(_, name)| name).take(TOKENS.len()).collect();
        names.sort_unstable();
        let mut shown = TOKENS.map(|(name, _)| name).to_vec();
        shown.sort_unstable();
        assert_eq!(names, shown);
        for name in shown {
            assert!(sheet.contains(&format!("[data-colour={name}]")), "{name} has no swatch");
            let (_before, both) = sheet.split_once(&format!("--{name}: light-dark(")).unwrap();
            let (light, _dark) = both.split_once(',').unwrap();
            let plain = format!("--{name}: {light};");
            assert!(sheet.contains(&plain), "browsers that know one scheme have no {name}");
        }
    }
}
