//! Metrics of an experiment's runs over their steps or over time, a chart for each metric.

use std::collections::BTreeSet;

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use maud::{Markup, PreEscaped, html};
use trainyard_chart::lines::{self, Line, View};
use trainyard_mlflow::Error as StoreError;
use trainyard_mlflow::entities::{Experiment, Run};

use crate::columns::{Available, Column, Kind};
use crate::curve_data::{self, Across, Curves};
use crate::drawn;
use crate::error::Result;
use crate::format;
use crate::live;
use crate::page::{self, Section};
use crate::query::Query;
use crate::site::Web;

/// Charts of a page.
const CHARTS_MAX: usize = 6;
/// Charts where nobody chose.
const USUAL: usize = 2;
/// Metrics that are offered at once; `find` narrows them.
const OFFERED_MAX: usize = 60;

pub(crate) async fn show(
    State(web): State<Web>,
    Path(experiment_id): Path<String>,
    RawQuery(raw): RawQuery,
) -> Result {
    let experiment = web.tracking.experiments.get(&experiment_id).await?;
    let query = Query::read(raw.as_deref().unwrap_or_default());
    // Until the curves are drawn.
    let _turn = web.turns.take().await;
    let shown = |available: &Available, whole: &[Run]| -> Vec<Column> {
        let keys = chosen(&query, whole, available.keys(Kind::Metric));
        keys.iter().map(|key| Column::new(Kind::Metric, key)).collect()
    };
    let drawn = drawn::to_draw(&web, &experiment.experiment_id, &query, shown).await?;
    let (runs, available) = (&drawn.runs, &drawn.available);
    let metrics = chosen(&query, drawn.whole(), available.keys(Kind::Metric));
    let across = Across::read(query.one("x"));
    let view = view(&query);
    let curves =
        curve_data::read(&web.tracking, runs, &metrics, (across, &view), curve_data::PAGE).await?;
    // A million values take longer to draw than what else this thread serves may wait.
    let drawing = tokio::task::spawn_blocking(move || (charts(&curves, across, &view), curves));
    let (charts, curves) = drawing
        .await
        .map_err(|error| StoreError::internal(format!("the curves are not drawn: {error}")))?;
    let drawings = html! {
        @if curves.is_thinned { p.notice { "There are too many values for one page: long lines are drawn from some of their steps, and what lies between those is not in them, nor among min and max. Choose a part of x, fewer runs or fewer metrics to see more." } }
        @if curves.is_cut { p.notice { "Too many values share a step: some lines end early. Choose fewer runs or metrics." } }
        @if metrics.is_empty() { (page::empty("No metrics were logged to these runs.", &html! {})) }
        (charts)
        (legend(&web, runs, &curves, &view))
    };
    let body = html! {
        h1 { "Curves " small { (drawn.counted()) } }
        @if !metrics.is_empty() { (options(&web, &experiment, &query, &metrics, available.keys(Kind::Metric))) }
        (drawn.others())
        (live::part("curves", &drawings))
    };
    let trail = [
        (web.links.experiments(), "Experiments".to_owned()),
        (web.links.experiment(&experiment.experiment_id), experiment.name.clone()),
    ];
    let page = page::layout(&web.links, "Curves", Some(Section::Experiments), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

/// The metrics that were asked for, or the first that have more than one step.
fn chosen(query: &Query, runs: &[Run], keys: &[String]) -> Vec<String> {
    let asked = query.all("metric");
    if !asked.is_empty() {
        return asked.into_iter().take(CHARTS_MAX).map(str::to_owned).collect();
    }
    let values = runs.iter().flat_map(|run| &run.data.metrics).filter(|metric| metric.step > 0);
    let stepped: BTreeSet<&str> = values.map(|metric| metric.key.as_str()).collect();
    let (curved, flat): (Vec<&String>, Vec<&String>) =
        keys.iter().partition(|key| stepped.contains(key.as_str()));
    curved.into_iter().chain(flat).take(USUAL).cloned().collect()
}

fn view(query: &Query) -> View {
    View {
        x_log: query.has("xlog"),
        y_log: query.has("ylog"),
        smoothing: query.number("smooth").unwrap_or_default().clamp(0.0, 0.99),
        from: query.number("from"),
        to: query.number("to"),
    }
}

fn charts(curves: &Curves, across: Across, view: &View) -> Markup {
    html! {
        @for (key, lines) in &curves.lines {
            section.curve {
                h2 { (key) }
                @match lines::chart(key, across.unit(), lines, view) {
                    Some(drawing) => (PreEscaped(drawing.0)),
                    None => p.soft { "Nothing to draw here." },
                }
            }
        }
    }
}

fn options(
    web: &Web,
    experiment: &Experiment,
    query: &Query,
    metrics: &[String],
    keys: &[String],
) -> Markup {
    let address = web.links.curves(&experiment.experiment_id);
    let is_zoomed = query.has("from") || query.has("to");
    html! {
        form.filter method="get" action=(address) data-curves="" {
            (query.only(&["run", "q", "view", "order"]).hidden())
            label {
                "over "
                select name="x" {
                    @for (name, across) in Across::ALL {
                        option value=(name) selected[Across::read(query.one("x")) == across] { (name) }
                    }
                }
            }
            label { input type="checkbox" name="xlog" value="1" checked[query.has("xlog")]; " x logarithmic" }
            label { input type="checkbox" name="ylog" value="1" checked[query.has("ylog")]; " y logarithmic" }
            label {
                "smoothing "
                input type="number" name="smooth" min="0" max="0.99" step="0.01" value=(query.one("smooth"));
            }
            label { "from " input type="number" name="from" step="any" value=(query.one("from")); }
            label { "to " input type="number" name="to" step="any" value=(query.one("to")); }
            button { "Draw" }
            @if is_zoomed { a href=(query.without(&["from", "to"]).at(&address)) { "Whole range" } }
            (offered(query, metrics, keys))
        }
    }
}

/// Metrics to draw: those that are drawn, and others by a part of their key.
fn offered(query: &Query, metrics: &[String], keys: &[String]) -> Markup {
    let find = query.one("find").to_lowercase();
    let others: Vec<&String> = keys
        .iter()
        .filter(|key| !metrics.contains(key) && key.to_lowercase().contains(&find))
        .collect();
    html! {
        details.more open[query.has("find")] {
            summary { "Metrics (" (metrics.len()) " of " (keys.len()) ", at most " (CHARTS_MAX) ")" }
            p {
                input type="search" name="find" value=(query.one("find")) aria-label="Find metrics" placeholder="part of a key";
            }
            fieldset {
                legend { "Metrics" }
                @for key in metrics {
                    label { input type="checkbox" name="metric" value=(key) checked; " " (format::short(key, 60)) } " "
                }
                @for key in others.iter().take(OFFERED_MAX) {
                    label { input type="checkbox" name="metric" value=(key); " " (format::short(key, 60)) } " "
                }
                @if others.len() > OFFERED_MAX {
                    span.soft { "and " (others.len() - OFFERED_MAX) " more: find them by a part of their key" }
                }
            }
        }
    }
}

/// The smallest and the largest value of a run's line in the part of x that is drawn.
fn extremes(lines: &[Line], number: usize, view: &View) -> Option<[f64; 2]> {
    let line = lines.iter().find(|line| line.number == number)?;
    let is_inside =
        |x: f64| view.from.is_none_or(|from| x >= from) && view.to.is_none_or(|to| x <= to);
    let values = || line.points.iter().filter(|point| is_inside(point.0)).map(|point| point.1);
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    (low <= high).then_some([low, high])
}

/// Which line is whose, its newest value, and the smallest and the largest.
fn legend(web: &Web, runs: &[Run], curves: &Curves, view: &View) -> Markup {
    html! {
        @if !runs.is_empty() {
            div.scroll {
                table.runs.legend {
                    thead {
                        tr {
                            th.name { "Run" }
                            th { "Status" }
                            @for (key, _) in &curves.lines {
                                th.key.number { (format::breakable(&format::short(key, 80))) }
                                th.number { "min" }
                                th.number { "max" }
                            }
                        }
                    }
                    tbody {
                        @for (number, run) in runs.iter().enumerate() {
                            tr {
                                td.tight.name {
                                    svg.swatch.lines viewBox="0 0 28 8" width="28" height="8" aria-hidden="true" {
                                        path class={ "line " (lines::class(number)) } d="M2 4H26" {}
                                    }
                                    " "
                                    a href=(web.links.run(&run.info.run_id)) {
                                        (format::short(page::run_name(&run.info.run_name, &run.info.run_id), 48))
                                    }
                                }
                                td { (page::status(run.info.status)) }
                                @for (key, lines) in &curves.lines {
                                    td.number { @if let Some(value) = run.data.metric(key) { (format::number(value)) } }
                                    @match extremes(lines, number, view) {
                                        Some(ends) => { @for end in ends { td.number { (format::number(end)) } } },
                                        None => td colspan="2" {},
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
