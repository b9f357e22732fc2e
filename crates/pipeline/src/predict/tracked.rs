//! A job as a run: the models, the digest of its input, what became of its rows, and whether they have drifted.

use chrono::Utc;
use serde_json::json;
use trainyard_mlflow::entities::{
    Dataset, DatasetInput, KeyValue, Metric, ModelInput, Param, RunStatus,
};
use trainyard_mlflow::uri::without_credentials;
use trainyard_mlflow::{CreateRun, LogBatch, Tracking, UpdateRun, artifacts};
use trainyard_report::drift as report;
use trainyard_train::DataSource;

use super::inputs::digest_of;
use super::models::ScoringModels;
use super::options::PredictOptions;
use super::record::FileRecord;
use super::summary::ShareDone;
use crate::Result;
use crate::monitor::Monitored;

/// Where jobs are logged.
const EXPERIMENT: &str = "/predictions";

/// Characters of a digest, as MLflow limits it.
const DIGEST_CHARS_MAX: usize = 36;

/// Begins the run of a job; its id.
pub(super) async fn begin(
    tracking: &Tracking,
    options: &PredictOptions,
    models: &ScoringModels,
    files: &[FileRecord],
) -> Result<String> {
    let experiment_id = trainyard_train::experiment(tracking, EXPERIMENT).await?;
    let now = Utc::now();
    let mut tags = vec![KeyValue::new("mlflow.source.name", "trainyard predict")];
    if let Some(version) = models.models.first().and_then(|model| model.resolved.version.as_ref()) {
        tags.push(KeyValue::new("trainyard.model", &version.name));
        tags.push(KeyValue::new("trainyard.model_version", &version.version));
    }
    let run = tracking
        .runs
        .create(CreateRun {
            experiment_id,
            user_id: "trainyard".to_owned(),
            run_name: Some(format!("predict-{}", now.format("%Y%m%d-%H%M%S"))),
            start_time: now.timestamp_millis(),
            tags,
        })
        .await?;
    let run_id = run.info.run_id;
    let (input, output) =
        (without_credentials(&options.input), without_credentials(&options.output));
    let mut params = vec![
        Param::new("input", &input),
        Param::new("output", output),
        Param::new("probabilities", options.probabilities.to_string()),
        Param::new("explain", options.explain.to_string()),
    ];
    if !options.keep.is_empty() {
        params.push(Param::new("keep", options.keep.join(",")));
    }
    for model in &models.models {
        params.push(Param::new(format!("model.{}", model.record.name), &model.record.uri));
    }
    tracking.runs.log_batch(&run_id, LogBatch { params, ..LogBatch::default() }).await?;
    let source = DataSource::new(&options.input);
    let dataset = Dataset {
        name: source.name,
        digest: digest_of(files).chars().take(DIGEST_CHARS_MAX).collect(),
        source_type: source.source_type,
        source: json!({ "uri": input }).to_string(),
        schema: None,
        profile: Some(json!({ "files": files.len() }).to_string()),
    };
    let tags = vec![KeyValue::new("mlflow.data.context", "prediction")];
    let ids = models.models.iter().filter_map(|model| model.resolved.model_id.clone());
    let ids = ids.map(|model_id| ModelInput { model_id }).collect();
    tracking.runs.log_inputs(&run_id, vec![DatasetInput { tags, dataset }], ids).await?;
    Ok(run_id)
}

/// Ends the run of a job whose parts are all there. That it may be told twice does no harm.
pub(super) async fn end(
    tracking: &Tracking,
    run_id: &str,
    done: ShareDone,
    drift: Option<&Monitored>,
) -> Result<()> {
    let time = Utc::now().timestamp_millis();
    let mut metrics = vec![
        Metric::new("rows", done.rows as f64, time, 0),
        Metric::new("bad_rows", done.bad_rows as f64, time, 0),
        Metric::new("parts", done.parts as f64, time, 0),
    ];
    let mut tags = Vec::new();
    if let Some(Monitored { drift, meta, page, .. }) = drift {
        metrics.push(Metric::new("drift_share", drift.share, time, 0));
        metrics.push(Metric::new("drifted_columns", drift.drifted as f64, time, 0));
        tags.push(KeyValue::new("trainyard.verdict", drift.verdict().name()));
        let run = tracking.runs.get(run_id).await?;
        for (name, body) in
            [("drift.html", page.clone()), ("drift.json", report::json(drift, meta))]
        {
            let body = artifacts::once(body);
            tracking.artifacts.upload(&run.info.artifact_uri, name, body).await?;
        }
    }
    tracking.runs.log_batch(run_id, LogBatch { metrics, tags, ..LogBatch::default() }).await?;
    let ended = UpdateRun {
        run_id: run_id.to_owned(),
        status: Some(RunStatus::Finished),
        end_time: Some(time),
        run_name: None,
    };
    tracking.runs.update(ended).await?;
    Ok(())
}
