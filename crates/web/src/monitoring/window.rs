//! One window: what was found in it, and which looks were made meanwhile.

use maud::{Markup, html};
use trainyard_drift::WindowLength;
use trainyard_mlflow::Error;
use trainyard_mlflow::entities::{ModelVersion, RegisteredModel, Run};
use trainyard_report::drift::window_report;

use super::looks;
use super::recorded::Recorded;
use crate::cockpit;
use crate::format;
use crate::site::Web;

/// Which of the windows begins there.
pub(super) fn place(recorded: &Recorded, at: &str) -> Result<usize, Error> {
    let missing =
        || Error::not_found(format!("no recorded window begins at {:?}", format::short(at, 40)));
    let begins: i64 = at.parse().map_err(|_no_number| missing())?;
    recorded.windows.iter().position(|one| one.window.begins == begins).ok_or_else(missing)
}

/// Looks at the model's data that were made while the window was.
pub(super) async fn looks_within(
    web: &Web,
    model: &RegisteredModel,
    version: Option<&ModelVersion>,
    recorded: &Recorded,
    place: usize,
) -> Vec<Run> {
    match (recorded.window, recorded.windows.get(place)) {
        (WindowLength::Time(_), Some(result)) => {
            let window = result.window;
            cockpit::looks_within(web, &model.name, version, window.begins, window.ends).await
        }
        _ => Vec::new(),
    }
}

/// Title and content of the page. `address` is what stands before a window's beginning.
pub(super) fn content(
    web: &Web,
    recorded: &Recorded,
    place: usize,
    address: &str,
    looks: &[Run],
) -> (String, Markup) {
    let Some(result) = recorded.windows.get(place) else { return (String::new(), html! {}) };
    let name = result.window.name(recorded.window);
    let neighbour = |place: Option<usize>| Some(recorded.windows.get(place?)?.window);
    let body = html! {
        h1 { (name) " " small { "a window of " (recorded.window) } }
        div.over-time { (window_report(result, recorded.window, &recorded.alerts)) }
        (looks::list(web, "Looks that were made then", looks))
        div.actions {
            @if let Some(before) = neighbour(place.checked_sub(1)) {
                a href={ (address) (before.begins) } rel="prev" { "← " (before.name(recorded.window)) }
            }
            @if let Some(after) = neighbour(place.checked_add(1)) {
                a href={ (address) (after.begins) } rel="next" { (after.name(recorded.window)) " →" }
            }
        }
    };
    (name, body)
}
