//! Takes a query, has its root fields answered, and answers with what it selected.

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::get;
use serde_json::{Map, Value, json};
use trainyard_base::Share;

use super::project::{self, Projection, Selected};
use super::resolve::{Wanted, resolve};
use super::schema;
use super::syntax::{self, Document, Operation, Selection};
use crate::api::body::{Received, receive};
use crate::api::error::{Result, json as answer_json};
use crate::api::json::value as read_json;
use crate::api::state::{Api, ApiState};

/// Most root fields of one query.
const ROOT_FIELDS_MAX: usize = 10;

/// Routes at the root.
pub(in crate::api) fn routes() -> Router<Api> {
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
    let root = if operation.mutation { &schema::Mutation } else { &schema::Query };
    let mut projection = Projection::new(&document, &variables);
    let selections: Vec<&Selection> = operation.selections.iter().collect();
    let fields = projection.fields_at_most(&selections, ROOT_FIELDS_MAX)?;
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
