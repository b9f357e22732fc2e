//! What a version scores on the project's holdout, today.

use arrow_array::RecordBatch;
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::ModelVersion;
use trainyard_train::Split;

use crate::folder::model_folder;
use crate::gate::{Compared, Metrics};
use crate::{Error, Project, Result};

/// Metrics of both versions on one holdout. The data may have changed since either was trained, so
/// both are computed anew; where that cannot be (the project trains with a command of its own and
/// names no data, or a model cannot be evaluated here), both are what was logged.
pub(crate) async fn compare(
    project: &Project,
    tracking: &Tracking,
    candidate: &ModelVersion,
    production: &ModelVersion,
) -> Result<Compared> {
    let train = &project.config.train;
    if train.command.is_none() && train.data.is_some() && train.target.is_some() {
        let table: RecordBatch = project.training_data()?.batch;
        let split = trainyard_train::split(&table, &project.config.train_config())?;
        let candidate_scores = score(project, tracking, candidate, &split).await?;
        let production_scores = score(project, tracking, production, &split).await?;
        if let (Some(candidate), Some(production)) = (candidate_scores, production_scores) {
            return Ok(Compared { candidate, production });
        }
    }
    Ok(Compared {
        candidate: logged_metrics(tracking, candidate).await?,
        production: logged_metrics(tracking, production).await?,
    })
}

/// What was logged with the version's run, on its own holdout.
pub(crate) async fn logged_metrics(tracking: &Tracking, version: &ModelVersion) -> Result<Metrics> {
    let Some(run_id) = version.run_id.as_deref().filter(|run_id| !run_id.is_empty()) else {
        return Ok(Metrics::new());
    };
    let run = tracking.runs.get(run_id).await?;
    Ok(run.data.metrics.into_iter().map(|metric| (metric.key, metric.value)).collect())
}

/// Metrics of a version on this split; none where the model cannot be evaluated here.
async fn score(
    project: &Project,
    tracking: &Tracking,
    version: &ModelVersion,
    split: &Split,
) -> Result<Option<Metrics>> {
    let folder = model_folder(project, tracking, version).await?;
    let judged = trainyard_models::load(folder.path())
        .map_err(Error::from)
        .and_then(|model| Ok(trainyard_train::judge(&model, split)?));
    match judged {
        Ok(metrics) => Ok(Some(metrics)),
        Err(error @ (Error::Model(_) | Error::Train(_))) => {
            tracing::warn!(
                %error,
                version = version.version,
                "this version cannot be evaluated here; logged metrics are compared"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
