//! Which runs of an experiment were asked for: found, counted, and nested ones below those they are part of.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use futures::future::try_join_all;
use trainyard_mlflow::entities::{Experiment, Run, ViewType};
use trainyard_mlflow::{Error as StoreError, Page, SearchRuns, Wanted};

use crate::columns::{Available, Column};
use crate::direction::Directions;
use crate::error::{Error, Result, status};
use crate::grammar;
use crate::of_histories::{OfHistories, PAGE_VALUES_MAX};
use crate::query::Query;
use crate::site::Web;

/// Runs a page.
const PAGE_SIZE: i64 = 100;
/// Nested runs of all runs on a page, about.
const NESTED_MAX: i64 = 300;
/// Runs whose nested runs are looked for at once.
const AT_ONCE: usize = 4;
/// Runs that are read whole first, and metrics of one from which on the others are not: a list shows a few of thousands.
pub(crate) const SAMPLED: usize = 5;
const FEW_METRICS: usize = 200;
/// The tag of a nested run: whose part it is.
pub(crate) const PARENT: &str = "mlflow.parentRunId";

/// Runs of a page.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) runs: Vec<Run>,
    /// By the id of the run of the table that they are part of, or that what they are part of is part of.
    pub(crate) nested: BTreeMap<String, Vec<Run>>,
    /// Whether there are more of them than are here.
    pub(crate) is_nested_cut: bool,
    pub(crate) next_page_token: Option<String>,
    /// Runs on all pages, nested ones as well.
    pub(crate) total: i64,
    /// Of them those that are nested, where these are below others.
    pub(crate) nested_total: i64,
    /// What runs have.
    pub(crate) available: Available,
    /// What is shown of it.
    pub(crate) columns: Vec<Column>,
    /// What columns of histories say.
    pub(crate) of_histories: OfHistories,
    /// Why the runs are not those that were asked for.
    pub(crate) refused: Option<String>,
}

impl Listed {
    /// All runs of the page.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Run> + Clone {
        self.runs.iter().chain(self.nested.values().flatten())
    }
}

/// The search that an address means.
pub(crate) fn search(experiment_id: &str, query: &Query) -> SearchRuns {
    let order = query.one("order");
    let group = group(query).and_then(|column| column.field());
    // Nothing may be ordered by twice.
    let group = group.filter(|field| !order.starts_with(field.as_str()));
    let orders = group.map(|field| format!("{field} ASC")).into_iter();
    SearchRuns {
        experiment_ids: vec![experiment_id.to_owned()],
        filter: grammar::runs(query.one("q")),
        view_type: match query.one("view") {
            "deleted" => ViewType::DeletedOnly,
            "all" => ViewType::All,
            _ => ViewType::ActiveOnly,
        },
        max_results: Some(PAGE_SIZE),
        order_by: orders.chain(Some(order.to_owned()).filter(|order| !order.is_empty())).collect(),
        page_token: Some(query.one("page").to_owned()).filter(|token| !token.is_empty()),
    }
}

/// The column that runs are grouped by, which is one that is stored.
pub(crate) fn group(query: &Query) -> Option<Column> {
    Column::read(query.one("group")).filter(|column| column.of_history.is_none())
}

/// Nested runs lie below others where nothing else says which runs to show. What is deleted stands alone: the run
/// that it was part of mostly is not.
fn folds(query: &Query) -> bool {
    query.one("view") != "deleted"
        && !["q", "group", "flat"].into_iter().any(|name| query.has(name))
}

/// The page's runs with these columns, or the usual ones. Where the filter or the order is refused, all runs and the
/// reason.
pub(crate) async fn read(
    web: &Web,
    experiment: &Experiment,
    query: &Query,
    columns: &[Column],
) -> Result<Listed> {
    let experiment_id = &experiment.experiment_id;
    let first = Directions::of(experiment).named();
    let asked = Asked { web, columns, group: group(query), first };
    let found = match unsortable(query) {
        Some(error) => Err(error.into()),
        None => asked.found(search(experiment_id, query), folds(query)).await,
    };
    let refused = match found {
        Err(Error::Store(error)) if status(&error) == StatusCode::BAD_REQUEST => error,
        other => return other,
    };
    let plain = query.only(&["view", "flat"]);
    if plain == *query {
        return Err(refused.into());
    }
    let listed = asked.found(search(experiment_id, &plain), folds(&plain)).await?;
    Ok(Listed { refused: Some(refused.for_clients().to_owned()), ..listed })
}

/// A refusal of an order by what is read for the runs of a page alone.
pub(crate) fn unsortable(query: &Query) -> Option<StoreError> {
    let order = query.one("order").trim();
    let name = order.rsplit_once(' ').map_or(order, |(name, _direction)| name);
    Column::read(&name.replace(['`', '"'], "")).filter(|column| column.of_history.is_some())?;
    let told = "it is read for the runs of a page, so all runs cannot be sorted by it";
    Some(StoreError::invalid(format!("invalid order {order:?}: {told}")))
}

/// What is to be listed.
struct Asked<'a> {
    web: &'a Web,
    columns: &'a [Column],
    group: Option<Column>,
    /// Metrics that come before others.
    first: Vec<&'a str>,
}

impl Asked<'_> {
    async fn found(&self, search: SearchRuns, folds: bool) -> Result<Listed> {
        let runs = &self.web.tracking.runs;
        let total = runs.count(search.clone()).await?;
        let sample = Sample::of(self.web, &search).await?;
        let wanted = sample.has_many.then(|| {
            let usual = || sample.available().with_first(&self.first).usual();
            let usual = if self.columns.is_empty() { usual() } else { Vec::new() };
            metrics(self.columns.iter().chain(&usual).chain(&self.group))
        });
        let listed = self.listed(search, folds, wanted.as_ref(), total).await?;
        let mut available = Available::of(listed.all());
        if wanted.is_some() {
            available = available.with_metrics_of(sample.available());
        }
        let available = available.with_first(&self.first);
        let columns =
            if self.columns.is_empty() { available.usual() } else { self.columns.to_vec() };
        let of_histories =
            OfHistories::read(&self.web.tracking, listed.all(), &columns, PAGE_VALUES_MAX).await?;
        Ok(Listed { available, columns, of_histories, ..listed })
    }

    async fn listed(
        &self,
        search: SearchRuns,
        folds: bool,
        wanted: Option<&Wanted>,
        total: i64,
    ) -> Result<Listed> {
        let web = self.web;
        let is_part = |not: &str| format!("tags.`{PARENT}` IS {not}NULL");
        let nested_total = if folds {
            let nested = SearchRuns { filter: is_part("NOT "), ..search.clone() };
            web.tracking.runs.count(nested).await?
        } else {
            0
        };
        if nested_total == 0 {
            let page = found(web, search, wanted).await?;
            let next_page_token = page.next_page_token;
            return Ok(Listed { runs: page.items, next_page_token, total, ..Listed::default() });
        }
        let top = SearchRuns { filter: is_part(""), ..search.clone() };
        let page = found(web, top, wanted).await?;
        let is_whole = search.page_token.is_none() && page.next_page_token.is_none();
        let nested = Nested::below(web, &search, wanted, &page.items, nested_total).await?;
        Ok(Listed {
            runs: page.items,
            // Where these are all runs, what is still missing is part of a run that is deleted, or of another experiment.
            is_nested_cut: nested.is_cut || (is_whole && nested.count < nested_total),
            nested: nested.by_run,
            next_page_token: page.next_page_token,
            total,
            nested_total,
            ..Listed::default()
        })
    }
}

/// A page of runs, whole or with what is wanted of them.
pub(crate) async fn found(
    web: &Web,
    search: SearchRuns,
    wanted: Option<&Wanted>,
) -> trainyard_mlflow::Result<Page<Run>> {
    match wanted {
        Some(wanted) => web.tracking.runs.search_for(search, wanted.clone()).await,
        None => web.tracking.runs.search(search).await,
    }
}

/// The metrics that columns are read from.
pub(crate) fn metrics<'a>(columns: impl Iterator<Item = &'a Column>) -> Wanted {
    let mut keys: Vec<String> = columns.flat_map(Column::metric_keys).map(str::to_owned).collect();
    keys.sort_unstable();
    keys.dedup();
    Wanted::Metrics(keys)
}

/// The first runs of many, whole: by these it is known what there is to show.
pub(crate) struct Sample {
    pub(crate) runs: Vec<Run>,
    /// Whether they have so many metrics that the others are not read whole.
    pub(crate) has_many: bool,
}

impl Sample {
    pub(crate) async fn of(web: &Web, search: &SearchRuns) -> Result<Self> {
        let first = SearchRuns { max_results: Some(SAMPLED as i64), ..search.clone() };
        Ok(Self::from(web.tracking.runs.search(first).await?.items))
    }

    pub(crate) fn available(&self) -> Available {
        Available::of(self.runs.iter())
    }
}

impl From<Vec<Run>> for Sample {
    fn from(runs: Vec<Run>) -> Self {
        let has_many = runs.iter().any(|run| run.data.metrics.len() > FEW_METRICS);
        Self { runs, has_many }
    }
}

/// What is below the runs of a page.
#[derive(Default)]
struct Nested {
    by_run: BTreeMap<String, Vec<Run>>,
    count: i64,
    is_cut: bool,
}

impl Nested {
    /// Level by level. Each run is asked for by itself, which the index of tags answers: a condition that has all of
    /// them is tried on each run of the experiment, and took half a minute among a hundred thousand.
    async fn below(
        web: &Web,
        search: &SearchRuns,
        wanted: Option<&Wanted>,
        runs: &[Run],
        total: i64,
    ) -> Result<Self> {
        let mut nested = Self::default();
        // Whose parts, and below which run of the table.
        let ids = runs.iter().map(|run| (run.info.run_id.clone(), run.info.run_id.clone()));
        let mut level: Vec<(String, String)> = ids.collect();
        while !level.is_empty() {
            let mut next = Vec::new();
            for some in level.chunks(AT_ONCE) {
                let left = NESTED_MAX - nested.count;
                if left <= 0 || nested.count >= total {
                    nested.is_cut |= nested.count < total;
                    return Ok(nested);
                }
                let parts = some.iter().map(|(run_id, _top)| {
                    let filter = format!("tags.`{PARENT}` = '{run_id}'");
                    let max_results = Some(left);
                    let search =
                        SearchRuns { filter, max_results, page_token: None, ..search.clone() };
                    found(web, search, wanted)
                });
                for ((_run_id, top), parts) in some.iter().zip(try_join_all(parts).await?) {
                    nested.is_cut |= parts.next_page_token.is_some();
                    nested.count += parts.items.len() as i64;
                    let ids = parts.items.iter().map(|run| run.info.run_id.clone());
                    next.extend(ids.map(|run_id| (run_id, top.clone())));
                    if !parts.items.is_empty() {
                        nested.by_run.entry(top.clone()).or_default().extend(parts.items);
                    }
                }
            }
            level = next;
        }
        Ok(nested)
    }
}

/// Runs in the order of their ids, with what is wanted of them. Those of other experiments are read whole.
pub(crate) async fn by_ids(
    web: &Web,
    experiment_id: &str,
    ids: &[&str],
    wanted: Wanted,
) -> Result<Vec<Run>> {
    let search = SearchRuns {
        experiment_ids: vec![experiment_id.to_owned()],
        filter: format!("attributes.run_id IN ({})", quoted(ids)),
        view_type: ViewType::All,
        max_results: Some(ids.len().max(1) as i64),
        ..SearchRuns::default()
    };
    let found = web.tracking.runs.search_for(search, wanted).await?;
    let found = found.items.into_iter().map(|run| (run.info.run_id.clone(), run));
    let mut found: BTreeMap<String, Run> = found.collect();
    let mut runs = Vec::with_capacity(ids.len());
    for id in ids {
        match found.remove(*id) {
            Some(run) => runs.push(run),
            None => runs.push(web.tracking.runs.get(id).await?),
        }
    }
    Ok(runs)
}

/// Ids as a filter lists them; what cannot be one is left out.
pub(crate) fn quoted(ids: &[&str]) -> String {
    let is_id = |id: &str| id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let ids = ids.iter().filter(|id| is_id(id)).map(|id| format!("'{id}'"));
    let ids: Vec<String> = ids.collect();
    if ids.is_empty() { "''".to_owned() } else { ids.join(", ") }
}
