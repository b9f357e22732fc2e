//! Whole answers of root fields. What a run has elsewhere, `experiment` and `modelVersions`, is only fetched
//! when it was selected.

use serde_json::{Value, json};
use trainyard_base::Share;
use trainyard_mlflow::entities::Run;
use trainyard_mlflow::{SearchModelVersions, SearchRuns};

use super::project::{Projection, Selected};
use crate::api::artifacts::{ListOfRun, Listing};
use crate::api::error::ApiError;
use crate::api::json::no_memory;
use crate::api::message::Message as _;
use crate::api::metrics::Interval;
use crate::api::state::ApiState;
use crate::api::wire::{ExperimentWire, MetricWithRunId, ModelVersionWire, PageWire, RunWire, all};
use crate::api::{experiments, model_versions, runs};

/// Which parts of a run that are stored elsewhere were selected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    experiment: bool,
    model_versions: bool,
}

impl Wanted {
    pub(super) fn of<'a>(
        projection: &mut Projection<'a>,
        field: &Selected<'a>,
    ) -> Result<Self, String> {
        let mut wanted = Self { experiment: false, model_versions: false };
        for below in projection.fields(&field.selections)? {
            for part in projection.fields(&below.selections)? {
                wanted.experiment |= part.name == "experiment";
                wanted.model_versions |= part.name == "modelVersions";
            }
        }
        Ok(wanted)
    }
}

/// The whole answer of a root field.
pub(super) async fn resolve(
    api: &ApiState,
    name: &str,
    input: Value,
    wanted: Wanted,
    share: &mut Share,
) -> Result<Value, ApiError> {
    match name {
        "test" | "testMutation" => Ok(json!({ "output": input })),
        "mlflowGetExperiment" => {
            let asked = experiments::ById::of_value(input)?;
            let experiment = api.tracking.experiments.get(&asked.experiment_id).await?;
            Ok(json!({ "experiment": ExperimentWire::from(&experiment) }))
        }
        "mlflowGetRun" => {
            let asked = runs::ById::of_value(input)?;
            let run = api.tracking.runs.get(&asked.run_id).await?;
            Ok(json!({ "run": whole_run(api, &run, wanted).await? }))
        }
        "mlflowListArtifacts" => {
            let listing = Listing::of_run(api, &ListOfRun::of_value(input)?).await?;
            Ok(json!({ "root_uri": listing.root_uri, "files": listing.files }))
        }
        "mlflowSearchModelVersions" => {
            let search = model_versions::Search::of_value(input)?;
            let page = api.tracking.model_versions.search(search.into()).await?;
            Ok(json!(PageWire::of::<_, ModelVersionWire<'_>>("model_versions", &page)))
        }
        "mlflowSearchRuns" => search_runs(api, input, wanted, share).await,
        "mlflowSearchDatasets" => {
            let asked = experiments::SearchDatasets::of_value(input)?;
            let summaries = api.tracking.experiments.search_datasets(&asked.experiment_ids).await?;
            Ok(json!({ "dataset_summaries": summaries }))
        }
        "mlflowGetMetricHistoryBulkInterval" => history(api, input).await,
        _ => Ok(Value::Null),
    }
}

async fn search_runs(
    api: &ApiState,
    input: Value,
    wanted: Wanted,
    share: &mut Share,
) -> Result<Value, ApiError> {
    let page = api.tracking.runs.search(SearchRuns::of_value(input)?).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for run in &page.items {
        let whole = whole_run(api, run, wanted).await?;
        // A tree takes more than the run, and one query may ask for several pages.
        share.grow(weight(&whole)).map_err(no_memory)?;
        items.push(whole);
    }
    Ok(json!({ "runs": items, "next_page_token": page.next_page_token }))
}

async fn history(api: &ApiState, input: Value) -> Result<Value, ApiError> {
    let runs = Interval::of_value(input)?.rows(api).await?;
    let metrics: Vec<_> = MetricWithRunId::all(&runs).collect();
    Ok(json!({ "metrics": metrics }))
}

/// What a tree takes, in bytes, about.
fn weight(value: &Value) -> u64 {
    /// What a value takes beside its text.
    const BYTES: u64 = 112;
    BYTES
        + match value {
            Value::String(text) => text.len() as u64,
            Value::Array(items) => items.iter().map(weight).sum(),
            Value::Object(members) => members.values().map(weight).sum(),
            _ => 0,
        }
}

/// A run with its experiment and the versions made of it, as far as they are wanted.
async fn whole_run(api: &ApiState, run: &Run, wanted: Wanted) -> Result<Value, ApiError> {
    let mut whole = json!(RunWire::from(run));
    if wanted.experiment {
        let experiment = api.tracking.experiments.get(&run.info.experiment_id).await?;
        whole["experiment"] = json!(ExperimentWire::from(&experiment));
    }
    if wanted.model_versions {
        let search = SearchModelVersions {
            filter: format!("run_id='{}'", run.info.run_id),
            ..SearchModelVersions::default()
        };
        let page = api.tracking.model_versions.search(search).await?;
        whole["model_versions"] = json!(all::<_, ModelVersionWire<'_>>(&page.items));
    }
    Ok(whole)
}
