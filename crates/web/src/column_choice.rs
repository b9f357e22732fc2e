//! Choosing the columns of an experiment's table, for a look or for good.

use std::collections::BTreeSet;

use axum::http::header;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use trainyard_mlflow::entities::Experiment;

use crate::columns::{self, Available, COOKIE, Column, Kind};
use crate::format;
use crate::query::Query;
use crate::site::Web;

/// Keys of a kind that are offered at once; `find` narrows them.
const OFFERED_MAX: usize = 50;
/// A cookie that is larger is dropped by browsers.
const COOKIE_BYTES_MAX: usize = 3_000;
const YEAR_SECONDS: u32 = 365 * 24 * 3600;

/// Fields of a form that ask for a column of a history.
const ADDED: [&str; 3] = ["of", "as", "by"];
/// What of a history can be asked for, as columns' names have it.
const OF_HISTORY: [(&str, &str); 4] = [
    ("min", "smallest value"),
    ("max", "largest value"),
    ("min:", "value where this is smallest:"),
    ("max:", "value where this is largest:"),
];

/// The answer to a choice that has a column of a history with it, or is to be remembered (`keep=1`) or forgotten
/// (`keep=0`): the same page without that wish, and a cookie for this experiment alone. Too many columns for a cookie are
/// shown, not remembered.
pub(crate) fn remember(web: &Web, experiment: &Experiment, query: &Query) -> Option<Response> {
    let wish = query.one("keep");
    let added = added(query);
    if wish.is_empty() && added.is_none() {
        return None;
    }
    let address = web.links.experiment(&experiment.experiment_id);
    let query = &match added {
        Some(name) => {
            let names = query.all("col").into_iter().map(str::to_owned).chain([name]);
            query.with_all("col", names).without(&ADDED)
        }
        None => query.without(&ADDED),
    };
    if wish.is_empty() {
        return Some(Redirect::to(&query.without(&["find"]).at(&address)).into_response());
    }
    let chosen = columns::chosen(query);
    let value = Query::default().with_all("col", chosen.iter().map(Column::name)).text();
    let is_kept = wish == "1" && !chosen.is_empty() && value.len() <= COOKIE_BYTES_MAX;
    let (value, age) = if is_kept { (value.as_str(), YEAR_SECONDS) } else { ("", 0) };
    let cookie = format!("{COOKIE}={value}; Path={address}; Max-Age={age}; SameSite=Lax; HttpOnly");
    let rest = if wish == "1" { &["keep", "find"] as &[&str] } else { &["keep", "find", "col"] };
    let page = Redirect::to(&query.without(rest).at(&address));
    Some(([(header::SET_COOKIE, cookie)], page).into_response())
}

/// The name of the column of a history that was asked for; none where it makes none.
fn added(query: &Query) -> Option<String> {
    let [of, what, by] = ADDED.map(|name| query.one(name));
    let (what, by) = match what.strip_suffix(':') {
        // Where nothing else is named it is the metric's own.
        Some(end) if by.is_empty() => (end, ""),
        Some(_end) => (what, by),
        None => (what, ""),
    };
    let name = format!("metrics.{of}@{what}{by}");
    (!of.is_empty()).then(|| Column::read(&name)).flatten().map(|column| column.name())
}

/// What may be chosen.
pub(crate) fn form(
    web: &Web,
    experiment: &Experiment,
    query: &Query,
    columns: &[Column],
    available: &Available,
) -> Markup {
    let address = web.links.experiment(&experiment.experiment_id);
    let total: usize = Kind::ALL.iter().map(|kind| available.keys(*kind).len()).sum();
    let stored = columns.iter().filter(|column| column.of_history.is_none()).count();
    html! {
        details.more open[query.has("find")] {
            summary {
                "Columns (" (stored) " of " (total)
                @if stored < columns.len() { ", " (columns.len() - stored) " of histories" }
                ")"
            }
            form.choice method="get" action=(address) {
                (query.without(&["col", "find", "keep", "page"]).without(&ADDED).hidden())
                p {
                    input type="search" name="find" value=(query.one("find")) aria-label="Find columns" placeholder="part of a key";
                    " " button.quiet { "Find" }
                }
                @for kind in Kind::ALL {
                    (offered(kind, columns, available.keys(kind), query.one("find")))
                }
                (of_history(columns, available.keys(Kind::Metric), query.one("find")))
                div.actions {
                    button { "Show" }
                    button.quiet name="keep" value="1" { "Show and remember here" }
                    button.quiet name="keep" value="0" { "Forget" }
                }
            }
        }
    }
}

fn offered(kind: Kind, columns: &[Column], keys: &[String], find: &str) -> Markup {
    let chosen: Vec<&Column> = columns.iter().filter(|column| column.kind == kind).collect();
    let others: Vec<Column> = found(keys, find).map(|key| Column::new(kind, key)).collect();
    let others: Vec<&Column> = others.iter().filter(|column| !chosen.contains(column)).collect();
    let box_of = |column: &Column, is_chosen: bool| {
        html! {
            label {
                input type="checkbox" name="col" value=(column.name()) checked[is_chosen];
                " " (format::short(&column.title(), 60))
            }
        }
    };
    html! {
        @if !chosen.is_empty() || !others.is_empty() {
            fieldset {
                legend { (kind.title()) }
                @for column in &chosen { (box_of(column, true)) " " }
                @for column in others.iter().take(OFFERED_MAX) { (box_of(column, false)) " " }
                @if others.len() > OFFERED_MAX {
                    span.soft { "and " (others.len() - OFFERED_MAX) " more: find them by a part of their key" }
                }
            }
        }
    }
}

/// The keys with this in them, in any case.
fn found<'a>(keys: &'a [String], find: &str) -> impl Iterator<Item = &'a str> {
    let find = find.to_lowercase();
    keys.iter().map(String::as_str).filter(move |key| key.to_lowercase().contains(&find))
}

/// One more column, of a metric's history.
fn of_history(columns: &[Column], keys: &[String], find: &str) -> Markup {
    let shown = columns.iter().filter(|column| column.kind == Kind::Metric);
    let mut keys: Vec<&str> =
        shown.flat_map(Column::metric_keys).chain(found(keys, find).take(OFFERED_MAX)).collect();
    let mut seen = BTreeSet::new();
    keys.retain(|key| seen.insert(*key));
    let metrics = |name: &str, label: &str, none: &str| {
        html! {
            select name=(name) aria-label=(label) {
                option value="" { (none) }
                @for key in &keys { option value=(key) { (format::short(key, 60)) } }
            }
        }
    };
    html! {
        @if !keys.is_empty() {
            fieldset {
                legend { "Of a history" }
                "Add of " (metrics("of", "Metric", "no metric")) " the "
                select name="as" aria-label="Which value" {
                    @for (value, told) in OF_HISTORY { option value=(value) { (told) } }
                }
                " " (metrics("by", "Where it is smallest or largest", "itself"))
                @let most = columns::OF_HISTORIES_MAX;
                " " span.soft { "Read for the runs of a page, so the table is not sorted by it; at most " (most) "." }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_asks_for_a_value_of_a_history() {
        for (text, name) in [
            ("of=loss&as=min", Some("metrics.loss@min")),
            ("of=loss&as=max&by=acc", Some("metrics.loss@max")),
            ("of=acc&as=min%3A&by=val/loss", Some("metrics.acc@min:val/loss")),
            ("of=acc&as=max%3A", Some("metrics.acc@max")),
            ("of=acc&as=max%3A&by=acc", Some("metrics.acc@max")),
            ("as=min&by=loss", None),
            ("of=loss&as=mean", None),
            ("of=loss", None),
        ] {
            assert_eq!(added(&Query::read(text)).as_deref(), name, "{text}");
        }
    }
}
