//! Columns of metrics' histories: read for the runs that are shown, and no further than a page may take.

use std::collections::{BTreeMap, BTreeSet};

use trainyard_mlflow::entities::{Metric, Run};
use trainyard_mlflow::{Extremes, FindExtremes, Result, StepValue, Tracking};

use crate::columns::{Column, End, OfHistory};

/// Values that are read for a page: about a tenth of a second.
pub(crate) const PAGE_VALUES_MAX: usize = 400_000;

/// What a column says of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Found {
    Exact(StepValue),
    /// The history is longer than what was read: its smallest value is this one or a smaller one, its largest this one or
    /// a larger one.
    Bound(End, f64),
    /// It is longer, and the step of its extreme is not known.
    TooLong,
}

/// What columns of histories say of runs; nothing of those that have no such values.
#[derive(Debug, Default)]
pub(crate) struct OfHistories {
    /// By the name of the column and the id of the run.
    found: BTreeMap<String, BTreeMap<String, Found>>,
}

impl OfHistories {
    /// Of these runs, which have their metrics, as far as columns are of them. At most `values_max` values are read for
    /// all of it.
    pub(crate) async fn read<'a>(
        tracking: &Tracking,
        runs: impl Iterator<Item = &'a Run> + Clone,
        columns: &[Column],
        values_max: usize,
    ) -> Result<Self> {
        let of_histories: Vec<(&Column, &OfHistory)> = columns
            .iter()
            .filter_map(|column| Some((column, column.of_history.as_ref()?)))
            .collect();
        let keys: BTreeSet<&str> =
            of_histories.iter().map(|(column, of)| of.extreme_of(&column.key).1).collect();
        let mut extremes: BTreeMap<&str, BTreeMap<String, Extremes>> = BTreeMap::new();
        for key in &keys {
            let run_ids = having(runs.clone(), key);
            let values_max = values_max / keys.len();
            let asked =
                FindExtremes { run_ids: run_ids.clone(), key: (*key).to_owned(), values_max };
            let found = tracking.runs.extremes(asked).await?;
            let found = run_ids.into_iter().zip(found).filter_map(|(id, found)| Some((id, found?)));
            extremes.insert(key, found.collect());
        }
        let mut found = BTreeMap::new();
        for (column, of) in of_histories {
            let (end, key) = of.extreme_of(&column.key);
            let Some(extremes) = extremes.get(key) else { continue };
            let of_runs = match of {
                OfHistory::Extreme(_end) => extremes
                    .iter()
                    .map(|(id, extremes)| (id.clone(), extreme(extremes, end)))
                    .collect(),
                OfHistory::At(..) => {
                    let having = having(runs.clone(), &column.key).into_iter();
                    let known = having.filter_map(|id| Some((extremes.get(&id).copied()?, id)));
                    at(tracking, &column.key, end, known.collect()).await?
                }
            };
            found.insert(column.name(), of_runs);
        }
        Ok(Self { found })
    }

    pub(crate) fn of(&self, column: &Column, run: &Run) -> Option<Found> {
        self.found.get(&column.name())?.get(&run.info.run_id).copied()
    }

    /// Whether some of it is not known exactly.
    pub(crate) fn is_cut(&self) -> bool {
        let mut found = self.found.values().flat_map(BTreeMap::values);
        found.any(|found| !matches!(found, Found::Exact(_)))
    }

    /// Gives runs what is known exactly, as metrics of theirs.
    pub(crate) fn put_into(&self, runs: &mut [Run], columns: &[Column]) {
        for run in runs {
            for column in columns {
                if let Some(Found::Exact(found)) = self.of(column, run) {
                    let key = column.metric_key().into_owned();
                    run.data.metrics.push(Metric::new(key, found.value, 0, found.step));
                }
            }
        }
    }
}

/// The ids of the runs that have a metric.
fn having<'a>(runs: impl Iterator<Item = &'a Run>, key: &str) -> Vec<String> {
    let having = runs.filter(|run| run.data.metric(key).is_some());
    having.map(|run| run.info.run_id.clone()).collect()
}

fn end_of(extremes: &Extremes, end: End) -> StepValue {
    match end {
        End::Min => extremes.min,
        End::Max => extremes.max,
    }
}

fn extreme(extremes: &Extremes, end: End) -> Found {
    let found = end_of(extremes, end);
    if extremes.is_whole { Found::Exact(found) } else { Found::Bound(end, found.value) }
}

/// Values of a metric where another one has its extreme.
async fn at(
    tracking: &Tracking,
    key: &str,
    end: End,
    known: Vec<(Extremes, String)>,
) -> Result<BTreeMap<String, Found>> {
    let (whole, cut): (Vec<_>, Vec<_>) = known.into_iter().partition(|(of, _)| of.is_whole);
    let at: Vec<(String, i64)> =
        whole.into_iter().map(|(of, id)| (id, end_of(&of, end).step)).collect();
    let values = tracking.runs.values_at(key, at.clone()).await?;
    let exact = at.into_iter().zip(values);
    let exact = exact.filter_map(|((id, _step), value)| Some((id, Found::Exact(value?))));
    Ok(cut.into_iter().map(|(_, id)| (id, Found::TooLong)).chain(exact).collect())
}
