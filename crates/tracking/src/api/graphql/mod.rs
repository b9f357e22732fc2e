//! `POST /graphql`: the queries of upstream's pages over the same trait.
//!
//! A root field is answered whole, in proto JSON; [`project`] then cuts out what was selected.
//! `run.experiment` and `run.modelVersions` are only fetched when they are.

mod project;
mod schema;
mod syntax;

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::get;
use serde_json::{Map, Value, json};
use trainyard_base::Share;
use trainyard_mlflow::SearchModelVersions;
use trainyard_mlflow::entities::Run;

use super::artifacts::Listing;
use super::body::{Received, receive};
use super::error::{ApiError, Result, json as answer_json};
use super::json::{no_memory, value as read_json};
use super::metrics::{HISTORY_INTERVAL, Interval};
use super::request::Fields;
use super::shape::{Field, Kind, Shape};
use super::wire::{ExperimentWire, MetricWithRunId, ModelVersionWire, PageWire, RunWire, all};
use super::{Api, ApiState, model_versions, runs};
use project::{Projection, Selected};
use syntax::{Document, Operation, Selection};

/// Most root fields of one query.
const ROOT_FIELDS_MAX: usize = 10;

/// Routes at the root.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/graphql", get(graphql).post(graphql))
}

async fn graphql(State(api): State<Api>, request: Request) -> Result {
    let memory = &api.options.memory;
    let Received { bytes, mut share } =
        receive(request, syntax::DOCUMENT_BYTES_MAX * 4, memory).await?;
    let body = read_json(&bytes, &mut share).ok().flatten().unwrap_or_default();
    let query = body.get("query").and_then(Value::as_str).unwrap_or_default();
    let operation = body.get("operationName").and_then(Value::as_str);
    let variables = body.get("variables").and_then(Value::as_object).cloned().unwrap_or_default();
    // Whatever goes wrong is told in the answer, which is always a 200.
    let answer = match run(&api, query, operation, variables, &mut share).await {
        Ok((data, errors)) if errors.is_empty() => json!({ "data": data, "errors": null }),
        Ok((data, errors)) => json!({ "data": data, "errors": errors }),
        Err(error) => json!({ "data": null, "errors": [error] }),
    };
    Ok(answer_json(&answer))
}

/// The answers of the root fields, null for those that failed, and why they did.
async fn run(
    api: &ApiState,
    query: &str,
    operation: Option<&str>,
    mut variables: Map<String, Value>,
    share: &mut Share,
) -> Result<(Value, Vec<String>), String> {
    let document = syntax::parse(query)?;
    let operation = choose(&document, operation)?;
    for (name, default) in &operation.variables {
        if let Some(default) = default.as_ref().filter(|_| !variables.contains_key(name)) {
            let value = default.resolve(&Map::new());
            variables.insert(name.clone(), value);
        }
    }
    let root = if operation.mutation { &schema::MUTATION } else { &schema::QUERY };
    let mut projection = Projection::new(&document, &variables);
    let selections: Vec<&Selection> = operation.selections.iter().collect();
    let fields = projection.fields(&selections)?;
    if fields.len() > ROOT_FIELDS_MAX {
        return Err(format!("GraphQL queries can have at most {ROOT_FIELDS_MAX} root fields."));
    }
    // Nothing is asked of the store before all of the query is known to be good.
    for field in &fields {
        validate(&mut projection, root, field)?;
    }
    let mut data = Map::new();
    let mut errors = Vec::new();
    for field in &fields {
        if field.name == "__typename" {
            data.insert(field.key.to_owned(), Value::from(root.name));
            continue;
        }
        let input =
            field.arguments.iter().find(|(name, _)| name == "input" || name == "inputString");
        let input = input.map(|(_, value)| value.resolve(&variables)).unwrap_or_default();
        let wanted = Wanted::of(&mut projection, field)?;
        let resolved = match resolve(api, field.name, input, wanted, share).await {
            Ok(value) => value,
            Err(error) => {
                errors.push(error.message());
                data.insert(field.key.to_owned(), Value::Null);
                continue;
            }
        };
        let Some(schema::Kind::Object(object)) = root.field(field.name).map(|field| field.kind)
        else {
            return Err(project::unknown_field(field.name, root));
        };
        let projected = projection.project(object, &field.selections, &resolved)?;
        data.insert(field.key.to_owned(), projected);
    }
    Ok((Value::Object(data), errors))
}

fn choose<'a>(document: &'a Document, name: Option<&str>) -> Result<&'a Operation, String> {
    match (name, document.operations.as_slice()) {
        (Some(name), operations) => operations
            .iter()
            .find(|operation| operation.name.as_deref() == Some(name))
            .ok_or_else(|| format!("Unknown operation named '{name}'.")),
        (None, [operation]) => Ok(operation),
        (None, _) => {
            Err("Must provide operation name if query contains multiple operations.".into())
        }
    }
}

fn validate<'a>(
    projection: &mut Projection<'a>,
    root: &'static schema::Object,
    field: &Selected<'a>,
) -> Result<(), String> {
    if field.name == "__typename" {
        return Ok(());
    }
    let declared =
        root.field(field.name).ok_or_else(|| project::unknown_field(field.name, root))?;
    project::check_selections(field, declared.kind)?;
    let schema::Kind::Object(object) = declared.kind else { return Ok(()) };
    validate_fields(projection, object, &field.selections)
}

/// Objects in lists are only reached by [`Projection::project`] when there are any.
fn validate_fields<'a>(
    projection: &mut Projection<'a>,
    object: &'static schema::Object,
    selections: &[&'a Selection],
) -> Result<(), String> {
    for field in projection.fields(selections)? {
        validate(projection, object, &field)?;
    }
    Ok(())
}

/// Which parts of a run that are stored elsewhere were selected.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    experiment: bool,
    model_versions: bool,
}

impl Wanted {
    fn of<'a>(projection: &mut Projection<'a>, field: &Selected<'a>) -> Result<Self, String> {
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

static RUN: Shape = Shape(&[Field::required("run_id"), Field::new("run_uuid", Kind::Text, &[])]);
static EXPERIMENT: Shape = Shape(&[Field::required("experiment_id")]);
static ARTIFACTS: Shape = Shape(&[
    Field::required("run_id"),
    Field::new("run_uuid", Kind::Text, &[]),
    Field::text("path"),
    Field::text("page_token"),
]);
static DATASETS: Shape = Shape(&[Field::texts("experiment_ids")]);

/// The whole answer of a root field.
async fn resolve(
    api: &ApiState,
    name: &str,
    input: Value,
    wanted: Wanted,
    share: &mut Share,
) -> Result<Value, ApiError> {
    match name {
        "test" | "testMutation" => Ok(json!({ "output": input })),
        "mlflowGetExperiment" => {
            let id = Fields::from_value(input, &EXPERIMENT)?.text("experiment_id");
            let experiment = api.tracking.experiments.get(&id).await?;
            Ok(json!({ "experiment": ExperimentWire::from(&experiment) }))
        }
        "mlflowGetRun" => {
            let run_id = Fields::from_value(input, &RUN)?.run_id();
            let run = api.tracking.runs.get(&run_id).await?;
            Ok(json!({ "run": whole_run(api, &run, wanted).await? }))
        }
        "mlflowListArtifacts" => {
            let mut fields = Fields::from_value(input, &ARTIFACTS)?;
            let run_id = fields.run_id();
            let listing = Listing::of_run(api, &run_id, &fields.text("path")).await?;
            Ok(json!({ "root_uri": listing.root_uri, "files": listing.files }))
        }
        "mlflowSearchModelVersions" => {
            let mut fields = Fields::from_value(input, &model_versions::SEARCH)?;
            let page =
                api.tracking.model_versions.search(model_versions::search_of(&mut fields)).await?;
            Ok(json!(PageWire {
                name: "model_versions",
                items: all::<_, ModelVersionWire<'_>>(&page.items),
                token: page.next_page_token.as_deref(),
            }))
        }
        "mlflowSearchRuns" => search_runs(api, input, wanted, share).await,
        "mlflowSearchDatasets" => {
            let ids = Fields::from_value(input, &DATASETS)?.texts("experiment_ids");
            let summaries = api.tracking.experiments.search_datasets(&ids).await?;
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
    let mut fields = Fields::from_value(input, &runs::SEARCH)?;
    let page = api.tracking.runs.search(runs::search_of(&mut fields)).await?;
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
    let mut fields = Fields::from_value(input, &HISTORY_INTERVAL)?;
    let interval = Interval::read(&mut fields);
    let runs = interval.rows(api).await?;
    let metrics: Vec<MetricWithRunId<'_>> = runs
        .iter()
        .flat_map(|(run_id, history)| {
            history.iter().map(move |metric| MetricWithRunId::new(metric, run_id))
        })
        .collect();
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
