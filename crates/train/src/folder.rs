//! The model folder of a fitted model: graph, signature, input example.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_cast::cast;
use trainyard_signature::model::{ColSpec, DataType, InputExample, ModelFolder, Schema, Signature};

use crate::Result;
use crate::column::Column;
use crate::export::Export;
use crate::features::{Encoding, NumberKind};
use crate::model::FittedModel;
use crate::split::Split;
use crate::target::Classes;

/// Rows of the input example: enough to see the form, few enough to read.
const EXAMPLE_ROWS: usize = 5;

/// The folder, without the identifiers that it gets when it is logged, and the rows of its input example.
pub(crate) fn folder(
    model: &FittedModel,
    export: &Export,
    split: &Split,
) -> Result<(ModelFolder, RecordBatch)> {
    let signature = Signature {
        inputs: Some(inputs(model, split)?),
        outputs: Some(outputs(model, export)),
        params: None,
    };
    let example = example(&signature, &split.train)?;
    let mut folder = ModelFolder::onnx(export.bytes.clone(), signature, chrono::Utc::now());
    folder.input_example = Some(InputExample::from_batch(&example)?);
    if model.encoder.columns.iter().any(|column| is_text(&column.encoding)) {
        take_text_columns(&mut folder);
    }
    Ok((folder, example))
}

fn is_text(encoding: &Encoding) -> bool {
    matches!(encoding, Encoding::TextCategories(_))
}

/// Adds the few lines of Python without which `mlflow.pyfunc` cannot hand text columns of pandas 3
/// to an ONNX model. The graph and the `onnx` flavor stay as they are.
fn take_text_columns(folder: &mut ModelFolder) {
    const MODULE: &str = "trainyard_text_columns";
    let source = include_str!("text_columns.py");
    if let Some(flavor) = &mut folder.flavors.python_function {
        flavor.code = Some("code".to_owned());
        MODULE.clone_into(&mut flavor.loader_module);
        folder.files.push((format!("code/{MODULE}.py"), source.into()));
    }
}

/// The feature columns by name; those that miss values somewhere are optional.
fn inputs(model: &FittedModel, split: &Split) -> Result<Schema> {
    let columns = model.encoder.columns.iter().map(|column| {
        let data_type = match &column.encoding {
            Encoding::Number { kind: NumberKind::Double, .. } => DataType::Double,
            Encoding::Number { kind: NumberKind::Long, .. } | Encoding::WholeCategories(_) => {
                DataType::Long
            }
            Encoding::Number { kind: NumberKind::Boolean, .. } => DataType::Boolean,
            Encoding::TextCategories(_) => DataType::String,
        };
        let spec = ColSpec::new(column.name.clone(), data_type);
        for part in [&split.train, &split.holdout] {
            let Some(array) = part.column_by_name(&column.name) else { continue };
            if Column::read(&column.name, array)?.missing().next().is_some() {
                return Ok(spec.optional());
            }
        }
        Ok(spec)
    });
    Ok(Schema::Columns(columns.collect::<Result<_>>()?))
}

fn outputs(model: &FittedModel, export: &Export) -> Schema {
    let prediction = match &model.classes {
        None => DataType::Float,
        Some(Classes::Text(_)) => DataType::String,
        Some(Classes::Whole(_)) => DataType::Long,
        Some(Classes::Flag) => DataType::Boolean,
    };
    let probabilities =
        export.probabilities.iter().map(|name| ColSpec::new(name.clone(), DataType::Float));
    let first = ColSpec::new(export.prediction.clone(), prediction);
    Schema::Columns(std::iter::once(first).chain(probabilities).collect())
}

/// The first training rows, in the types of the signature.
fn example(signature: &Signature, table: &RecordBatch) -> Result<RecordBatch> {
    let rows = table.slice(0, EXAMPLE_ROWS.min(table.num_rows()));
    let mut columns = Vec::new();
    if let Some(schema) = signature.input_arrow_schema() {
        for field in schema.fields() {
            if let Some(column) = rows.column_by_name(field.name()) {
                columns.push((field.name().clone(), cast(column, field.data_type())?));
            }
        }
    }
    let columns = columns.into_iter().map(|(name, column)| (name, Arc::clone(&column), true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}
