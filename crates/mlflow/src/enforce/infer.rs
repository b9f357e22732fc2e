//! A schema for a model that has none, from the request itself, as numpy and pandas would type it.

use indexmap::IndexMap;
use serde_json::Value;

use super::json::Tree;
use crate::model::{ColSpec, DataType, Schema, TensorSpec};

/// The schema that fits a data frame in records or column form, or nested lists. Columns stand in the
/// order in which they came.
pub(crate) fn schema(frame: bool, value: &Tree) -> Schema {
    match value {
        Tree::Array(rows) if rows.iter().any(|row| matches!(row, Tree::Object(_))) => {
            columns(records(rows))
        }
        Tree::Object(entries) if entries.contains_key("data") && frame => split(value),
        Tree::Object(entries) => columns(
            entries
                .iter()
                .map(|(name, value)| match value {
                    Tree::Array(items) => (name.as_str(), items.iter().collect()),
                    scalar => (name.as_str(), vec![scalar]),
                })
                .collect(),
        ),
        array => Schema::Tensors(vec![tensor(array)]),
    }
}

type Cells<'v> = IndexMap<&'v str, Vec<&'v Tree>>;

fn columns(cells: Cells<'_>) -> Schema {
    let specs = cells.into_iter().map(|(name, values)| ColSpec {
        name: Some(name.to_owned()),
        data_type: values.iter().map(|value| of(value)).reduce(common).unwrap_or(DataType::Any),
        required: !values.iter().any(|value| value.is_null()),
    });
    Schema::Columns(specs.collect())
}

fn records(rows: &[Tree]) -> Cells<'_> {
    let mut cells = Cells::new();
    for row in rows {
        let Tree::Object(entries) = row else { continue };
        for (name, value) in entries {
            cells.entry(name.as_str()).or_default().push(value);
        }
    }
    let complete = rows.len();
    for values in cells.values_mut() {
        // A column that some records lack is optional.
        if values.len() < complete {
            values.push(&Tree::Scalar(Value::Null));
        }
    }
    cells
}

fn split(value: &Tree) -> Schema {
    let rows = value.get("data").and_then(Tree::items).unwrap_or_default();
    let rows: Vec<&[Tree]> = rows.iter().filter_map(Tree::items).collect();
    let name = |name: &Tree| match name {
        Tree::Scalar(Value::String(name)) => name.clone(),
        other => other.clone().into_value().to_string(),
    };
    let names = value.get("columns").and_then(Tree::items);
    let names: Option<Vec<String>> = names.map(|names| names.iter().map(name).collect());
    let width = names.as_ref().map_or_else(|| rows.first().map_or(0, |row| row.len()), Vec::len);
    let mut specs = Vec::with_capacity(width);
    for position in 0..width {
        let cells: Vec<&Tree> = rows.iter().filter_map(|row| row.get(position)).collect();
        specs.push(ColSpec {
            name: names.as_ref().and_then(|names| names.get(position).cloned()),
            data_type: cells.iter().map(|cell| of(cell)).reduce(common).unwrap_or(DataType::Any),
            required: !cells.iter().any(|cell| cell.is_null()),
        });
    }
    Schema::Columns(specs)
}

fn tensor(value: &Tree) -> TensorSpec {
    let mut rank = 0;
    let mut inner = value;
    while let Tree::Array(items) = inner {
        rank += 1;
        let Some(first) = items.first() else { break };
        inner = first;
    }
    let dtype = match leaf(value) {
        DataType::Boolean => "bool",
        DataType::Long => "int64",
        DataType::Double => "float64",
        _ => "str",
    };
    TensorSpec { name: None, dtype: dtype.to_owned(), shape: vec![-1; rank] }
}

fn leaf(value: &Tree) -> DataType {
    match value {
        Tree::Array(items) => items.iter().map(leaf).reduce(common).unwrap_or(DataType::Double),
        scalar => of(scalar),
    }
}

fn of(value: &Tree) -> DataType {
    match value {
        Tree::Scalar(value) => scalar(value),
        Tree::Array(items) => {
            DataType::Array(Box::new(items.iter().map(of).reduce(common).unwrap_or(DataType::Any)))
        }
        Tree::Object(entries) => {
            let mut properties: Vec<_> =
                entries.iter().map(|(name, value)| (name.clone(), of(value), false)).collect();
            properties.sort_by(|(left, ..), (right, ..)| left.cmp(right));
            DataType::Object(properties)
        }
    }
}

fn scalar(value: &Value) -> DataType {
    match value {
        Value::Bool(_) => DataType::Boolean,
        Value::Number(number) if number.is_i64() => DataType::Long,
        Value::Number(_) => DataType::Double,
        Value::String(_) => DataType::String,
        // A missing value takes the type of the others; alone it is a missing number.
        _ => DataType::Any,
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
