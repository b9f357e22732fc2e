//! Requests that are asked again: the last rows of the prediction log, else the rows of an input example.

use arrow_array::RecordBatch;
use serde_json::{Map, Value, json};
use trainyard_base::words::log_columns;
use trainyard_signature::model::{DataType, InputExample, Schema};

use crate::Result;

/// Bytes of all requests of one comparison.
const BYTES_MAX: usize = 64 << 20;

/// One request: a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    pub(super) path: &'static str,
    pub(super) body: String,
    /// What the row holds, for people.
    pub(super) features: Vec<(String, Value)>,
}

/// Requests of the rows of a log's tables, which have the columns of this schema (the signature's, if there
/// is one) beside the log's own.
pub(super) fn of_log(tables: &[RecordBatch], inputs: Option<&Schema>) -> Result<Vec<Request>> {
    let mut requests = Vec::new();
    let mut bytes = 0;
    for table in tables {
        let Some(table) = columns_of(table, inputs) else { continue };
        for features in rows(&InputExample::from_batch(&table)?, inputs) {
            let body = data(&features, inputs).to_string();
            bytes += body.len();
            if bytes > BYTES_MAX {
                return Ok(requests);
            }
            requests.push(Request { path: "/predict", body, features });
        }
    }
    Ok(requests)
}

/// The columns that were sent; none where the table is that of another signature.
fn columns_of(table: &RecordBatch, inputs: Option<&Schema>) -> Option<RecordBatch> {
    let schema = table.schema();
    let positions: Vec<usize> = if let Some(inputs) = inputs {
        let names = inputs.names();
        names.iter().map(|name| schema.index_of(name).ok()).collect::<Option<_>>()?
    } else {
        // The log's own names have a prefix where inputs have them too.
        let is_input = |name: &str| {
            let taken = schema.index_of(&format!("trainyard.{name}")).is_ok();
            !name.starts_with("trainyard.")
                && (taken || ![log_columns::PREDICTION, log_columns::PROBABILITY].contains(&name))
        };
        let fields = schema.fields().iter().enumerate();
        fields.filter(|(_, field)| is_input(field.name())).map(|(at, _)| at).collect()
    };
    table.project(&positions).ok().filter(|table| table.num_columns() > 0)
}

/// Rows of an example in split form, as names and values.
fn rows(example: &InputExample, inputs: Option<&Schema>) -> Vec<Vec<(String, Value)>> {
    let Some(Value::Object(mut whole)) = example.to_json() else { return Vec::new() };
    let Some(Value::Object(mut split)) = whole.remove("dataframe_split") else { return Vec::new() };
    let Some(Value::Array(names)) = split.remove("columns") else { return Vec::new() };
    let Some(Value::Array(data)) = split.remove("data") else { return Vec::new() };
    let name = |name: &Value| name.as_str().map_or_else(|| name.to_string(), str::to_owned);
    let names: Vec<String> = names.iter().map(name).collect();
    let columns = inputs.and_then(Schema::columns);
    let is_any = |at: usize| {
        columns
            .and_then(|columns| columns.get(at))
            .is_some_and(|one| one.data_type == DataType::Any)
    };
    let value = |(at, value): (usize, Value)| match value {
        // A value of any type is in the log as its JSON.
        Value::String(text) if is_any(at) => {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        other => other,
    };
    let row = |row: Value| match row {
        Value::Array(cells) => {
            let values = cells.into_iter().enumerate().map(value);
            Some(names.iter().cloned().zip(values).collect())
        }
        _ => None,
    };
    data.into_iter().filter_map(row).collect()
}

/// A row as the data of a request: tensors by name or alone, columns as a table of one row.
fn data(features: &[(String, Value)], inputs: Option<&Schema>) -> Value {
    match inputs {
        Some(inputs @ Schema::Tensors(_)) if inputs.is_named() => {
            let tensors: Map<String, Value> =
                features.iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
            json!({ "inputs": tensors })
        }
        Some(Schema::Tensors(_)) => {
            let values: Vec<&Value> = features.iter().map(|(_, value)| value).collect();
            json!({ "inputs": values })
        }
        _ => {
            let (names, values): (Vec<&str>, Vec<&Value>) =
                features.iter().map(|(name, value)| (name.as_str(), value)).unzip();
            json!({ "dataframe_split": { "columns": names, "data": [values] } })
        }
    }
}

/// Requests of an input example: one a row where it is a table, else one.
pub(super) fn of_example(example: &InputExample, max: usize) -> Vec<Request> {
    let path = "/invocations";
    let rows = rows(example, None);
    if rows.is_empty() {
        let body = example.payload.clone();
        return vec![Request { path, body, features: Vec::new() }];
    }
    let params = example.to_json().and_then(|whole| whole.get("params").cloned());
    let request = |features: Vec<(String, Value)>| {
        let mut body = data(&features, None);
        if let (Value::Object(members), Some(params)) = (&mut body, &params) {
            members.insert("params".to_owned(), params.clone());
        }
        Request { path, body: body.to_string(), features }
    };
    rows.into_iter().take(max).map(request).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray};
    use trainyard_signature::model::{ColSpec, TensorSpec};

    use super::*;

    fn table(columns: &[(&str, ArrayRef)]) -> RecordBatch {
        RecordBatch::try_from_iter(columns.iter().map(|(name, array)| (*name, Arc::clone(array))))
            .unwrap()
    }

    fn doubles(values: &[f64]) -> ArrayRef {
        Arc::new(Float64Array::from(values.to_vec()))
    }

    fn texts(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    #[test]
    fn rows_of_the_log_are_requests_without_the_logs_own_columns() {
        let log = table(&[
            ("trainyard.request_id", texts(&["1", "2"])),
            ("a", doubles(&[1.5, f64::NAN])),
            ("any", texts(&["[1]", "\"x\""])),
            ("prediction", texts(&["yes", "no"])),
            ("probability", doubles(&[0.9, 0.8])),
        ]);
        let inputs = Schema::Columns(vec![
            ColSpec::new("a", DataType::Double),
            ColSpec::new("any", DataType::Any),
        ]);
        let requests = of_log(std::slice::from_ref(&log), Some(&inputs)).unwrap();
        let bodies: Vec<&str> = requests.iter().map(|request| request.body.as_str()).collect();
        assert_eq!(
            bodies,
            [
                r#"{"dataframe_split":{"columns":["a","any"],"data":[[1.5,[1]]]}}"#,
                r#"{"dataframe_split":{"columns":["a","any"],"data":[[null,"x"]]}}"#,
            ]
        );
        let requests = of_log(std::slice::from_ref(&log), None).unwrap();
        assert_eq!(requests[0].features[1], ("any".to_owned(), json!("[1]")));
        assert_eq!(requests[0].features.len(), 2);
        // Another version's table.
        let other = Schema::Columns(vec![ColSpec::new("b", DataType::Double)]);
        assert!(of_log(std::slice::from_ref(&log), Some(&other)).unwrap().is_empty());
    }

    #[test]
    fn tensors_are_sent_as_tensors() {
        let log = table(&[("0", doubles(&[1.0])), ("prediction", doubles(&[2.0]))]);
        let alone = Schema::Tensors(vec![TensorSpec::unnamed("float64", [-1])]);
        assert_eq!(of_log(&[log], Some(&alone)).unwrap()[0].body, r#"{"inputs":[1.0]}"#);
        let named = Schema::Tensors(vec![TensorSpec {
            name: Some("x".to_owned()),
            ..TensorSpec::unnamed("float64", [-1])
        }]);
        let log = table(&[("x", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]);
        assert_eq!(of_log(&[log], Some(&named)).unwrap()[0].body, r#"{"inputs":{"x":[1]}}"#);
    }

    #[test]
    fn an_example_is_asked_row_by_row_with_its_params() {
        let payload =
            r#"{"dataframe_split": {"columns": ["a"], "data": [[1], [2]]}, "params": {"k": 3}}"#;
        let example = InputExample { payload: payload.to_owned() };
        let requests = of_example(&example, 10);
        assert_eq!(requests.len(), 2);
        let body: Value = serde_json::from_str(&requests[1].body).unwrap();
        assert_eq!(
            body,
            json!({
                "dataframe_split": { "columns": ["a"], "data": [[2]] }, "params": { "k": 3 },
            })
        );
        let payload = r#"{"inputs": [[1.0]]}"#.to_owned();
        let requests = of_example(&InputExample { payload: payload.clone() }, 10);
        assert_eq!((requests.len(), &requests[0].body), (1, &payload));
    }
}
