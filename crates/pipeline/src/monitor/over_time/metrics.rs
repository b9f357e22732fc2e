//! Windows as a run: a metric for each measure, with a value a window, which MLflow draws as a line.

use chrono::Utc;
use trainyard_base::words::{RECENT_WINDOWS, tags};
use trainyard_drift::{About, Measure, WindowLength, WindowResult};
use trainyard_mlflow::entities::{KeyValue, LifecycleStage, Metric, RunStatus};
use trainyard_mlflow::uri::ModelUri;
use trainyard_mlflow::{CreateRun, LogBatch, Tracking, UpdateRun, artifacts};

use super::super::job::MonitorJob;
use super::super::record::{BATCH_MAX, metric_name};
use super::look::OverTime;
use super::recent::recent_json;
use crate::Result;

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
        let recent = recent_json(&over_time.history, &over_time.alerts)?;
        for (name, json) in [("windows.json", json?), (RECENT_WINDOWS, recent)] {
            let body = artifacts::once(json);
            tracking.artifacts.upload(&info.artifact_uri, name, body).await?;
        }
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
        let tags = [
            KeyValue::new("mlflow.source.name", "trainyard monitor"),
            KeyValue::new(tags::WINDOW, length.to_string()),
        ];
        let model = self.model().map(|model| KeyValue::new(tags::MODEL, model));
        let run = CreateRun {
            experiment_id,
            user_id: "trainyard".to_owned(),
            run_name: Some(format!("windows-{}", length.to_string().replace(' ', "-"))),
            start_time: Utc::now().timestamp_millis(),
            tags: tags.into_iter().chain(model).collect(),
        };
        Ok(tracking.runs.create(run).await?.info.run_id)
    }

    /// The registered model whose data are looked at: the project's, or the one that the reference is of.
    fn model(&self) -> Option<String> {
        if let Some(project) = &self.project {
            return Some(project.config.model.name.clone());
        }
        match self.settings.reference.as_deref()?.parse::<ModelUri>().ok()? {
            ModelUri::Alias { name, .. }
            | ModelUri::Version { name, .. }
            | ModelUri::Stage { name, .. }
            | ModelUri::Latest { name } => Some(name),
            _ => None,
        }
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
