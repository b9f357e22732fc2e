//! Reading test inputs as Arrow, and comparing predictions with what Python answered.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::{DataType, Field, Schema};
use serde_json::Value;
use trainyard_models::{Prediction, load};

pub(crate) fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

pub(crate) fn json(path: &Path) -> Value {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // Python's json writes NaN and infinities bare.
    let text = text
        .replace("-Infinity", "\"-inf\"")
        .replace("Infinity", "\"inf\"")
        .replace("NaN", "\"nan\"");
    serde_json::from_str(&text).unwrap()
}

/// A number as the test files spell it.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Null => Some(f64::NAN),
        Value::String(text) => match text.as_str() {
            "nan" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// Rows of cells as columns: text, booleans, integers or doubles, as pandas would type them.
pub(crate) fn batch(names: &[String], rows: &[Value]) -> RecordBatch {
    let columns: Vec<(Field, ArrayRef)> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let cells: Vec<&Value> = rows.iter().map(|row| &row[at]).collect();
            let array: ArrayRef =
                if cells.iter().any(|cell| cell.is_string() && number(cell).is_none()) {
                    Arc::new(
                        cells
                            .iter()
                            .map(|cell| cell.as_str().filter(|text| *text != "nan"))
                            .collect::<StringArray>(),
                    )
                } else if !cells.is_empty() && cells.iter().all(|cell| cell.is_boolean()) {
                    Arc::new(cells.iter().map(|cell| cell.as_bool()).collect::<BooleanArray>())
                } else if !cells.is_empty() && cells.iter().all(|cell| cell.is_i64()) {
                    Arc::new(cells.iter().map(|cell| cell.as_i64()).collect::<Int64Array>())
                } else {
                    Arc::new(Float64Array::from_iter_values(
                        cells.iter().map(|cell| number(cell).unwrap()),
                    ))
                };
            (Field::new(name, array.data_type().clone(), true), array)
        })
        .collect();
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).unwrap()
}

/// The `inputs` of an `expected.json`: a dataframe in split form, of which the `singles` have 32 bits, or rows of a tensor.
pub(crate) fn inputs(expected: &Value) -> RecordBatch {
    let singles: Vec<&str> =
        expected["singles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let batch = doubles(&expected["inputs"]);
    let narrow = |(field, array): (&Arc<Field>, &ArrayRef)| -> (Field, ArrayRef) {
        if !singles.contains(&field.name().as_str()) {
            return (field.as_ref().clone(), Arc::clone(array));
        }
        let values = array.as_primitive::<Float64Type>().unary::<_, Float32Type>(|x| x as f32);
        (Field::new(field.name(), DataType::Float32, true), Arc::new(values))
    };
    let columns = batch.schema_ref().fields().iter().zip(batch.columns()).map(narrow);
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.unzip();
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).unwrap()
}

/// The same with all floats of 64 bits, as JSON has them.
fn doubles(inputs: &Value) -> RecordBatch {
    if let Some(rows) = inputs.as_array() {
        let names: Vec<String> =
            (0..rows[0].as_array().unwrap().len()).map(|at| at.to_string()).collect();
        return batch(&names, rows);
    }
    let names: Vec<String> = inputs["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned))
        .collect();
    batch(&names, inputs["data"].as_array().unwrap())
}

/// A cell of a prediction.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Number(f64),
    Text(String),
}

pub(crate) fn cells(array: &ArrayRef) -> Vec<Cell> {
    match array.data_type() {
        DataType::Float64 => {
            array.as_primitive::<Float64Type>().values().iter().map(|&x| Cell::Number(x)).collect()
        }
        DataType::Float32 => array
            .as_primitive::<Float32Type>()
            .values()
            .iter()
            .map(|&x| Cell::Number(f64::from(x)))
            .collect(),
        DataType::Int64 => array
            .as_primitive::<Int64Type>()
            .values()
            .iter()
            .map(|&x| Cell::Number(x as f64))
            .collect(),
        DataType::Int32 => array
            .as_primitive::<Int32Type>()
            .values()
            .iter()
            .map(|&x| Cell::Number(f64::from(x)))
            .collect(),
        DataType::Boolean => array
            .as_boolean()
            .iter()
            .map(|x| Cell::Number(f64::from(u8::from(x.unwrap()))))
            .collect(),
        DataType::Utf8 => array
            .as_string::<i32>()
            .iter()
            .map(|x| x.map_or(Cell::Number(f64::NAN), |x| Cell::Text(x.to_owned())))
            .collect(),
        other => panic!("predictions of type {other}"),
    }
}

/// All values of a prediction, bit by bit; NaN is one value.
pub(crate) fn values(prediction: &Prediction) -> String {
    match prediction {
        Prediction::Column(values)
        | Prediction::Matrix { values, .. }
        | Prediction::Maps { values, .. } => format!("{:?}", cells(values)),
        Prediction::Named(outputs) => {
            let shown = outputs.iter().map(|(name, output)| format!("{name}: {}", values(output)));
            shown.collect::<Vec<_>>().join("\n")
        }
    }
}

/// Says where the prediction differs from what Python answered by more than `tolerance` (relative to
/// the larger of 1 and the value).
pub(crate) fn difference(
    prediction: &Prediction,
    expected: &Value,
    tolerance: f64,
) -> Result<(), String> {
    match prediction {
        Prediction::Column(values) => compare(&cells(values), &flatten(expected), tolerance),
        Prediction::Matrix { values, width } => {
            let rows = expected.as_array().ok_or("expected no list")?;
            if rows.iter().any(|row| row.as_array().map(Vec::len) != Some(*width)) {
                return Err(format!("{width} columns where {expected:.80} is expected"));
            }
            compare(&cells(values), &flatten(expected), tolerance)
        }
        Prediction::Maps { keys, values } => {
            let rows = expected.as_array().ok_or("expected no list")?;
            let flat: Vec<Value> = rows
                .iter()
                .flat_map(|row| keys.iter().map(|key| row[key.as_str()].clone()))
                .collect();
            compare(&cells(values), &flat.iter().collect::<Vec<_>>(), tolerance)
        }
        // A data frame, of which the rows were kept.
        Prediction::Named(outputs) if expected.is_array() => {
            let rows = expected.as_array().ok_or("expected no list")?;
            if rows.iter().any(|row| row.as_array().map(Vec::len) != Some(outputs.len())) {
                return Err(format!("{} columns where {expected:.80} is expected", outputs.len()));
            }
            for (at, (name, output)) in outputs.iter().enumerate() {
                let column = rows.iter().map(|row| row[at].clone()).collect();
                difference(output, &column, tolerance)
                    .map_err(|error| format!("{name}: {error}"))?;
            }
            Ok(())
        }
        Prediction::Named(outputs) => {
            let ties = ties(expected);
            for (name, output) in outputs {
                if let (Prediction::Column(labels), Some(expected)) =
                    (output, expected[name.as_str()].as_array())
                {
                    // A label is open where two scores are equal but for the order of their sums.
                    let kept = |at: &usize| !ties.contains(at);
                    let actual: Vec<Cell> = cells(labels)
                        .into_iter()
                        .enumerate()
                        .filter(|(at, _)| kept(at))
                        .map(|(_, cell)| cell)
                        .collect();
                    let expected: Vec<&Value> = expected
                        .iter()
                        .enumerate()
                        .filter(|(at, _)| kept(at))
                        .map(|(_, cell)| cell)
                        .collect();
                    compare(&actual, &expected, tolerance)
                        .map_err(|error| format!("{name}: {error}"))?;
                    continue;
                }
                difference(output, &expected[name.as_str()], tolerance)
                    .map_err(|error| format!("{name}: {error}"))?;
            }
            Ok(())
        }
    }
}

/// Rows where the two largest scores of an output are equal to the last digits.
fn ties(expected: &Value) -> Vec<usize> {
    let outputs = expected.as_object().into_iter().flat_map(|outputs| outputs.values());
    let rows = outputs.filter_map(Value::as_array).flat_map(|rows| rows.iter().enumerate());
    rows.filter(|(_, row)| {
        let mut scores: Vec<f64> = match row {
            Value::Array(row) => row.iter().filter_map(number).collect(),
            Value::Object(row) => row.values().filter_map(number).collect(),
            _ => return false,
        };
        scores.sort_by(|a, b| b.total_cmp(a));
        scores.len() > 1 && scores[0] - scores[1] < 1e-6
    })
    .map(|(at, _)| at)
    .collect()
}

fn flatten(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(flatten).collect(),
        other => vec![other],
    }
}

fn compare(actual: &[Cell], expected: &[&Value], tolerance: f64) -> Result<(), String> {
    if actual.len() != expected.len() {
        return Err(format!("{} values where {} are expected", actual.len(), expected.len()));
    }
    let mut wrong = 0;
    let mut first = None;
    for (at, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        let same = match (actual, number(expected)) {
            (Cell::Number(x), Some(y)) => {
                *x == y
                    || (x.is_nan() && y.is_nan())
                    || (x - y).abs() <= tolerance * y.abs().max(1.0)
            }
            (Cell::Text(x), _) => expected.as_str() == Some(x.as_str()),
            (Cell::Number(_), None) => false,
        };
        if !same {
            wrong += 1;
            first.get_or_insert_with(|| format!("value {at} is {actual:?}, expected {expected}"));
        }
    }
    first.map_or(Ok(()), |first| Err(format!("{wrong} of {} differ: {first}", actual.len())))
}

/// All rows at once, and the first rows one by one: both paths of the engine answer the same.
pub(crate) fn check(path: &Path) -> Result<(), String> {
    let expected = json(&path.join("expected.json"));
    let model = load(path).map_err(|error| error.to_string())?;
    let input = inputs(&expected);
    let tolerance = expected["tolerance"].as_f64().unwrap();
    let answers = &expected["pyfunc_predict"];
    let prediction = model.predictor.predict(&input).map_err(|error| error.to_string())?;
    difference(&prediction, answers, tolerance)?;
    // Whoever asks whether a model takes such columns at all sends no row.
    let none = model.predictor.predict(&input.slice(0, 0));
    none.map_err(|error| format!("no row: {error}"))?;
    for row in 0..input.num_rows().min(8) {
        let prediction = model
            .predictor
            .predict(&input.slice(row, 1))
            .map_err(|error| format!("row {row} alone: {error}"))?;
        difference(&prediction, &answer_of(answers, row), tolerance)
            .map_err(|error| format!("row {row} alone: {error}"))?;
    }
    Ok(())
}

/// What Python answered for one row: of a list, or of a list for each column.
fn answer_of(answers: &Value, row: usize) -> Value {
    let one = |values: &Value| Value::Array(vec![values[row].clone()]);
    match answers.as_object() {
        Some(columns) => columns.iter().map(|(name, values)| (name.clone(), one(values))).collect(),
        None => one(answers),
    }
}
