//! What a pipeline wrote down of a model: its releases and rollbacks, and looks at production data.

use futures::future::{join, join3};
use trainyard_base::words::{self, tags};
use trainyard_mlflow::entities::{LifecycleStage, ModelVersion, Run, Tag};
use trainyard_mlflow::{Result as StoreResult, SearchRuns};

use crate::grammar::equals;
use crate::site::Web;

/// Releases that are read, the newest.
const RELEASES_MAX: i64 = 20;
/// Looks that are read, the newest. Each has a metric for every column.
const LOOKS_MAX: i64 = 20;

/// Looks among which the last one of a model is, where several models share an experiment.
const NEWEST_MAX: i64 = 5;

/// Histories of production data among which those of a model are: one for each length of windows, and for each folder
/// that they were kept in.
const HISTORIES_MAX: i64 = 20;

/// The newest of each come first.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) releases: Vec<Run>,
    pub(crate) looks: Vec<Run>,
    /// The metrics of production data over time: a run for each history, the one that was looked at last first.
    pub(crate) windows: Vec<Run>,
}

impl Records {
    /// Those of `model`. `version` is one of its versions, whose training says where looks are kept.
    pub(crate) async fn read(web: &Web, model: &str, version: Option<&ModelVersion>) -> Self {
        let releases = words::releases_experiment(model);
        let monitoring = monitoring(web, model, version).await;
        let verdicts = format!("tags.`{}` LIKE '%'", tags::VERDICT);
        let (releases, looks, windows) = join3(
            runs(web, &releases, String::new(), RELEASES_MAX),
            runs(web, &monitoring, verdicts, LOOKS_MAX),
            windows(web, model, &monitoring),
        )
        .await;
        Self {
            releases,
            looks: looks.into_iter().filter(|run| is_of(run, model)).collect(),
            windows,
        }
    }

    /// What the last look found.
    pub(crate) fn verdict(&self) -> Option<&str> {
        Tag::find(&self.looks.first()?.data.tags, tags::VERDICT)
    }

    /// So many releases and rollbacks, the newest first, alone.
    pub(crate) async fn last_releases(web: &Web, model: &str, most: i64) -> Vec<Run> {
        runs(web, &words::releases_experiment(model), String::new(), most).await
    }

    /// The last look, alone, and histories where there is none: for lists of models.
    pub(crate) async fn last_look(web: &Web, model: &str, version: &ModelVersion) -> Self {
        let monitoring = monitoring(web, model, Some(version)).await;
        let verdicts = format!("tags.`{}` LIKE '%'", tags::VERDICT);
        let mut looks = runs(web, &monitoring, verdicts, NEWEST_MAX).await;
        looks.retain(|run| is_of(run, model));
        let windows =
            if looks.is_empty() { windows(web, model, &monitoring).await } else { Vec::new() };
        Self { looks, windows, ..Self::default() }
    }
}

/// Looks at a model's data that began in a stretch of time, milliseconds since 1970; the newest first.
pub(crate) async fn looks_within(
    web: &Web,
    model: &str,
    version: Option<&ModelVersion>,
    begins: i64,
    ends: i64,
) -> Vec<Run> {
    let monitoring = monitoring(web, model, version).await;
    let filter = format!(
        "tags.`{}` LIKE '%' AND attributes.start_time >= {begins} AND attributes.start_time < {ends}",
        tags::VERDICT
    );
    let mut looks = runs(web, &monitoring, filter, LOOKS_MAX).await;
    looks.retain(|run| is_of(run, model));
    looks
}

/// The histories of a model's data, wherever they are kept.
async fn windows(web: &Web, model: &str, monitoring: &str) -> Vec<Run> {
    let filter = || format!("tags.`{}` LIKE '%'", tags::WINDOW);
    // In the experiment of all, whose data they are must be said.
    let named = equals(&format!("tags.`{}`", tags::MODEL), model);
    let named = format!("{} AND {named}", filter());
    let (own, others) = join(
        runs(web, monitoring, filter(), HISTORIES_MAX),
        runs(web, words::LOOKS_EXPERIMENT, named, HISTORIES_MAX),
    )
    .await;
    let mut found: Vec<Run> = own.into_iter().chain(others).collect();
    found.retain(|run| is_of(run, model));
    found.sort_by_key(|run| std::cmp::Reverse(run.info.end_time.or(run.info.start_time)));
    found
}

/// Whether a look is at this model's data: an experiment may hold those of several.
fn is_of(run: &Run, model: &str) -> bool {
    Tag::find(&run.data.tags, tags::MODEL).is_none_or(|named| named == model)
}

/// Name of the experiment of looks: beside that of the training, or the one that projects have by default.
async fn monitoring(web: &Web, model: &str, version: Option<&ModelVersion>) -> String {
    let default = format!("/{}_staging", model.to_lowercase());
    let run_id = version.and_then(|version| version.run_id.as_deref()).unwrap_or_default();
    let training = match run_id {
        "" => None,
        run_id => training(web, run_id).await.ok(),
    };
    words::monitoring_experiment(training.as_deref().unwrap_or(&default))
}

async fn training(web: &Web, run_id: &str) -> StoreResult<String> {
    let run = web.tracking.runs.get(run_id).await?;
    Ok(web.tracking.experiments.get(&run.info.experiment_id).await?.name)
}

/// None where there is no such experiment, or it is not for whoever asks.
async fn runs(web: &Web, experiment: &str, filter: String, most: i64) -> Vec<Run> {
    match search(web, experiment, filter, most).await {
        Ok(runs) => runs,
        Err(error) => {
            tracing::debug!(%error, experiment, "no records of a pipeline are shown");
            Vec::new()
        }
    }
}

async fn search(web: &Web, experiment: &str, filter: String, most: i64) -> StoreResult<Vec<Run>> {
    let found = web.tracking.experiments.get_by_name(experiment).await?;
    if found.lifecycle_stage == LifecycleStage::Deleted {
        return Ok(Vec::new());
    }
    let search = SearchRuns {
        experiment_ids: vec![found.experiment_id],
        filter,
        max_results: Some(most),
        order_by: vec!["attributes.start_time DESC".to_owned()],
        ..SearchRuns::default()
    };
    Ok(web.tracking.runs.search(search).await?.items)
}
