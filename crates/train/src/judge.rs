//! What a model folder, ours or any other's, says of the rows of a table.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Float64Type;
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use trainyard_models::{LoadedModel, Prediction};
use trainyard_signature::model::Signature;

use crate::column::Column;
use crate::config::Task;
use crate::export::{LABEL, PROBABILITY_PREFIX, VARIABLE};
use crate::metrics::{Predictions, Probabilities};
use crate::{Error, Result};

/// Outputs that hold the prediction itself: ours, then skl2onnx's.
const VALUE_OUTPUTS: [&str; 3] = [LABEL, VARIABLE, "output_label"];
/// Outputs that hold all probabilities: as skl2onnx names them.
const PROBABILITY_OUTPUTS: [&str; 2] = ["probabilities", "output_probability"];

/// Predicts the rows of a table that has the model's columns. `classes` names the columns of a
/// probability matrix that does not name its own; others are left out of the answer.
pub fn predict(
    model: &LoadedModel,
    table: &RecordBatch,
    classes: &[String],
) -> Result<Predictions> {
    let input = input_of(model, table)?;
    let prediction = model.predictor.predict(&input)?;
    read(prediction, classes)
        .ok_or_else(|| Error::Evaluation("the model answers neither labels nor numbers".to_owned()))
}

/// The columns that the model's signature names, in its types.
pub(crate) fn input_of(model: &LoadedModel, table: &RecordBatch) -> Result<RecordBatch> {
    let signature = model.mlmodel.signature.as_ref();
    let Some(schema) = signature.and_then(Signature::input_arrow_schema) else {
        return Ok(table.clone());
    };
    let columns = schema.fields().iter().map(|field| {
        let column = table.column_by_name(field.name()).ok_or_else(|| Error::MissingColumn {
            name: field.name().clone(),
            role: "input of the model",
            nearest: None,
            columns: table.schema_ref().fields().iter().map(|f| f.name().clone()).collect(),
        })?;
        Ok(cast(column, field.data_type())?)
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    let nullable: Vec<_> =
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Ok(RecordBatch::try_new(Arc::new(arrow_schema::Schema::new(nullable)), columns)?)
}

fn read(prediction: Prediction, classes: &[String]) -> Option<Predictions> {
    match prediction {
        Prediction::Column(values) | Prediction::Matrix { values, width: 1 } => {
            Some(Predictions { values, probabilities: None })
        }
        Prediction::Named(outputs) => {
            let find = |names: &[&str]| {
                let by_name = |name: &&str| outputs.iter().find(|(output, _)| output == *name);
                names.iter().find_map(by_name).map(|(_, value)| value.clone())
            };
            // A column of the data may have our name: then ours has underscores behind it.
            let value = find(&VALUE_OUTPUTS).or_else(|| {
                let ours =
                    |output: &String| [LABEL, VARIABLE].contains(&output.trim_end_matches('_'));
                outputs.iter().find(|(output, _)| ours(output)).map(|(_, value)| value.clone())
            })?;
            let mut predictions = read(value, classes)?;
            predictions.probabilities = flat(&outputs)
                .or_else(|| find(&PROBABILITY_OUTPUTS).and_then(|value| matrix(value, classes)));
            Some(predictions)
        }
        Prediction::Matrix { .. } | Prediction::Maps { .. } => None,
    }
}

/// One output a class.
fn flat(outputs: &[(String, Prediction)]) -> Option<Probabilities> {
    let mut names = Vec::new();
    let mut columns = Vec::new();
    for (output, value) in outputs {
        let Some(class) = output.strip_prefix(PROBABILITY_PREFIX) else { continue };
        let (Prediction::Column(values) | Prediction::Matrix { values, width: 1 }) = value else {
            return None;
        };
        names.push(class.to_owned());
        columns.push(values.clone());
    }
    let epsilon = epsilon(columns.first()?);
    let columns: Vec<Vec<f64>> = columns.iter().map(doubles).collect::<Option<_>>()?;
    let rows = columns.iter().map(Vec::len).min()?;
    let values = (0..rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
    Some(Probabilities { classes: names, values, epsilon })
}

/// One output with all classes, as a matrix or as maps.
fn matrix(prediction: Prediction, classes: &[String]) -> Option<Probabilities> {
    let (classes, values) = match prediction {
        Prediction::Maps { keys, values } => (keys, values),
        Prediction::Matrix { values, width } if width == classes.len() => {
            (classes.to_vec(), values)
        }
        _ => return None,
    };
    Some(Probabilities { classes, epsilon: epsilon(&values), values: doubles(&values)? })
}

fn epsilon(values: &ArrayRef) -> f64 {
    match values.data_type() {
        DataType::Float32 => f64::from(f32::EPSILON),
        _ => f64::EPSILON,
    }
}

fn doubles(values: &ArrayRef) -> Option<Vec<f64>> {
    let values = cast(values, &DataType::Float64).ok()?;
    Some(values.as_primitive::<Float64Type>().values().to_vec())
}

/// Makes sure that the exported model says what the fitted one says.
pub(crate) fn compare(task: Task, fitted: &Predictions, exported: &Predictions) -> Result<()> {
    /// Relative rounding of a sum of products in 32-bit floats; far below what a wrong tree or
    /// column would cause.
    const TOLERANCE: f64 = 1e-3;
    let differ = |row: usize, exported: String, fitted: String| {
        Err(Error::ExportDiffers { row: row + 1, exported, fitted })
    };
    let numbers = |predictions: &Predictions| match (&predictions.probabilities, task) {
        (Some(probabilities), _) => {
            Some((probabilities.values.clone(), probabilities.classes.len()))
        }
        (None, Task::Regression) => doubles(&predictions.values).map(|values| (values, 1)),
        (None, _) => None,
    };
    let (Some((theirs, width)), Some((ours, our_width))) = (numbers(exported), numbers(fitted))
    else {
        return differ(0, "no numbers".to_owned(), "numbers".to_owned());
    };
    if theirs.len() != ours.len() || width != our_width {
        return differ(0, format!("{} values", theirs.len()), format!("{} values", ours.len()));
    }
    let scale = ours.iter().fold(0.0_f64, |scale, value| scale.max(value.abs()));
    for (index, (exported, fitted)) in theirs.iter().zip(&ours).enumerate() {
        let distance = (exported - fitted).abs();
        if distance.is_nan() || distance > TOLERANCE * scale.max(f64::MIN_POSITIVE) {
            return differ(index / width, exported.to_string(), fitted.to_string());
        }
    }
    if task == Task::Regression {
        return Ok(());
    }
    let (theirs, labels) =
        (Column::read("label", &exported.values)?, Column::read("label", &fitted.values)?);
    for (row, probabilities) in ours.chunks(width).enumerate() {
        let mut sorted = probabilities.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        // Where two classes are level, rounding may choose either.
        let level = matches!(sorted[..], [first, second, ..] if first - second < TOLERANCE);
        if !level && theirs.text(row) != labels.text(row) {
            return differ(row, theirs.text(row), labels.text(row));
        }
    }
    Ok(())
}
