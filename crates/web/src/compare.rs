//! Runs side by side.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use futures::future::try_join_all;
use maud::{Markup, html};
use trainyard_mlflow::entities::{Run, Tag};

use crate::direction::{Direction, Directions};
use crate::error::Result;
use crate::format;
use crate::page::{self, Section};
use crate::pagination::Asked;
use crate::query::Query;
use crate::site::Web;

/// Lines of one kind that are shown at once, and cells: with as many columns as there may be, some seventy packed
/// kilobytes.
const LINES_MAX: usize = 500;
const CELLS_MAX: usize = 4_000;
/// More columns than this cannot be compared by eye.
const RUNS_MAX: usize = 20;

pub(crate) async fn show(State(web): State<Web>, RawQuery(raw): RawQuery) -> Result {
    let query = Query::read(raw.as_deref().unwrap_or_default());
    let ids = query.all("run");
    let address = web.links.compare();
    let asked_rows = Asked::new(&address, raw.as_deref());
    let is_cut = ids.len() > RUNS_MAX;
    let asked = ids.iter().take(RUNS_MAX).map(|id| web.tracking.runs.get(id));
    let runs = try_join_all(asked).await?;
    let experiments: BTreeSet<&str> =
        runs.iter().map(|run| run.info.experiment_id.as_str()).collect();
    // Of runs of several experiments only names of metrics tell which values are better.
    let experiment = match experiments.first() {
        Some(id) if experiments.len() == 1 => Some(web.tracking.experiments.get(id).await?),
        _ => None,
    };
    let directions = experiment.as_ref().map(Directions::of).unwrap_or_default();
    let mut trail = vec![(web.links.experiments(), "Experiments".to_owned())];
    trail.extend(experiment.iter().map(|experiment| {
        (web.links.experiment(&experiment.experiment_id), experiment.name.clone())
    }));
    let body = html! {
        h1 { "Compare " small { (runs.len()) @if runs.len() == 1 { " run" } @else { " runs" } } }
        @if is_cut { p.notice { "Only the first " (RUNS_MAX) " are shown." } }
        @if runs.len() < 2 {
            (page::empty("Choose two or more runs.", &html! { p { "Tick them in the table of " a href=(web.links.experiments()) { "an experiment" } ", then press Compare." } }))
        } @else {
            // The curves are a page of one experiment, which may show runs of others.
            @if let Some(run) = runs.first() {
                p { a href=(query.only(&["run"]).at(&web.links.curves(&run.info.experiment_id))) { "Curves of these runs" } }
            }
            (toggle(&web, &runs, &query))
            p.soft { "In bold the best of a line, where it is known which values of a metric are better: ↑ the larger, ↓ the smaller. Who says so is told where the arrow is pointed at." }
            (table(&web, &runs, &query, asked_rows, directions))
        }
    };
    let page = page::layout(&web.links, "Compare runs", Some(Section::Experiments), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

/// Whether only what differs is shown.
fn only_differences(query: &Query) -> bool {
    query.one("differences") == "1"
}

fn toggle(web: &Web, runs: &[Run], query: &Query) -> Markup {
    html! {
        form.filter method="get" action=(web.links.compare()) {
            @for run in runs { input type="hidden" name="run" value=(run.info.run_id); }
            input type="search" name="find" value=(query.one("find")) aria-label="Find metrics, params and tags" placeholder="part of a key";
            label { input type="checkbox" name="differences" value="1" checked[only_differences(query)]; " only what differs" }
            button.quiet { "Show" }
        }
    }
}

/// A line of the table: what it is called, and a cell a run.
struct Line {
    name: String,
    cells: Vec<Option<String>>,
    /// Values of a metric, for the bars.
    values: Vec<Option<f64>>,
    /// Which of them are better.
    direction: Option<Direction>,
}

impl Line {
    fn differs(&self) -> bool {
        self.cells.windows(2).any(|pair| pair.first() != pair.get(1))
    }
}

fn keys<'a>(keys: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    keys.collect()
}

/// By kind: its title, what its parts are called in addresses, and its lines.
fn lines(runs: &[Run], directions: Directions<'_>) -> [(&'static str, &'static str, Vec<Line>); 3] {
    let metric_keys =
        keys(runs.iter().flat_map(|run| run.data.metrics.iter().map(|metric| metric.key.as_str())));
    let param_keys =
        keys(runs.iter().flat_map(|run| run.data.params.iter().map(|param| param.key.as_str())));
    let tag_keys = keys(
        runs.iter()
            .flat_map(|run| run.data.tags.iter().map(|tag| tag.key.as_str()))
            .filter(|key| !key.starts_with("mlflow.") || *key == "mlflow.source.git.commit"),
    );
    // Looked up, as a run may have a hundred thousand of them.
    let metrics_of: Vec<BTreeMap<&str, f64>> = runs
        .iter()
        .map(|run| run.data.metrics.iter().map(|metric| (metric.key.as_str(), metric.value)))
        .map(Iterator::collect)
        .collect();
    let metrics = metric_keys.into_iter().map(|key| {
        let values: Vec<Option<f64>> =
            metrics_of.iter().map(|metrics| metrics.get(key).copied()).collect();
        let cells = values.iter().map(|value| value.map(format::number)).collect();
        Line { name: key.to_owned(), cells, values, direction: directions.find(key) }
    });
    [
        ("Metrics", "metrics", metrics.collect()),
        ("Params", "params", texts(&param_keys, runs, |run| &run.data.params)),
        ("Tags", "tags", texts(&tag_keys, runs, |run| &run.data.tags)),
    ]
}

/// A line a key, of the runs' params or tags.
fn texts(keys: &BTreeSet<&str>, runs: &[Run], pairs: fn(&Run) -> &[Tag]) -> Vec<Line> {
    let of: Vec<BTreeMap<&str, &str>> = runs
        .iter()
        .map(|run| pairs(run).iter().map(|pair| (pair.key.as_str(), pair.value.as_str())))
        .map(Iterator::collect)
        .collect();
    let cell =
        |values: &BTreeMap<&str, &str>, key: &str| values.get(key).map(|value| (*value).to_owned());
    let line = |key: &&str| Line {
        name: (*key).to_owned(),
        cells: of.iter().map(|values| cell(values, key)).collect(),
        values: Vec::new(),
        direction: None,
    };
    keys.iter().map(line).collect()
}

fn table(
    web: &Web,
    runs: &[Run],
    query: &Query,
    asked: Asked<'_>,
    directions: Directions<'_>,
) -> Markup {
    let most = LINES_MAX.min(CELLS_MAX / runs.len().max(1));
    let find = query.one("find").to_lowercase();
    let is_shown = |line: &Line| {
        (!only_differences(query) || line.differs()) && line.name.to_lowercase().contains(&find)
    };
    let kinds = lines(runs, directions).map(|(title, name, lines)| {
        (title, name, lines.into_iter().filter(is_shown).collect::<Vec<_>>())
    });
    html! {
        @if kinds.iter().all(|(_, _, lines)| lines.is_empty()) { p.soft { "Nothing to show." } }
        div.scroll {
            table.compare {
                thead {
                    tr {
                        td {}
                        @for run in runs {
                            th scope="col" { a href=(web.links.run(&run.info.run_id)) { (format::short(page::run_name(&run.info.run_name, &run.info.run_id), 28)) } }
                        }
                    }
                }
                @for (title, name, lines) in &kinds {
                    @let rows = asked.parts(name, lines, most);
                    @if !lines.is_empty() {
                        tbody {
                            tr.section { th scope="rowgroup" colspan=(runs.len() + 1) { (title) } }
                            @for line in rows.items { (row(line)) }
                            @if lines.len() > most { tr { td colspan=(runs.len() + 1) { (rows.others()) } } }
                        }
                    }
                }
            }
        }
    }
}

/// Whether a bar can be as long: MLflow stores infinities as the largest number.
fn is_drawn(value: f64) -> bool {
    value.is_finite() && value.abs() < f64::MAX
}

fn row(line: &Line) -> Markup {
    let differs = line.differs();
    let largest = line
        .values
        .iter()
        .flatten()
        .copied()
        .filter(|value| is_drawn(*value))
        .fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let known = line.values.iter().flatten().copied();
    let best = line.direction.and_then(|direction| direction.best(known));
    html! {
        tr {
            th scope="row" {
                (format::breakable(&format::short(&line.name, 60)))
                @if let Some(direction) = line.direction { " " span.soft title=(direction.told()) { (direction.arrow()) } }
            }
            @for (position, cell) in line.cells.iter().enumerate() {
                @let value = line.values.get(position).copied().flatten().filter(|value| is_drawn(*value));
                td.differs[differs && line.values.is_empty()] title=[value.map(|value| value.to_string())] {
                    @match cell {
                        Some(text) if value.is_some() && value == best => strong.best { (text) },
                        Some(text) => (page::value(text)),
                        None => span.soft { "–" },
                    }
                    @if let Some(value) = value.filter(|_| differs && largest > 0.0) {
                        svg.bar viewBox="0 0 100 4" width="100" height="4" preserveAspectRatio="none" aria-hidden="true" {
                            rect width=(format!("{:.1}", value.abs() / largest * 100.0)) height="4" {}
                        }
                    }
                }
            }
        }
    }
}
