//! Which runs of an experiment were asked for: found, counted, and nested ones below those they are part of.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use futures::future::try_join_all;
use maud::{Markup, html};
use trainyard_mlflow::SearchRuns;
use trainyard_mlflow::entities::{Run, ViewType};

use crate::columns::Column;
use crate::error::{Error, Result, status};
use crate::grammar;
use crate::query::Query;
use crate::site::Web;

/// Runs a page.
const PAGE_SIZE: i64 = 100;
/// Nested runs of all runs on a page, about.
const NESTED_MAX: i64 = 300;
/// Runs whose nested runs are looked for at once.
const AT_ONCE: usize = 4;
/// Runs that are drawn together; more cannot be told apart.
pub(crate) const DRAWN_MAX: usize = 100;
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
    let group = group(query).map(|column| column.field());
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

/// The column that runs are grouped by.
pub(crate) fn group(query: &Query) -> Option<Column> {
    Column::read(query.one("group"))
}

/// Nested runs lie below others where nothing else says which runs to show. What is deleted stands alone: the run
/// that it was part of mostly is not.
fn folds(query: &Query) -> bool {
    query.one("view") != "deleted"
        && !["q", "group", "flat"].into_iter().any(|name| query.has(name))
}

/// The page's runs. Where the filter or the order is refused, all runs and the reason.
pub(crate) async fn read(web: &Web, experiment_id: &str, query: &Query) -> Result<Listed> {
    let refused = match found(web, search(experiment_id, query), folds(query)).await {
        Err(Error::Store(error)) if status(&error) == StatusCode::BAD_REQUEST => error,
        other => return other,
    };
    let plain = query.only(&["view", "flat"]);
    if plain == *query {
        return Err(refused.into());
    }
    let listed = found(web, search(experiment_id, &plain), folds(&plain)).await?;
    Ok(Listed { refused: Some(refused.for_clients().to_owned()), ..listed })
}

async fn found(web: &Web, search: SearchRuns, folds: bool) -> Result<Listed> {
    let runs = &web.tracking.runs;
    let total = runs.count(search.clone()).await?;
    let is_part = |not: &str| format!("tags.`{PARENT}` IS {not}NULL");
    let nested_total = if folds {
        runs.count(SearchRuns { filter: is_part("NOT "), ..search.clone() }).await?
    } else {
        0
    };
    if nested_total == 0 {
        let page = runs.search(search).await?;
        let next_page_token = page.next_page_token;
        return Ok(Listed { runs: page.items, next_page_token, total, ..Listed::default() });
    }
    let page = runs.search(SearchRuns { filter: is_part(""), ..search.clone() }).await?;
    let is_whole = search.page_token.is_none() && page.next_page_token.is_none();
    let nested = Nested::below(web, &search, &page.items, nested_total).await?;
    Ok(Listed {
        runs: page.items,
        // Where these are all runs, what is still missing is part of a run that is deleted, or of another experiment.
        is_nested_cut: nested.is_cut || (is_whole && nested.count < nested_total),
        nested: nested.by_run,
        next_page_token: page.next_page_token,
        total,
        nested_total,
        refused: None,
    })
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
    async fn below(web: &Web, search: &SearchRuns, runs: &[Run], total: i64) -> Result<Self> {
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
                    web.tracking.runs.search(search)
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

/// Runs to draw together.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) runs: Vec<Run>,
    /// Whether more were asked for than are drawn.
    pub(crate) is_cut: bool,
}

impl Drawn {
    /// How many there are, for a heading.
    pub(crate) fn counted(&self) -> String {
        match (self.is_cut, self.runs.len()) {
            (true, count) => format!("the first {count} runs"),
            (false, 1) => "1 run".to_owned(),
            (false, count) => format!("{count} runs"),
        }
    }

    /// What to do about those that are not drawn.
    pub(crate) fn others(&self) -> Markup {
        html! {
            @if self.is_cut {
                p.soft { "More lines than these cannot be told apart: filter the runs of the experiment, or tick those to draw." }
            }
        }
    }
}

/// Those that were chosen (`run=`), or the first ones of the search.
pub(crate) async fn to_draw(web: &Web, experiment_id: &str, query: &Query) -> Result<Drawn> {
    let chosen = query.all("run");
    if !chosen.is_empty() {
        let is_cut = chosen.len() > DRAWN_MAX;
        let asked = chosen.into_iter().take(DRAWN_MAX).map(|id| web.tracking.runs.get(id));
        return Ok(Drawn { runs: try_join_all(asked).await?, is_cut });
    }
    let search = SearchRuns {
        max_results: Some(DRAWN_MAX as i64),
        ..search(experiment_id, &query.without(&["group", "page"]))
    };
    let found = web.tracking.runs.search(search).await?;
    Ok(Drawn { runs: found.items, is_cut: found.next_page_token.is_some() })
}
