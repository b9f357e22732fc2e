//! Runs, for those who may.

use async_trait::async_trait;
use trainyard_mlflow::entities::{
    DatasetInput, Metric, ModelInput, ModelOutput, Param, Run, RunInfo, Tag,
};
use trainyard_mlflow::{
    CreateRun, Curve, DrawCurve, Extremes, FindExtremes, LogBatch, MetricHistoryPage, Page, Result,
    Runs, SearchRuns, StepValue, UpdateRun, Wanted,
};

use super::guard::Guarded;
use crate::access::permission::Action;
use crate::access::resource::Kind;

impl Guarded {
    /// The experiments out of those asked for whose things of a kind the sender may read. None if there
    /// were some and none is left: there is nothing to find then.
    pub(super) fn open_ones(&self, ids: Vec<String>, kind: Kind) -> Result<Option<Vec<String>>> {
        if ids.is_empty() || self.sees_everything()? {
            return Ok(Some(ids));
        }
        let mut open = Vec::with_capacity(ids.len());
        for id in ids {
            if self.is_open(&id, kind)? {
                open.push(id);
            }
        }
        Ok((!open.is_empty()).then_some(open))
    }
}

#[async_trait]
impl Runs for Guarded {
    async fn create(&self, run: CreateRun) -> Result<Run> {
        self.make_in(&run.experiment_id, Kind::Run)?;
        self.inner.runs.create(run).await
    }

    async fn get(&self, run_id: &str) -> Result<Run> {
        if self.sees_everything()? {
            return self.inner.runs.get(run_id).await;
        }
        self.run(run_id, Action::Read).await?;
        self.inner.runs.get(run_id).await
    }

    async fn may_write_files(&self, run_id: &str) -> Result<()> {
        self.run(run_id, Action::Update).await
    }

    async fn update(&self, update: UpdateRun) -> Result<RunInfo> {
        self.run(&update.run_id, Action::Update).await?;
        self.inner.runs.update(update).await
    }

    async fn delete(&self, run_id: &str) -> Result<()> {
        self.run(run_id, Action::Delete).await?;
        self.inner.runs.delete(run_id).await
    }

    async fn restore(&self, run_id: &str) -> Result<()> {
        self.run(run_id, Action::Delete).await?;
        self.inner.runs.restore(run_id).await
    }

    async fn search(&self, mut search: SearchRuns) -> Result<Page<Run>> {
        let Some(ids) = self.open_ones(search.experiment_ids, Kind::Run)? else {
            return Ok(Page::default());
        };
        search.experiment_ids = ids;
        self.inner.runs.search(search).await
    }

    async fn search_for(&self, mut search: SearchRuns, wanted: Wanted) -> Result<Page<Run>> {
        let Some(ids) = self.open_ones(search.experiment_ids, Kind::Run)? else {
            return Ok(Page::default());
        };
        search.experiment_ids = ids;
        self.inner.runs.search_for(search, wanted).await
    }

    async fn count(&self, mut search: SearchRuns) -> Result<i64> {
        let Some(ids) = self.open_ones(search.experiment_ids, Kind::Run)? else { return Ok(0) };
        search.experiment_ids = ids;
        self.inner.runs.count(search).await
    }

    async fn log_metric(&self, run_id: &str, metric: Metric) -> Result<()> {
        self.run(run_id, Action::Update).await?;
        self.logged_models(metric.model_id.as_deref().into_iter(), Action::Update).await?;
        self.inner.runs.log_metric(run_id, metric).await
    }

    async fn log_param(&self, run_id: &str, param: Param) -> Result<()> {
        self.run(run_id, Action::Update).await?;
        self.inner.runs.log_param(run_id, param).await
    }

    async fn set_tag(&self, run_id: &str, tag: Tag) -> Result<()> {
        self.run(run_id, Action::Update).await?;
        self.inner.runs.set_tag(run_id, tag).await
    }

    async fn delete_tag(&self, run_id: &str, key: &str) -> Result<()> {
        self.run(run_id, Action::Update).await?;
        self.inner.runs.delete_tag(run_id, key).await
    }

    async fn log_batch(&self, run_id: &str, batch: LogBatch) -> Result<()> {
        self.run(run_id, Action::Update).await?;
        let model_ids = batch.metrics.iter().filter_map(|metric| metric.model_id.as_deref());
        self.logged_models(model_ids, Action::Update).await?;
        self.inner.runs.log_batch(run_id, batch).await
    }

    async fn log_inputs(
        &self,
        run_id: &str,
        datasets: Vec<DatasetInput>,
        models: Vec<ModelInput>,
    ) -> Result<()> {
        self.run(run_id, Action::Update).await?;
        let model_ids = models.iter().map(|model| model.model_id.as_str());
        self.logged_models(model_ids, Action::Update).await?;
        self.inner.runs.log_inputs(run_id, datasets, models).await
    }

    async fn log_outputs(&self, run_id: &str, models: Vec<ModelOutput>) -> Result<()> {
        self.run(run_id, Action::Update).await?;
        let model_ids = models.iter().map(|model| model.model_id.as_str());
        self.logged_models(model_ids, Action::Update).await?;
        self.inner.runs.log_outputs(run_id, models).await
    }

    async fn metric_history(
        &self,
        run_id: &str,
        key: &str,
        page: MetricHistoryPage,
    ) -> Result<Page<Metric>> {
        self.run(run_id, Action::Read).await?;
        self.inner.runs.metric_history(run_id, key, page).await
    }

    async fn extremes(&self, asked: FindExtremes) -> Result<Vec<Option<Extremes>>> {
        for run_id in &asked.run_ids {
            self.run(run_id, Action::Read).await?;
        }
        self.inner.runs.extremes(asked).await
    }

    async fn values_at(&self, key: &str, at: Vec<(String, i64)>) -> Result<Vec<Option<StepValue>>> {
        for (run_id, _step) in &at {
            self.run(run_id, Action::Read).await?;
        }
        self.inner.runs.values_at(key, at).await
    }

    async fn curve(&self, run_id: &str, key: &str, asked: DrawCurve) -> Result<Curve> {
        self.run(run_id, Action::Read).await?;
        self.inner.runs.curve(run_id, key, asked).await
    }
}
