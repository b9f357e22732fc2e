//! Windows as a run: a metric for each measure, with a value a window, which MLflow draws as a line.

use chrono::Utc;
use trainyard_drift::{About, Measure, WindowLength, WindowResult};
use trainyard_mlflow::entities::{KeyValue, LifecycleStage, Metric, RunStatus};
use trainyard_mlflow::{CreateRun, LogBatch, Tracking, UpdateRun, artifacts};

use super::super::job::MonitorJob;
use super::super::record::{BATCH_MAX, metric_name};
use super::look::OverTime;
use crate::Result;

/// Tag of a run of windows: how long they are.
const WINDOW_TAG: &str = "trainyard.window";

impl MonitorJob {
    /// Logs the windows that were looked at, now or while the store was away, to the run of this history, where there is
    /// a tracking store; returns its id. A run that is gone is followed by one that has all windows.
    pub async fn log_windows(&self, over_time: &mut OverTime) -> Result<Option<String>> {
        let Some(tracking) = self.tracking.as_ref() else { return Ok(None) };
        let known = match &over_time.history.run_id {
            Some(run_id) => is_active(tracking, run_id).await?.then(|| run_id.clone()),
            None => None,
        };
        let is_new = known.is_none();
        let run_id = match known {
            Some(run_id) => run_id,
            None => self.create_run(tracking, over_time).await?,
        };
        let length = over_time.history.window;
        let results = over_time.history.windows.iter().map(|kept| &kept.result);
        let unlogged = &over_time.history.unlogged;
        let logged = results.filter(|one| is_new || unlogged.contains(&one.window));
        let metrics: Vec<Metric> = logged.flat_map(|one| metrics_of(one, length)).collect();
        for chunk in metrics.chunks(BATCH_MAX) {
            let batch = LogBatch { metrics: chunk.to_vec(), ..LogBatch::default() };
            tracking.runs.log_batch(&run_id, batch).await?;
        }
        let info = tracking.runs.get(&run_id).await?.info;
        let pending = std::mem::take(&mut over_time.history.unlogged);
        let json = over_time.json();
        over_time.history.unlogged = pending;
        let json = json?;
        let root = &info.artifact_uri;
        tracking.artifacts.upload(root, "windows.json", artifacts::once(json)).await?;
        let update = UpdateRun {
            run_id: run_id.clone(),
            status: Some(RunStatus::Finished),
            end_time: Some(Utc::now().timestamp_millis()),
            run_name: None,
        };
        tracking.runs.update(update).await?;
        if is_new || !over_time.history.unlogged.is_empty() {
            over_time.history.run_id = Some(run_id.clone());
            over_time.history.unlogged.clear();
            over_time.folder.write(&over_time.history)?;
        }
        Ok(Some(run_id))
    }

    async fn create_run(&self, tracking: &Tracking, over_time: &OverTime) -> Result<String> {
        let experiment_id = trainyard_train::experiment(tracking, &self.experiment()).await?;
        let length = over_time.history.window;
        let model = self.project.as_ref().map(|project| &project.config.model.name);
        let tags = [
            KeyValue::new("mlflow.source.name", "trainyard monitor"),
            KeyValue::new(WINDOW_TAG, length.to_string()),
        ];
        let model = model.map(|model| KeyValue::new("trainyard.model", model));
        let run = CreateRun {
            experiment_id,
            user_id: "trainyard".to_owned(),
            run_name: Some(format!("windows-{}", length.to_string().replace(' ', "-"))),
            start_time: Utc::now().timestamp_millis(),
            tags: tags.into_iter().chain(model).collect(),
        };
        Ok(tracking.runs.create(run).await?.info.run_id)
    }
}

/// Whether a run can be logged to.
async fn is_active(tracking: &Tracking, run_id: &str) -> Result<bool> {
    match tracking.runs.get(run_id).await {
        Ok(run) => Ok(run.info.lifecycle_stage == LifecycleStage::Active),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The values of a window, at its beginning; its step is its number.
fn metrics_of(result: &WindowResult, length: WindowLength) -> Vec<Metric> {
    let begins = result.window.begins;
    let (time, step) = match length {
        WindowLength::Time(milliseconds) => (begins, begins.div_euclid(milliseconds)),
        WindowLength::Rows(rows) => (0, begins / rows as i64 + 1),
    };
    let metric = |measure: &Measure| Metric::new(key(measure), measure.value, time, step);
    result.measures.iter().map(metric).collect()
}

/// A measure's name as a metric: `drift_score.amount`, `estimated.accuracy`, `change.drift_score.amount`.
fn key(measure: &Measure) -> String {
    let about = match measure.about {
        About::Data | About::Drift | About::Quality => None,
        About::Change => Some("change"),
        About::Estimate => Some("estimated"),
    };
    let Measure { metric, column, segment, version, .. } = measure;
    let parts = [about, Some(metric.as_str()), column.as_deref(), segment.as_deref()];
    let version = version.as_ref().map(|version| format!("version {version}"));
    let parts: Vec<&str> = parts.into_iter().flatten().chain(version.as_deref()).collect();
    metric_name(&parts.join("."))
}

#[cfg(test)]
mod tests {
    use trainyard_drift::Window;

    use super::*;

    #[test]
    fn measures_are_metrics_with_a_value_a_window() {
        let day = 86_400_000;
        let window = Window { begins: 20_000 * day, ends: 20_001 * day };
        let mut result = WindowResult::new(window, 5);
        result.extend([
            Measure::new(About::Drift, "drift_score", 0.25).of_column("a/b"),
            Measure::new(About::Estimate, "accuracy", 0.5).of_segment("c = 1"),
        ]);
        let metrics = metrics_of(&result, WindowLength::Time(day));
        let keys: Vec<&str> = metrics.iter().map(|metric| metric.key.as_str()).collect();
        assert_eq!(keys, ["drift_score.a_b", "estimated.accuracy.c _ 1"]);
        assert_eq!((metrics[0].timestamp, metrics[0].step), (window.begins, 20_000));
        assert_eq!(metrics_of(&result, WindowLength::Rows(1000))[0].timestamp, 0);
    }
}
