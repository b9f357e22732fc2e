//! The page of a model's data over time, and of one window of it.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use trainyard_base::words::tags;
use trainyard_drift::Episode;
use trainyard_mlflow::entities::{ModelVersion, RegisteredModel, Run, Tag};
use trainyard_mlflow::{Error, SearchModelVersions};
use trainyard_report::drift::WindowParts;

use super::charts::Charts;
use super::looks;
use super::recorded::Recorded;
use super::window;
use crate::cockpit::{self, Records};
use crate::error::Result;
use crate::format;
use crate::grammar::equals;
use crate::links::query;
use crate::live;
use crate::page::{self, Section};
use crate::site::Web;

/// Alerts that are over and are listed, the latest.
const ALERTS_MAX: usize = 50;

/// Above looks that are not at windows.
const LOOKS: &str = "Single looks";

/// What the address may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// The run of one of several histories; the one that was looked at last if empty.
    #[serde(default)]
    history: String,
    /// The window that is told of, by its beginning; all if empty.
    #[serde(default)]
    at: String,
}

pub(crate) async fn show(
    State(web): State<Web>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result {
    let model = web.tracking.registered_models.get(&name).await?;
    let version = version(&web, &model).await;
    let records = Records::read(&web, &model.name, version.as_ref()).await;
    let run = match asked.history.as_str() {
        "" => records.windows.first(),
        wanted => {
            let found = records.windows.iter().find(|run| run.info.run_id == wanted);
            Some(
                found
                    .ok_or_else(|| Error::not_found("the model has no such history of windows"))?,
            )
        }
    };
    let mut trail = vec![
        (web.links.models(), "Models".to_owned()),
        (web.links.model(&model.name), model.name.clone()),
    ];
    let (title, body) = match run {
        None => ("Data over time".to_owned(), nothing(&web, &model, &records)),
        Some(run) => {
            // Until it is drawn: what is read may be large.
            let _turn = web.turns.take().await;
            let recorded = Recorded::of(&web.tracking, run).await?;
            let address = window_address(&asked);
            if asked.at.is_empty() {
                let shown = Shown { model: &model, records: &records, run, recorded: &recorded };
                ("Data over time".to_owned(), shown.page(&web, &address))
            } else {
                let place = window::place(&recorded, &asked.at)?;
                trail.push((history_address(&web, &model, run), "Data over time".to_owned()));
                let looks =
                    window::looks_within(&web, &model, version.as_ref(), &recorded, place).await;
                window::content(&web, &recorded, place, &address, &looks)
            }
        }
    };
    let title = format!("{title} of {}", model.name);
    let body = live::part("windows", &body);
    let page = page::layout(&web.links, &title, Some(Section::Models), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

/// A version by whose training it is known where looks are kept: that in production, or the newest.
async fn version(web: &Web, model: &RegisteredModel) -> Option<ModelVersion> {
    if let Some(version) = cockpit::production(web, model, &[]).await {
        return Some(version);
    }
    let search = SearchModelVersions {
        filter: equals("name", &model.name),
        max_results: Some(1),
        order_by: vec!["version_number DESC".to_owned()],
        page_token: None,
    };
    let found = web.tracking.model_versions.search(search).await.ok()?;
    found.items.into_iter().find(|version| version.name == model.name)
}

/// The page of a history.
fn history_address(web: &Web, model: &RegisteredModel, run: &Run) -> String {
    let history = query(&[("history", run.info.run_id.as_str())]);
    format!("{}{history}", web.links.monitoring(&model.name))
}

/// The address of a window from the page, but for its beginning: short, as a strip has thousands.
fn window_address(asked: &Asked) -> String {
    match query(&[("history", asked.history.as_str())]).as_str() {
        "" => "?at=".to_owned(),
        history => format!("{history}&at="),
    }
}

fn nothing(web: &Web, model: &RegisteredModel, records: &Records) -> Markup {
    html! {
        h1 { (model.name) " " small { "data and quality over time" } }
        (page::empty("Nobody looked at its production data over time yet.", &html! {
            p { "In the folder of the project: " code { "trainyard monitor --window 1d" } ". What is found is recorded here." }
        }))
        (looks::list(web, LOOKS, &records.looks))
    }
}

/// A history that is shown, and what else is recorded of its model.
#[derive(Debug, Clone, Copy)]
struct Shown<'a> {
    model: &'a RegisteredModel,
    records: &'a Records,
    run: &'a Run,
    recorded: &'a Recorded,
}

impl Shown<'_> {
    /// `address` is what stands before a window's beginning.
    fn page(&self, web: &Web, address: &str) -> Markup {
        let recorded = self.recorded;
        let parts = WindowParts {
            results: &recorded.windows,
            length: recorded.window,
            alerts: &recorded.alerts,
            address: Some(address),
        };
        let charts = Charts {
            windows: parts.shown(),
            length: recorded.window,
            releases: &self.records.releases,
        };
        html! {
            h1 { (self.model.name) " " small { "data and quality over time" } }
            p {
                (recorded.windows.len()) " windows of " (recorded.window) " of "
                code { (format::short(&recorded.current, 120)) } ", compared with "
                code { (format::short(&recorded.reference, 120)) }
                @if let Some(at) = self.run.info.end_time { ", last looked at " (format::time(at)) }
                ". " a href=(web.links.run(&self.run.info.run_id)) { "All metrics and files" }
            }
            (looks::last(web, self.records.looks.first()))
            (self.others(web))
            div.over-time {
                (parts.alerts())
                (over(recorded))
                (charts.quality())
                (charts.labels())
                (parts.strip())
                (charts.rows())
                (parts.list())
            }
            (looks::list(web, LOOKS, &self.records.looks))
        }
    }

    /// Other histories of the same model: windows of another length, or from elsewhere.
    fn others(&self, web: &Web) -> Markup {
        let own = &self.run.info.run_id;
        let others: Vec<&Run> =
            self.records.windows.iter().filter(|other| other.info.run_id != *own).collect();
        html! {
            @if !others.is_empty() {
                p {
                    @if others.len() == 1 { "Another history:" } @else { "Other histories:" }
                    @for (number, other) in others.into_iter().enumerate() {
                        @if number > 0 { "," }
                        " " a href=(history_address(web, self.model, other)) {
                            "windows of " (format::short(Tag::find(&other.data.tags, tags::WINDOW).unwrap_or_default(), 20))
                        }
                        " begun " (format::time_text(other.info.start_time.unwrap_or_default()))
                    }
                }
            }
        }
    }
}

/// Alerts that are over, the latest first.
fn over(recorded: &Recorded) -> Markup {
    let mut over: Vec<&Episode> =
        recorded.alerts.iter().filter(|one| one.ended.is_some()).collect();
    over.sort_by_key(|one| std::cmp::Reverse(one.ended));
    html! {
        @if !over.is_empty() {
            details.more {
                summary { (over.len()) @if over.len() == 1 { " alert is over" } @else { " alerts are over" } }
                ul {
                    @for one in over.iter().take(ALERTS_MAX) {
                        li {
                            (one.series) ", " (one.began.name(recorded.window))
                            @if let Some(ended) = one.ended { " until " (ended.name(recorded.window)) }
                            span.why { " (" (one.rule) ")" }
                        }
                    }
                }
            }
        }
    }
}
