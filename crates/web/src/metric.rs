//! The history of one metric: a chart and the values.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use maud::html;
use serde::Deserialize;
use trainyard_mlflow::entities::Metric;
use trainyard_mlflow::{Error, MetricHistoryPage};

use crate::error::Result;
use crate::format;
use crate::history;
use crate::links::query;
use crate::live;
use crate::page::{self, Section};
use crate::site::Web;

/// Most values that are read for the chart.
const VALUES_MAX: usize = 100_000;
const PAGE_SIZE: i64 = 25_000;
/// Values in the table, at a time.
const ROWS_MAX: usize = 200;

/// What the address may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// First row of the table.
    #[serde(default)]
    from: usize,
}

pub(crate) async fn show(
    State(web): State<Web>,
    Path((run_id, key)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result {
    let run = web.tracking.runs.get(&run_id).await?;
    let (history, is_cut) = history(&web, &run_id, &key).await?;
    if history.is_empty() {
        return Err(Error::not_found(format!("the run has no metric {key:?}")).into());
    }
    let finite = || history.iter().map(|metric| metric.value).filter(|value| value.is_finite());
    let (low, high) =
        (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let address = web.links.metric(&run_id, &key);
    let rows = history.iter().skip(asked.from).take(ROWS_MAX);
    let end = asked.from.saturating_add(ROWS_MAX);
    let values = html! {
        p.soft {
            (history.len()) @if history.len() == 1 { " value" } @else { " values" }
            @if is_cut { ", the first; the API has all" }
            @if low < high { ", from " (format::number(low)) " to " (format::number(high)) }
        }
        @if history.len() > 1 { (history::large(&key, &history)) }
        @let curves = web.links.curves(&run.info.experiment_id);
        p { a href={ (curves) (query(&[("metric", key.as_str())])) } { "The same of other runs" } }
        h2 { "Values" }
        div.scroll {
            table {
                thead { tr { th.number { "Step" } th.number { "Value" } th { "Time (UTC)" } } }
                tbody {
                    @for metric in rows {
                        tr {
                            td.number { (metric.step) }
                            td.number title=(metric.value.to_string()) { (format::number(metric.value)) }
                            td.tight { (format::time(metric.timestamp)) }
                        }
                    }
                }
            }
        }
        div.actions {
            @if asked.from > 0 { a href={ (address) "?from=" (asked.from.saturating_sub(ROWS_MAX)) } rel="prev" { "Earlier values" } }
            @if end < history.len() { a href={ (address) "?from=" (end) } rel="next" { "Later values" } }
        }
    };
    let body = html! { h1 { (key) } (live::part("values", &values)) };
    let name = page::run_name(&run.info.run_name, &run.info.run_id).to_owned();
    let trail = [
        (web.links.experiments(), "Experiments".to_owned()),
        (web.links.experiment(&run.info.experiment_id), "Runs".to_owned()),
        (web.links.run(&run_id), name),
    ];
    let page = page::layout(&web.links, &key, Some(Section::Experiments), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

/// The values, of very many the first hundred thousand, and whether there are more.
pub(crate) async fn history(web: &Web, run_id: &str, key: &str) -> Result<(Vec<Metric>, bool)> {
    let mut history = Vec::new();
    let mut page = MetricHistoryPage { max_results: Some(PAGE_SIZE), page_token: None };
    loop {
        let found = web.tracking.runs.metric_history(run_id, key, page.clone()).await?;
        history.extend(found.items);
        page.page_token = found.next_page_token;
        let is_cut = page.page_token.is_some();
        if !is_cut || history.len() >= VALUES_MAX {
            return Ok((history, is_cut));
        }
    }
}
