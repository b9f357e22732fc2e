//! A schema for a model that has none, from the request itself, as numpy and pandas would type it.

use std::collections::HashMap;

use serde_json::Value;

use crate::model::{ColSpec, DataType, Schema, TensorSpec};

/// The schema that fits a data frame in records or column form, or nested lists.
pub(crate) fn schema(frame: bool, value: &Value) -> Schema {
    match value {
        Value::Array(rows) if rows.iter().any(Value::is_object) => columns(records(rows)),
        Value::Object(entries) if entries.contains_key("data") && frame => split(value),
        Value::Object(entries) => columns(
            entries
                .iter()
                .map(|(name, value)| match value {
                    Value::Array(items) => (name.clone(), items.iter().collect()),
                    scalar => (name.clone(), vec![scalar]),
                })
                .collect(),
        ),
        array => Schema::Tensors(vec![tensor(array)]),
    }
}

type Cells<'v> = Vec<(String, Vec<&'v Value>)>;

fn columns(cells: Cells<'_>) -> Schema {
    let specs = cells.into_iter().map(|(name, values)| ColSpec {
        name: Some(name),
        data_type: values.iter().map(|value| of(value)).reduce(common).unwrap_or(DataType::Any),
        required: !values.iter().any(|value| value.is_null()),
    });
    Schema::Columns(specs.collect())
}

fn records(rows: &[Value]) -> Cells<'_> {
    let mut cells: Cells<'_> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (name, value) in rows.iter().filter_map(Value::as_object).flatten() {
        let position = *known.entry(name.as_str()).or_insert(cells.len());
        match cells.get_mut(position) {
            Some((_, values)) => values.push(value),
            None => cells.push((name.clone(), vec![value])),
        }
    }
    let complete = rows.len();
    for (_, values) in &mut cells {
        // A column that some records lack is optional.
        if values.len() < complete {
            values.push(&Value::Null);
        }
    }
    cells
}

fn split(value: &Value) -> Schema {
    let rows: Vec<&Vec<Value>> = value
        .get("data")
        .and_then(Value::as_array)
        .map(|rows| rows.iter().filter_map(Value::as_array).collect())
        .unwrap_or_default();
    let names: Option<Vec<String>> = value.get("columns").and_then(Value::as_array).map(|names| {
        names
            .iter()
            .map(|name| name.as_str().map_or_else(|| name.to_string(), ToOwned::to_owned))
            .collect()
    });
    let width = names.as_ref().map_or_else(|| rows.first().map_or(0, |row| row.len()), Vec::len);
    let mut specs = Vec::with_capacity(width);
    for position in 0..width {
        let cells: Vec<&Value> = rows.iter().filter_map(|row| row.get(position)).collect();
        specs.push(ColSpec {
            name: names.as_ref().and_then(|names| names.get(position).cloned()),
            data_type: cells.iter().map(|cell| of(cell)).reduce(common).unwrap_or(DataType::Any),
            required: !cells.iter().any(|cell| cell.is_null()),
        });
    }
    Schema::Columns(specs)
}

fn tensor(value: &Value) -> TensorSpec {
    let mut rank = 0;
    let mut inner = value;
    while let Value::Array(items) = inner {
        rank += 1;
        inner = items.first().unwrap_or(&Value::Null);
    }
    let dtype = match leaf(value) {
        DataType::Boolean => "bool",
        DataType::Long => "int64",
        DataType::Double => "float64",
        _ => "str",
    };
    TensorSpec { name: None, dtype: dtype.to_owned(), shape: vec![-1; rank] }
}

fn leaf(value: &Value) -> DataType {
    match value {
        Value::Array(items) => items.iter().map(leaf).reduce(common).unwrap_or(DataType::Double),
        scalar => of(scalar),
    }
}

fn of(value: &Value) -> DataType {
    match value {
        // A missing value takes the type of the others; alone it is a missing number.
        Value::Null => DataType::Any,
        Value::Bool(_) => DataType::Boolean,
        Value::Number(number) if number.is_i64() => DataType::Long,
        Value::Number(_) => DataType::Double,
        Value::String(_) => DataType::String,
        Value::Array(items) => {
            DataType::Array(Box::new(items.iter().map(of).reduce(common).unwrap_or(DataType::Any)))
        }
        Value::Object(entries) => DataType::Object(
            entries.iter().map(|(name, value)| (name.clone(), of(value), false)).collect(),
        ),
    }
}

/// The type that holds values of both.
fn common(left: DataType, right: DataType) -> DataType {
    match (left, right) {
        (left, right) if left == right => left,
        // Whole numbers beside a missing one become floats, as in pandas.
        (DataType::Double | DataType::Any, DataType::Long)
        | (DataType::Long, DataType::Double | DataType::Any) => DataType::Double,
        (DataType::Any, plain @ (DataType::Double | DataType::String | DataType::Boolean))
        | (plain @ (DataType::Double | DataType::String | DataType::Boolean), DataType::Any) => {
            plain
        }
        _ => DataType::Any,
    }
}
