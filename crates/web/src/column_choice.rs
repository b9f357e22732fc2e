//! Choosing the columns of an experiment's table, for a look or for good.

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

/// The answer to a choice that is to be remembered (`keep=1`) or forgotten (`keep=0`): the same page without that
/// wish, and a cookie for this experiment alone. Too many columns for a cookie are shown, not remembered.
pub(crate) fn remember(web: &Web, experiment: &Experiment, query: &Query) -> Option<Response> {
    let wish = query.one("keep");
    if wish.is_empty() {
        return None;
    }
    let address = web.links.experiment(&experiment.experiment_id);
    let chosen = columns::chosen(query);
    let value = Query::default().with_all("col", chosen.iter().map(Column::name)).text();
    let is_kept = wish == "1" && !chosen.is_empty() && value.len() <= COOKIE_BYTES_MAX;
    let (value, age) = if is_kept { (value.as_str(), YEAR_SECONDS) } else { ("", 0) };
    let cookie = format!("{COOKIE}={value}; Path={address}; Max-Age={age}; SameSite=Lax; HttpOnly");
    let rest = if wish == "1" { &["keep", "find"] as &[&str] } else { &["keep", "find", "col"] };
    let page = Redirect::to(&query.without(rest).at(&address));
    Some(([(header::SET_COOKIE, cookie)], page).into_response())
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
    html! {
        details.more open[query.has("find")] {
            summary { "Columns (" (columns.len()) " of " (total) ")" }
            form.choice method="get" action=(address) {
                (query.without(&["col", "find", "keep", "page"]).hidden())
                p {
                    input type="search" name="find" value=(query.one("find")) aria-label="Find columns" placeholder="part of a key";
                    " " button.quiet { "Find" }
                }
                @for kind in Kind::ALL {
                    (offered(kind, columns, available.keys(kind), query.one("find")))
                }
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
    let find = find.to_lowercase();
    let of_kind = columns.iter().filter(|column| column.kind == kind);
    let chosen: Vec<&str> = of_kind.map(|column| column.key.as_str()).collect();
    let others: Vec<&str> = keys
        .iter()
        .map(String::as_str)
        .filter(|key| !chosen.contains(key) && key.to_lowercase().contains(&find))
        .collect();
    let shown = others.iter().take(OFFERED_MAX);
    let box_of = |key: &str, is_chosen: bool| {
        html! {
            label {
                input type="checkbox" name="col" value=(Column::new(kind, key).name()) checked[is_chosen];
                " " (format::short(key, 60))
            }
        }
    };
    html! {
        @if !chosen.is_empty() || !others.is_empty() {
            fieldset {
                legend { (kind.title()) }
                @for key in &chosen { (box_of(key, true)) " " }
                @for key in shown { (box_of(key, false)) " " }
                @if others.len() > OFFERED_MAX {
                    span.soft { "and " (others.len() - OFFERED_MAX) " more: find them by a part of their key" }
                }
            }
        }
    }
}
