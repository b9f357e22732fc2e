//! How an experiment's params and metrics go together: one against another, and several side by side.

use std::borrow::Cow;

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use maud::{Markup, PreEscaped, html};
use trainyard_chart::parallel::{self, Scale, Track};
use trainyard_chart::scatter::{self, Dot};
use trainyard_mlflow::entities::{Experiment, Run};

use crate::boxes;
use crate::columns::{self, Available, Column, Kind};
use crate::direction::Directions;
use crate::drawn;
use crate::error::Result;
use crate::format;
use crate::of_histories::{OfHistories, PAGE_VALUES_MAX};
use crate::page::{self, Section};
use crate::query::Query;
use crate::site::Web;

/// Axes that stand side by side.
const AXES_MAX: usize = 10;
/// Axes of a kind where nobody chose.
const USUAL: usize = 4;
/// Values that can be chosen, by kind.
const OFFERED_MAX: usize = 60;

pub(crate) async fn show(
    State(web): State<Web>,
    Path(experiment_id): Path<String>,
    RawQuery(raw): RawQuery,
) -> Result {
    let experiment = web.tracking.experiments.get(&experiment_id).await?;
    let query = Query::read(raw.as_deref().unwrap_or_default());
    let shown = |available: &Available, _whole: &[Run]| -> Vec<Column> {
        let plane = plane(&query, available);
        axes(&query, available).into_iter().chain(plane.into_iter().flatten()).collect()
    };
    let mut drawn = drawn::to_draw(&web, &experiment.experiment_id, &query, shown).await?;
    let axes = axes(&query, &drawn.available);
    let [x, y] = plane(&query, &drawn.available);
    let mut columns: Vec<Column> = Vec::new();
    for column in axes.iter().chain(&x).chain(&y) {
        if !columns.contains(column) {
            columns.push(column.clone());
        }
    }
    drawn.extend(&web, &experiment.experiment_id, &query, &columns).await?;
    let of_histories =
        OfHistories::read(&web.tracking, drawn.runs.iter(), &columns, PAGE_VALUES_MAX).await?;
    of_histories.put_into(&mut drawn.runs, &columns);
    let (runs, available) = (&drawn.runs, &drawn.available);
    let directions = Directions::of(&experiment);
    let body = html! {
        h1 { "Params × metrics " small { (drawn.counted()) } }
        @if x.is_none() && y.is_none() { (page::empty("No params and no metrics were logged to these runs.", &html! {})) }
        @else {
            (options(&web, &experiment, &query, [x.as_ref(), y.as_ref()], available))
            (drawn.others())
            @if of_histories.is_cut() { p.notice { "Some histories are too long to be read for this page: their runs are left out where they would be needed." } }
            @if let (Some(x), Some(y)) = (&x, &y) {
                (against(&query, runs, x, y, directions))
                (boxes::show(runs, x, y, query.has("ylog"), directions.of_column(y)))
            }
            @else { p.soft { "These runs have no params or no metrics." } }
            h2 { "Side by side" }
            (side_by_side(runs, &axes))
        }
    };
    let trail = [
        (web.links.experiments(), "Experiments".to_owned()),
        (web.links.experiment(&experiment.experiment_id), experiment.name.clone()),
    ];
    let title = "Params × metrics";
    let page = page::layout(&web.links, title, Some(Section::Experiments), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

/// What lies against what: as asked for, or the first param and the first metric.
fn plane(query: &Query, available: &Available) -> [Option<Column>; 2] {
    [("x", Kind::Param), ("y", Kind::Metric)].map(|(name, kind)| {
        let usual = || available.keys(kind).first().map(|key| Column::new(kind, key));
        Column::read(query.one(name)).or_else(usual)
    })
}

/// The columns that were asked for, or the first params and metrics; the last metric has the colours.
fn axes(query: &Query, available: &Available) -> Vec<Column> {
    let mut axes = columns::chosen(query);
    if axes.is_empty() {
        let of = |kind: Kind| {
            available.keys(kind).iter().take(USUAL).map(move |key| Column::new(kind, key))
        };
        axes = of(Kind::Metric).chain(of(Kind::Param)).collect();
    }
    // Params are causes and come first.
    axes.sort_by_key(|column| column.kind == Kind::Metric);
    axes.truncate(AXES_MAX);
    axes
}

fn name_of(run: &Run) -> &str {
    page::run_name(&run.info.run_name, &run.info.run_id)
}

fn against(
    query: &Query,
    runs: &[Run],
    x: &Column,
    y: &Column,
    directions: Directions<'_>,
) -> Markup {
    let dot = |run: &Run| {
        let at = x.number(run).zip(y.number(run))?;
        let values = format!("{}, {}", format::number(at.0), format::number(at.1));
        Some(Dot { name: format!("{}: {values}", format::short(name_of(run), 80)), at })
    };
    let dots: Vec<Dot> = runs.iter().filter_map(dot).collect();
    let logs = [query.has("xlog"), query.has("ylog")];
    let (x_name, y_name) = (x.title(), y.title());
    html! {
        h2 { (y_name) " against " (x_name) }
        @for column in [y, x] { @if let Some(direction) = directions.of_column(column) { p.soft { (column.title()) ": " (direction.told()) "." } } }
        @match scatter::chart([&x_name, &y_name], &dots, logs) {
            Some(drawing) => (PreEscaped(drawing.0)),
            None => p.soft { "No run has numbers of both." },
        }
    }
}

fn side_by_side(runs: &[Run], axes: &[Column]) -> Markup {
    let placed: Vec<(Scale, Vec<Option<f64>>)> =
        axes.iter().map(|column| placed(column, runs)).collect();
    let track = |(position, run): (usize, &Run)| {
        let places = placed.iter().map(|(_, places)| places.get(position).copied().flatten());
        Track { name: format::short(name_of(run), 80), places: places.collect() }
    };
    let tracks: Vec<Track> = runs.iter().enumerate().map(track).collect();
    let scales: Vec<Scale> = placed.iter().map(|(scale, _)| scale.clone()).collect();
    html! {
        @match parallel::chart(&scales, &tracks) {
            Some(drawing) => div.drawing { (PreEscaped(drawing.0)) },
            None => p.soft { "There are fewer than two values to put side by side." },
        }
    }
}

/// Where each run lies on an axis: by size where all values are numbers, by the alphabet otherwise.
fn placed(column: &Column, runs: &[Run]) -> (Scale, Vec<Option<f64>>) {
    let scale = |ends: [String; 2]| Scale { name: column.title(), ends };
    let numbers: Vec<Option<f64>> = runs.iter().map(|run| column.number(run)).collect();
    let is_number = |run: &Run| column.number(run).is_some() || column.text(run).is_none();
    if column.kind == Kind::Metric || runs.iter().all(is_number) {
        let known = || numbers.iter().flatten().copied();
        let low = known().fold(f64::INFINITY, f64::min);
        let high = known().fold(f64::NEG_INFINITY, f64::max);
        // Halved, so that the difference of huge values stays finite.
        let width = high / 2.0 - low / 2.0;
        let place = |value: f64| if width > 0.0 { (value / 2.0 - low / 2.0) / width } else { 0.5 };
        let ends =
            if low <= high { [low, high].map(format::number) } else { <[String; 2]>::default() };
        return (scale(ends), numbers.iter().map(|value| value.map(place)).collect());
    }
    let texts: Vec<Option<String>> =
        runs.iter().map(|run| column.text(run).map(Cow::into_owned)).collect();
    let mut known: Vec<&String> = texts.iter().flatten().collect();
    known.sort_unstable();
    known.dedup();
    let last = known.len().saturating_sub(1);
    let place = |text: &String| {
        let position = known.binary_search(&text).unwrap_or_default();
        if last == 0 { 0.5 } else { position as f64 / last as f64 }
    };
    let end = |text: Option<&&String>| text.map(|text| (*text).clone()).unwrap_or_default();
    let ends = [end(known.first()), end(known.last())];
    (scale(ends), texts.iter().map(|text| text.as_ref().map(place)).collect())
}

/// As a list of all kinds has it.
fn listed(column: &Column) -> String {
    if column.of_history.is_some() { column.title() } else { column.name() }
}

fn options(
    web: &Web,
    experiment: &Experiment,
    query: &Query,
    chosen: [Option<&Column>; 2],
    available: &Available,
) -> Markup {
    let address = web.links.relations(&experiment.experiment_id);
    let offered: Vec<Column> = Kind::ALL
        .into_iter()
        .flat_map(|kind| {
            let keys = available.keys(kind).iter().take(OFFERED_MAX);
            keys.map(move |key| Column::new(kind, key))
        })
        .chain(columns::chosen(query).into_iter().filter(|column| column.of_history.is_some()))
        .collect();
    html! {
        form.filter method="get" action=(address) {
            (query.only(&["run", "q", "view", "order", "col"]).hidden())
            @for (name, column) in ["x", "y"].into_iter().zip(chosen) {
                label {
                    (name) " "
                    select name=(name) {
                        @let unlisted = column.filter(|column| !offered.contains(column));
                        @if let Some(column) = unlisted {
                            option value=(column.name()) selected { (format::short(&listed(column), 60)) }
                        }
                        @for other in &offered {
                            option value=(other.name()) selected[Some(other) == column] { (format::short(&listed(other), 60)) }
                        }
                    }
                }
            }
            label { input type="checkbox" name="xlog" value="1" checked[query.has("xlog")]; " x logarithmic" }
            label { input type="checkbox" name="ylog" value="1" checked[query.has("ylog")]; " y logarithmic" }
            button { "Draw" }
        }
    }
}

#[cfg(test)]
mod tests {
    use trainyard_mlflow::entities::Tag;

    use super::*;

    fn run(value: &str) -> Run {
        let mut run = Run::default();
        run.data.params = vec![Tag::new("p", value)];
        run
    }

    #[test]
    fn numbers_lie_by_size_and_words_by_the_alphabet() {
        let column = Column::new(Kind::Param, "p");
        let (scale, places) = placed(&column, &[run("10"), run("2"), run("6"), Run::default()]);
        assert_eq!(
            (scale.ends, places),
            (["2", "10"].map(str::to_owned), vec![Some(1.0), Some(0.0), Some(0.5), None])
        );
        let (scale, places) = placed(&column, &[run("b"), run("10"), run("c")]);
        assert_eq!(scale.ends, ["10", "c"]);
        assert_eq!(places, [Some(0.5), Some(0.0), Some(1.0)]);
        assert_eq!(placed(&column, &[run("b")]).1, [Some(0.5)]);
    }
}
