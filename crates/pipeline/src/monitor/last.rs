//! The verdict of the last look at production data, from where looks are kept: the tracking store.

use serde::Serialize;
use trainyard_mlflow::entities::{KeyValue, LifecycleStage, Run};
use trainyard_mlflow::{SearchRuns, Tracking};

use super::record::VERDICT_TAG;
use crate::{Project, Result};

/// Looks that are read back, the newest: an experiment may hold those of other models.
const LOOKS_MAX: i64 = 50;

/// The last look at production data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastVerdict {
    /// `stable`, `warning`, `drift` or `broken`.
    pub verdict: String,
    /// When it was, in milliseconds since 1970.
    pub at_ms: i64,
    /// The run that has its report.
    pub run_id: String,
}

/// The verdict of the last look at the project's production data; none where there was none.
pub async fn last_verdict(project: &Project, tracking: &Tracking) -> Result<Option<LastVerdict>> {
    let name = project.config.monitoring_experiment();
    let experiment = match tracking.experiments.get_by_name(&name).await {
        Ok(experiment) if experiment.lifecycle_stage == LifecycleStage::Active => experiment,
        Ok(_deleted) => return Ok(None),
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let search = SearchRuns {
        experiment_ids: vec![experiment.experiment_id],
        filter: format!("tags.`{VERDICT_TAG}` LIKE '%'"),
        max_results: Some(LOOKS_MAX),
        order_by: vec!["attributes.start_time DESC".to_owned()],
        ..SearchRuns::default()
    };
    let found = tracking.runs.search(search).await?.items;
    let model = &project.config.model.name;
    Ok(found.iter().find_map(|run| verdict_of(run, model)))
}

/// None where the run is a look at another model's data.
fn verdict_of(run: &Run, model: &str) -> Option<LastVerdict> {
    let tag = |key: &str| KeyValue::find(&run.data.tags, key);
    if tag("trainyard.model").is_some_and(|of| of != model) {
        return None;
    }
    Some(LastVerdict {
        verdict: tag(VERDICT_TAG)?.to_owned(),
        at_ms: run.info.start_time?,
        run_id: run.info.run_id.clone(),
    })
}
