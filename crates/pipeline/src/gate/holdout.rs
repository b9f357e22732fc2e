//! What a version scores on the project's holdout, today.

use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::ModelVersion;
use trainyard_train::Split;

use super::judge::Compared;
use super::verdict::Metrics;
use crate::candidate::Candidate;
use crate::{Error, Project, Result};

/// Metrics of both versions on one holdout. The data may have changed since either was trained, so
/// both are computed anew; where that cannot be (the project trains with a command of its own and
/// names no data, or a model cannot be evaluated here), both are what was logged.
pub(crate) async fn compare(
    project: &Project,
    tracking: &Tracking,
    candidate: &Candidate,
    production: &ModelVersion,
) -> Result<Compared> {
    let train = &project.config.train;
    if train.command.is_none() && train.data.is_some() && train.target.is_some() {
        let table = project.training_data()?.batch;
        let split = trainyard_train::split(&table, &project.config.train_config())?;
        let production = Candidate::find(project, tracking, Some(&production.version)).await?;
        let scores = (score(candidate, &split).await?, score(&production, &split).await?);
        if let (Some(candidate), Some(production)) = scores {
            return Ok(Compared { candidate, production });
        }
    }
    Ok(Compared {
        candidate: logged_metrics(tracking, &candidate.version).await?,
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
async fn score(candidate: &Candidate, split: &Split) -> Result<Option<Metrics>> {
    let judged = trainyard_models::load(candidate.path().await?)
        .map_err(Error::from)
        .and_then(|model| Ok(trainyard_train::judge(&model, split)?));
    match judged {
        Ok(metrics) => Ok(Some(metrics)),
        Err(error @ (Error::Model(_) | Error::Train(_))) => {
            tracing::warn!(
                %error,
                version = candidate.version.version,
                "this version cannot be evaluated here; logged metrics are compared"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
