//! Answers where the wire has more, or less optional, fields than the entities.

use serde::{Serialize, Serializer};
use trainyard_mlflow::Page;
use trainyard_mlflow::entities::{
    Experiment, LoggedModel, LoggedModelData, LoggedModelInfo, Metric, ModelVersion,
    RegisteredModel, RegisteredModelAlias, Run, RunData, RunInfo, RunInputs, RunOutputs, Tag,
};

/// The one workspace of a server without workspaces.
const WORKSPACE: &str = "default";

/// Wraps every item of a list.
pub(super) fn all<'a, T, W>(items: &'a [T]) -> Vec<W>
where
    W: From<&'a T>,
{
    items.iter().map(W::from).collect()
}

/// An experiment.
#[derive(Serialize)]
pub(super) struct ExperimentWire<'a> {
    #[serde(flatten)]
    experiment: &'a Experiment,
    workspace: &'static str,
}

impl<'a> From<&'a Experiment> for ExperimentWire<'a> {
    fn from(experiment: &'a Experiment) -> Self {
        Self { experiment, workspace: WORKSPACE }
    }
}

/// A run as it is read: `outputs` is there even when it is empty.
#[derive(Serialize)]
pub(super) struct RunWire<'a> {
    info: &'a RunInfo,
    data: &'a RunData,
    inputs: &'a RunInputs,
    outputs: &'a RunOutputs,
}

impl<'a> From<&'a Run> for RunWire<'a> {
    fn from(run: &'a Run) -> Self {
        Self { info: &run.info, data: &run.data, inputs: &run.inputs, outputs: &run.outputs }
    }
}

/// A logged model: type and source run are "" when unset.
#[derive(Serialize)]
pub(super) struct LoggedModelWire<'a> {
    info: LoggedModelInfoWire<'a>,
    data: &'a LoggedModelData,
}

#[derive(Serialize)]
struct LoggedModelInfoWire<'a> {
    #[serde(flatten)]
    info: &'a LoggedModelInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_run_id: Option<&'static str>,
}

impl<'a> From<&'a LoggedModel> for LoggedModelWire<'a> {
    fn from(model: &'a LoggedModel) -> Self {
        let info = &model.info;
        // What is set is written by the flattened entity.
        let filler = |value: &Option<String>| value.is_none().then_some("");
        Self {
            info: LoggedModelInfoWire {
                info,
                model_type: filler(&info.model_type),
                source_run_id: filler(&info.source_run_id),
            },
            data: &model.data,
        }
    }
}

/// A model version: what is unset of these texts is "".
#[derive(Serialize)]
pub(super) struct ModelVersionWire<'a> {
    #[serde(flatten)]
    version: &'a ModelVersion,
    #[serde(skip_serializing_if = "Option::is_none", rename = "description")]
    no_description: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "run_id")]
    no_run_id: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "run_link")]
    no_run_link: Option<&'static str>,
}

impl<'a> From<&'a ModelVersion> for ModelVersionWire<'a> {
    fn from(version: &'a ModelVersion) -> Self {
        let filler = |value: &Option<String>| value.is_none().then_some("");
        Self {
            version,
            no_description: filler(&version.description),
            no_run_id: filler(&version.run_id),
            no_run_link: filler(&version.run_link),
        }
    }
}

/// A registered model with its versions as above.
#[derive(Serialize)]
pub(super) struct RegisteredModelWire<'a> {
    name: &'a str,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    latest_versions: Vec<ModelVersionWire<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [Tag],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    aliases: &'a [RegisteredModelAlias],
}

impl<'a> From<&'a RegisteredModel> for RegisteredModelWire<'a> {
    fn from(model: &'a RegisteredModel) -> Self {
        Self {
            name: &model.name,
            creation_timestamp: model.creation_timestamp,
            last_updated_timestamp: model.last_updated_timestamp,
            description: model.description.as_deref().filter(|text| !text.is_empty()),
            latest_versions: all(&model.latest_versions),
            tags: &model.tags,
            aliases: &model.aliases,
        }
    }
}

/// A list under its name, with the token of the next page. An empty list is left out.
pub(super) struct PageWire<'a, T> {
    pub(super) name: &'static str,
    pub(super) items: Vec<T>,
    pub(super) token: Option<&'a str>,
}

impl<'a> PageWire<'a, ()> {
    /// A page whose items are written as `W`.
    pub(super) fn of<T, W: From<&'a T>>(name: &'static str, page: &'a Page<T>) -> PageWire<'a, W> {
        PageWire { name, items: all(&page.items), token: page.next_page_token.as_deref() }
    }
}

impl<T: Serialize> Serialize for PageWire<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;

        let mut map = serializer.serialize_map(None)?;
        if !self.items.is_empty() {
            map.serialize_entry(self.name, &self.items)?;
        }
        if let Some(token) = self.token.filter(|token| !token.is_empty()) {
            map.serialize_entry("next_page_token", token)?;
        }
        map.end()
    }
}

/// A run's id, and rows of the history of one of its metrics.
pub(super) type RunHistory = (String, Vec<Metric>);

/// A metric where several runs are mixed.
#[derive(Serialize)]
pub(super) struct MetricWithRunId<'a> {
    key: &'a str,
    #[serde(with = "trainyard_mlflow::entities::number")]
    value: f64,
    timestamp: i64,
    step: i64,
    run_id: &'a str,
}

impl<'a> MetricWithRunId<'a> {
    /// The rows of the histories of several runs.
    pub(super) fn all(histories: &'a [RunHistory]) -> impl Iterator<Item = Self> {
        histories
            .iter()
            .flat_map(|(run_id, rows)| rows.iter().map(move |row| Self::new(row, run_id)))
    }

    fn new(metric: &'a Metric, run_id: &'a str) -> Self {
        Self {
            key: &metric.key,
            value: metric.value,
            timestamp: metric.timestamp,
            step: metric.step,
            run_id,
        }
    }
}
