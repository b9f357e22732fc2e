//! Experiments that somebody wants on the first page whatever was run last, in a cookie of the browser.

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use trainyard_mlflow::entities::Experiment;

use crate::cookies;
use crate::query::Query;
use crate::site::Web;

const COOKIE: &str = "trainyard-pinned";
/// Experiments that are remembered, the last pinned.
const PINNED_MAX: usize = 10;
/// Between ids in the cookie.
const BETWEEN: char = '.';
const YEAR_SECONDS: u32 = 365 * 24 * 3600;

/// Ids of those that a browser remembers, the last pinned first.
pub(crate) fn of(headers: &HeaderMap) -> Vec<String> {
    let text = cookies::find(headers, COOKIE).unwrap_or_default();
    let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    text.split(BETWEEN).filter(is_id).take(PINNED_MAX).map(str::to_owned).collect()
}

/// The answer to the wish to pin an experiment (`pin=1`) or not to (`pin=0`): the same page without that wish, and a cookie.
pub(crate) fn remember(
    web: &Web,
    experiment: &Experiment,
    query: &Query,
    headers: &HeaderMap,
) -> Option<Response> {
    let wish = query.one("pin");
    if wish.is_empty() {
        return None;
    }
    let own = &experiment.experiment_id;
    let mut ids = of(headers);
    ids.retain(|id| id != own);
    if wish == "1" {
        ids.insert(0, own.clone());
    }
    ids.truncate(PINNED_MAX);
    let (value, path) = (ids.join(&BETWEEN.to_string()), web.links.home());
    let cookie =
        format!("{COOKIE}={value}; Path={path}; Max-Age={YEAR_SECONDS}; SameSite=Lax; HttpOnly");
    let page = Redirect::to(&query.without(&["pin"]).at(&web.links.experiment(own)));
    Some(([(header::SET_COOKIE, cookie)], page).into_response())
}

/// The form that pins an experiment, or does not any more.
pub(crate) fn form(
    web: &Web,
    experiment: &Experiment,
    query: &Query,
    headers: &HeaderMap,
) -> Markup {
    let own = &experiment.experiment_id;
    let (wish, word) = if of(headers).contains(own) {
        ("0", "Take it off the first page")
    } else {
        ("1", "Pin it to the first page")
    };
    html! {
        form method="get" action=(web.links.experiment(own)) {
            (query.without(&["pin"]).hidden())
            button.quiet name="pin" value=(wish) { (word) }
        }
    }
}
