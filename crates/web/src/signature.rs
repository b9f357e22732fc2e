//! What a model takes and answers, read from its `MLmodel` file.

use std::path::Path;

use futures::StreamExt as _;
use maud::{Markup, html};
use serde_json::Value;
use trainyard_mlflow::{Error, Result, Tracking, VersionId};
use trainyard_signature::model::{MlModel, Schema};

/// Largest `MLmodel` that is read for a page.
const BYTES_MAX: usize = 4 << 20;
/// Largest example that is read, and longest row of one that is shown.
const EXAMPLE_BYTES_MAX: usize = 256 << 10;
const EXAMPLE_SHOWN: usize = 4 << 10;
/// Columns that are shown.
const COLUMNS_SHOWN: usize = 200;

/// The `MLmodel` of a registered version.
pub(crate) async fn of_version(tracking: &Tracking, id: VersionId<'_>) -> Result<MlModel> {
    let root = tracking.model_versions.download_uri(id).await?;
    read(tracking, &root).await
}

/// The `MLmodel` of the folder at `root_uri`.
pub(crate) async fn read(tracking: &Tracking, root_uri: &str) -> Result<MlModel> {
    let mut body = tracking.artifacts.download(root_uri, "MLmodel").await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > BYTES_MAX {
            return Err(Error::invalid(format!("MLmodel is larger than {BYTES_MAX} bytes")));
        }
    }
    // What is wrong in the file is the reader's business; the path in the message is the file's name alone.
    MlModel::parse(&String::from_utf8_lossy(&bytes), Path::new("MLmodel"))
        .map_err(|error| Error::invalid(error.to_string()))
}

/// One row of a model's example, as the body of a request; none where there is none, or it is long.
pub(crate) async fn example(tracking: &Tracking, root_uri: &str, model: &MlModel) -> Option<Value> {
    let path = model.saved_input_example_info.as_ref()?.serving_input_path.as_deref()?;
    let mut body = tracking.artifacts.download(root_uri, path).await.ok()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.ok()?);
        if bytes.len() > EXAMPLE_BYTES_MAX {
            return None;
        }
    }
    let mut example: Value = serde_json::from_slice(&bytes).ok()?;
    for rows in [
        "/dataframe_split/data",
        "/dataframe_split/index",
        "/dataframe_records",
        "/inputs",
        "/instances",
    ] {
        if let Some(Value::Array(rows)) = example.pointer_mut(rows) {
            rows.truncate(1);
        }
    }
    (example.to_string().len() <= EXAMPLE_SHOWN).then_some(example)
}

/// Flavors and signature; a file that cannot be read is told, not hidden.
pub(crate) fn show(model: &Result<MlModel>) -> Markup {
    let model = match model {
        Ok(model) => model,
        Err(error) if error.is_not_found() => {
            return html! { p.soft { "There is no MLmodel file at the model's place." } };
        }
        Err(error) => return html! { p.notice.bad { (error.for_clients()) } },
    };
    html! {
        p { @for name in model.flavors.names() { span.badge.plain { (name) } } }
        @match &model.signature {
            None => p.soft { "The model has no signature: requests to it are not checked." },
            Some(signature) => {
                @if let Some(inputs) = &signature.inputs { (schema("Takes", inputs)) }
                @if let Some(outputs) = &signature.outputs { (schema("Answers", outputs)) }
                @if let Some(params) = &signature.params {
                    div.scroll { table {
                        thead { tr { th { "Param" } th { "Type" } th { "Default" } } }
                        tbody { @for param in params { tr { td { (param.name) } td { (param.data_type) } td { (param.default) } } } }
                    } }
                }
            }
        }
    }
}

fn schema(title: &str, schema: &Schema) -> Markup {
    let names = schema.names();
    let kinds: Vec<(String, bool)> = match schema {
        Schema::Columns(columns) => {
            columns.iter().map(|column| (column.data_type.to_string(), column.required)).collect()
        }
        Schema::Tensors(tensors) => tensors
            .iter()
            .map(|tensor| (format!("{} {:?}", tensor.dtype, tensor.shape), true))
            .collect(),
    };
    html! {
        div.scroll {
            table.pairs {
                thead { tr { th { (title) } th { "Type" } } }
                tbody {
                    @for (name, (kind, required)) in names.iter().zip(&kinds).take(COLUMNS_SHOWN) {
                        tr {
                            th scope="row" { @if schema.is_named() { (name) } @else { "(unnamed)" } }
                            td { code { (kind) } @if !required { " " span.soft { "optional" } } }
                        }
                    }
                }
            }
        }
        @if names.len() > COLUMNS_SHOWN { p.soft { "and " (names.len() - COLUMNS_SHOWN) " more" } }
        p {}
    }
}
