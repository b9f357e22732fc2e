//! Runs of an experiment that are drawn together: some as lines or dots with names, or very many of which a few values are
//! read.

use futures::future::try_join_all;
use maud::{Markup, html};
use trainyard_mlflow::entities::Run;
use trainyard_mlflow::{SearchRuns, Wanted, WantedValues};

use crate::columns::{Available, Column, Kind};
use crate::error::Result;
use crate::query::Query;
use crate::run_list::{self, SAMPLED, Sample};
use crate::site::Web;

/// Runs that are drawn with what was logged to them; more curves cannot be told apart.
const DRAWN_MAX: usize = 100;
/// Runs of which a few values are drawn.
const MANY_MAX: usize = 5_000;
/// Values of all of them: some sixty packed kilobytes.
const POINTS_MAX: usize = 40_000;

/// Runs to draw together.
pub(crate) struct Drawn {
    pub(crate) runs: Vec<Run>,
    /// What they have.
    pub(crate) available: Available,
    /// Some of them whole, where the others are not.
    sample: Option<Sample>,
    /// Whether more were asked for than are drawn.
    pub(crate) is_cut: bool,
}

impl Drawn {
    fn of(runs: Vec<Run>, sample: Sample, is_cut: bool) -> Self {
        let mut available = Available::of(runs.iter());
        if sample.has_many {
            available = available.with_metrics_of(sample.available());
        }
        Self { runs, available, sample: Some(sample).filter(|sample| sample.has_many), is_cut }
    }

    /// All of them, or some, with all of their metrics.
    pub(crate) fn whole(&self) -> &[Run] {
        self.sample.as_ref().map_or(&self.runs, |sample| &sample.runs)
    }

    /// Reads on, to very many, where more were asked for than were read: of each the values of these columns alone, and so
    /// many that a drawing of all of them has no more than [`POINTS_MAX`] points. Histories are read for the first ones
    /// alone.
    pub(crate) async fn extend(
        &mut self,
        web: &Web,
        experiment_id: &str,
        query: &Query,
        columns: &[Column],
    ) -> Result<()> {
        let is_stored = columns.iter().all(|column| column.of_history.is_none());
        if !self.is_cut || query.has("run") || !is_stored {
            return Ok(());
        }
        let most = MANY_MAX.min(POINTS_MAX / columns.len().max(1));
        let search = SearchRuns {
            max_results: Some(most as i64),
            ..run_list::search(experiment_id, &query.without(&["group", "page"]))
        };
        let page = web.tracking.runs.search_for(search, values(columns)).await?;
        self.is_cut = page.next_page_token.is_some();
        self.runs = page.items;
        Ok(())
    }

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
                p.soft { "More than these are not drawn together: filter the runs of the experiment, or tick those to draw." }
            }
        }
    }
}

/// What columns are read from.
fn values(columns: &[Column]) -> Wanted {
    let mut wanted = WantedValues::default();
    for column in columns {
        let keys = match column.kind {
            Kind::Metric => &mut wanted.metrics,
            Kind::Param => &mut wanted.params,
            Kind::Tag => &mut wanted.tags,
        };
        if !keys.contains(&column.key) {
            keys.push(column.key.clone());
        }
    }
    Wanted::Values(wanted)
}

/// Those that were chosen (`run=`), or the first ones of the search. Where they have many metrics those are read that
/// `columns` are of, by what some of them have.
pub(crate) async fn to_draw(
    web: &Web,
    experiment_id: &str,
    query: &Query,
    columns: impl Fn(&Available, &[Run]) -> Vec<Column>,
) -> Result<Drawn> {
    let chosen = query.all("run");
    if chosen.is_empty() {
        if let Some(refused) = run_list::unsortable(query) {
            return Err(refused.into());
        }
        let search = SearchRuns {
            max_results: Some(DRAWN_MAX as i64),
            ..run_list::search(experiment_id, &query.without(&["group", "page"]))
        };
        let sample = Sample::of(web, &search).await?;
        let wanted = || run_list::metrics(columns(&sample.available(), &sample.runs).iter());
        let wanted = sample.has_many.then(wanted);
        let page = run_list::found(web, search, wanted.as_ref()).await?;
        let is_cut = page.next_page_token.is_some();
        return Ok(Drawn::of(page.items, sample, is_cut));
    }
    let is_cut = chosen.len() > DRAWN_MAX;
    let ids: Vec<&str> = chosen.into_iter().take(DRAWN_MAX).collect();
    let (first, rest) = ids.split_at(ids.len().min(SAMPLED));
    let first = first.iter().map(|id| web.tracking.runs.get(id));
    let sample = Sample::from(try_join_all(first).await?);
    let runs = if sample.has_many {
        let wanted = run_list::metrics(columns(&sample.available(), &sample.runs).iter());
        run_list::by_ids(web, experiment_id, &ids, wanted).await?
    } else {
        let rest = rest.iter().map(|id| web.tracking.runs.get(id));
        sample.runs.iter().cloned().chain(try_join_all(rest).await?).collect()
    };
    Ok(Drawn::of(runs, sample, is_cut))
}
