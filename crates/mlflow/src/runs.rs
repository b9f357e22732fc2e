//! Runs, and what is logged to them: metrics, params, tags, datasets, models.

use async_trait::async_trait;
use serde::Serialize;

use crate::curve::{Curve, CurvePoint, DrawCurve, Extent};
use crate::entities::{
    DatasetInput, Metric, ModelInput, ModelOutput, Param, Run, RunInfo, RunStatus, Tag, ViewType,
};
use crate::extremes::{Extremes, FindExtremes, SeenExtremes, StepValue};
use crate::{Page, Result};

/// Arguments of [`Runs::create`].
#[derive(Debug, Clone, Default, Serialize)]
pub struct CreateRun {
    pub experiment_id: String,
    pub user_id: String,
    /// A random name if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_name: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub start_time: i64,
    pub tags: Vec<Tag>,
}

/// Arguments of [`Runs::update`]; what is none stays.
#[derive(Debug, Clone, Default, Serialize)]
pub struct UpdateRun {
    pub run_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<RunStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_name: Option<String>,
}

/// Arguments of [`Runs::log_batch`].
#[derive(Debug, Clone, Default, Serialize)]
pub struct LogBatch {
    pub metrics: Vec<Metric>,
    pub params: Vec<Param>,
    pub tags: Vec<Tag>,
}

/// Arguments of [`Runs::search`].
#[derive(Debug, Clone, Default, Serialize)]
pub struct SearchRuns {
    pub experiment_ids: Vec<String>,
    pub filter: String,
    #[serde(rename = "run_view_type")]
    pub view_type: ViewType,
    /// 1 to 50,000; 1,000 if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_results: Option<i64>,
    pub order_by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_token: Option<String>,
}

/// What a search reads of its runs beside what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing.
    Nothing,
    /// Params, tags, and of the metrics these alone: of thousands a list shows a few.
    Metrics(Vec<String>),
    /// Of each kind these values alone, to draw: metrics without step and time, of a text its beginning.
    Values(WantedValues),
}

/// Keys of what is read of runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedValues {
    pub metrics: Vec<String>,
    pub params: Vec<String>,
    pub tags: Vec<String>,
}

/// Which part of a metric's history to return.
#[derive(Debug, Clone, Default)]
pub struct MetricHistoryPage {
    /// Everything if none.
    pub max_results: Option<i64>,
    pub page_token: Option<String>,
}

/// Values of a history that are read at once where a store has no better way.
const LOOKED_THROUGH_MAX: usize = 25_000;

/// Values of a history that are asked for at a time.
const HISTORY_PAGE: usize = 25_000;

/// What is done with runs.
#[async_trait]
pub trait Runs: Send + Sync {
    async fn create(&self, run: CreateRun) -> Result<Run>;
    /// The run with everything that was logged to it, deleted or not.
    async fn get(&self, run_id: &str) -> Result<Run>;
    /// Refuses a caller who may not write the run's files. This default refuses nobody: a store asks
    /// nobody who they are.
    async fn may_write_files(&self, _run_id: &str) -> Result<()> {
        Ok(())
    }
    async fn update(&self, update: UpdateRun) -> Result<RunInfo>;
    async fn delete(&self, run_id: &str) -> Result<()>;
    async fn restore(&self, run_id: &str) -> Result<()>;
    async fn search(&self, search: SearchRuns) -> Result<Page<Run>>;
    /// The same, of which no more than this is looked at. This default reads all.
    async fn search_for(&self, search: SearchRuns, _wanted: Wanted) -> Result<Page<Run>> {
        self.search(search).await
    }
    /// Number of the runs that a search would find, whatever its page. This default pages through
    /// all of them.
    async fn count(&self, search: SearchRuns) -> Result<i64> {
        let mut count = 0;
        let mut page_token = None;
        loop {
            let page = SearchRuns { max_results: Some(50_000), page_token, ..search.clone() };
            let found = self.search(page).await?;
            count += i64::try_from(found.items.len()).unwrap_or(i64::MAX);
            page_token = found.next_page_token;
            if page_token.is_none() {
                return Ok(count);
            }
        }
    }
    async fn log_metric(&self, run_id: &str, metric: Metric) -> Result<()>;
    async fn log_param(&self, run_id: &str, param: Param) -> Result<()>;
    async fn set_tag(&self, run_id: &str, tag: Tag) -> Result<()>;
    async fn delete_tag(&self, run_id: &str, key: &str) -> Result<()>;
    /// Logs metrics, params and tags, all or nothing.
    async fn log_batch(&self, run_id: &str, batch: LogBatch) -> Result<()>;
    /// Logs what the run reads.
    async fn log_inputs(
        &self,
        run_id: &str,
        datasets: Vec<DatasetInput>,
        models: Vec<ModelInput>,
    ) -> Result<()>;
    /// Logs models that the run made.
    async fn log_outputs(&self, run_id: &str, models: Vec<ModelOutput>) -> Result<()>;
    /// Ordered by timestamp, step, value. An unknown run or key has no history.
    async fn metric_history(
        &self,
        run_id: &str,
        key: &str,
        page: MetricHistoryPage,
    ) -> Result<Page<Metric>>;
    /// The extremes of a metric, run by run; none of a run without a number. Of what is too long the newest steps are
    /// looked at. This default reads from the beginning.
    async fn extremes(&self, asked: FindExtremes) -> Result<Vec<Option<Extremes>>> {
        let mut left = asked.values_max;
        let mut found = Vec::with_capacity(asked.run_ids.len());
        for (position, run_id) in asked.run_ids.iter().enumerate() {
            let share = left / (asked.run_ids.len() - position);
            let share = share.clamp(1, LOOKED_THROUGH_MAX);
            let first = MetricHistoryPage {
                max_results: Some(i64::try_from(share).unwrap_or(i64::MAX)),
                page_token: None,
            };
            let history = self.metric_history(run_id, &asked.key, first).await?;
            left = left.saturating_sub(history.items.len());
            let mut seen = SeenExtremes::default();
            for metric in &history.items {
                seen.see(metric.into());
            }
            found.push(seen.extremes(history.next_page_token.is_none()));
        }
        Ok(found)
    }
    /// A metric of each run as it stood at a step: its newest value of that step, or of the last one before. This default
    /// knows only short histories.
    async fn values_at(&self, key: &str, at: Vec<(String, i64)>) -> Result<Vec<Option<StepValue>>> {
        let mut found = Vec::with_capacity(at.len());
        for (run_id, step) in at {
            let max_results = i64::try_from(LOOKED_THROUGH_MAX).ok();
            let whole = MetricHistoryPage { max_results, page_token: None };
            let history = self.metric_history(&run_id, key, whole).await?;
            let is_whole = history.next_page_token.is_none();
            let before = history.items.iter().filter(|metric| metric.step <= step);
            // Of equals the last, as histories go by time.
            let newest = before.max_by_key(|metric| metric.step).filter(|_| is_whole);
            found.push(newest.map(StepValue::from));
        }
        Ok(found)
    }

    /// A metric's history to draw. An unknown run or key has no values. This default reads it from its beginning, and
    /// what is too long is cut.
    async fn curve(&self, run_id: &str, key: &str, asked: DrawCurve) -> Result<Curve> {
        let is_asked = |point: &CurvePoint| {
            asked.steps.is_none_or(|(from, to)| (from..=to).contains(&point.step))
        };
        let max_results = i64::try_from(asked.whole_max.clamp(1, HISTORY_PAGE)).ok();
        let mut page = MetricHistoryPage { max_results, page_token: None };
        let mut points = Vec::new();
        loop {
            let found = self.metric_history(run_id, key, page.clone()).await?;
            points.extend(found.items.iter().map(CurvePoint::from).filter(is_asked));
            page.page_token = found.next_page_token;
            if page.page_token.is_none() || points.len() >= asked.whole_max {
                let is_cut = page.page_token.is_some() || points.len() > asked.whole_max;
                points.truncate(asked.whole_max);
                return Ok(Curve::new(points, if is_cut { Extent::Cut } else { Extent::Whole }));
            }
        }
    }
}
