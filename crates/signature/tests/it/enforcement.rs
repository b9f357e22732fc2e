//! Enforcement against MLflow's own: random signatures and requests, the same columns handed over,
//! the same requests refused. `TRAINYARD_ENFORCEMENT_CASES` sets how many, `…_SEED` which.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type, TimestampNanosecondType};
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::DataType as ArrowType;
use serde_json::{Map, Value, json};
use trainyard_signature::enforce::{Casting, Enforced, Enforcer, Limits, Protocol, Rejection};
use trainyard_signature::model::{DataType, ParamSpec, Schema, Signature};
use trainyard_testkit::run_python;

const SCRIPT: &str = include_str!("enforcement.py");

fn number(value: f64) -> Value {
    if value.is_nan() {
        return Value::Null;
    }
    if value.is_infinite() {
        return json!(if value > 0.0 { "inf" } else { "-inf" });
    }
    json!(value)
}

/// A value of a column as the script prints it.
fn cell(array: &ArrayRef, row: usize, kind: Option<&DataType>) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    if kind == Some(&DataType::Any) {
        return serde_json::from_str(array.as_string::<i32>().value(row)).unwrap();
    }
    let list = |items: &ArrayRef, kind: Option<&DataType>| -> Value {
        (0..items.len()).map(|index| cell(items, index, kind)).collect()
    };
    match array.data_type() {
        ArrowType::Boolean => json!(array.as_boolean().value(row)),
        ArrowType::Int32 => json!(array.as_primitive::<Int32Type>().value(row)),
        ArrowType::Int64 => json!(array.as_primitive::<Int64Type>().value(row)),
        ArrowType::Float32 => number(f64::from(array.as_primitive::<Float32Type>().value(row))),
        ArrowType::Float64 => number(array.as_primitive::<Float64Type>().value(row)),
        ArrowType::Utf8 => json!(array.as_string::<i32>().value(row)),
        ArrowType::Binary => {
            let bytes = array.as_binary::<i32>().value(row);
            json!({ "bytes": bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat() })
        }
        ArrowType::Timestamp(_, _) => {
            json!({ "ns": array.as_primitive::<TimestampNanosecondType>().value(row) })
        }
        ArrowType::List(_) => {
            let inner = match kind {
                Some(DataType::Array(items)) => Some(&**items),
                _ => None,
            };
            list(&array.as_list::<i32>().value(row), inner)
        }
        ArrowType::FixedSizeList(_, _) => list(&array.as_fixed_size_list().value(row), None),
        ArrowType::Struct(_) => {
            let Some(DataType::Object(properties)) = kind else { panic!("{kind:?}") };
            let mut object = Map::new();
            for (column, (name, kind, required)) in
                array.as_struct().columns().iter().zip(properties)
            {
                if *required || column.is_valid(row) {
                    object.insert(name.clone(), cell(column, row, Some(kind)));
                }
            }
            Value::Object(object)
        }
        ArrowType::Map(_, _) => {
            let Some(DataType::Map(kind)) = kind else { panic!("{kind:?}") };
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let entry = |index: usize| {
                (keys.as_string::<i32>().value(index).to_owned(), cell(values, index, Some(kind)))
            };
            Value::Object((0..entries.len()).map(entry).collect())
        }
        other => panic!("{other}"),
    }
}

fn columns(enforced: &Enforced, schema: &Schema) -> BTreeMap<String, Value> {
    let specs = schema.columns().unwrap_or_default();
    enforced
        .batch
        .schema_ref()
        .fields()
        .iter()
        .zip(enforced.batch.columns())
        .enumerate()
        .filter(|(_, (field, _))| !enforced.absent.contains(field.name()))
        .map(|(position, (field, array))| {
            let kind = specs.get(position).map(|spec| &spec.data_type);
            let cells = (0..array.len()).map(|row| cell(array, row, kind)).collect();
            (field.name().clone(), cells)
        })
        .collect()
}

/// Where this server differs on purpose; see the table in `docs/serving.md`.
fn on_purpose(case: &Case) -> Option<&'static str> {
    if let Err(error) = &case.expected
        && (error.contains("strings have a consistent format") || error.contains("format="))
    {
        return Some("pandas wants the dates of a column to be written alike");
    }
    if let Ok((columns, _)) = &case.expected
        && columns.is_empty()
    {
        return Some("a request without rows is a mistake");
    }
    let columns = case.signature.inputs.as_ref().and_then(Schema::columns).unwrap_or_default();
    let has = |kind: DataType| columns.iter().any(|column| column.data_type == kind);
    if case.body.contains("922337203685477580") && (has(DataType::Integer) || has(DataType::Long)) {
        return Some("what pandas makes of a large number depends on the rest of its column");
    }
    let is_frame = case.body.starts_with("{\"dataframe");
    if has(DataType::Binary) && !is_frame {
        return Some("bytes of Python's spelling of a null or a number are nobody's data");
    }
    let holds_nested =
        ["[]", "{}", "[1]", "{\"x\": 1}"].iter().any(|text| case.body.contains(text));
    if has(DataType::String) && holds_nested {
        return Some("a text column holds no lists or objects");
    }
    None
}

/// Equal, where `1` is `1.0`: a model sees the column's type, not how JSON writes it.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, l)| right.get(key).is_some_and(|r| same(l, r)))
        }
        // pandas leaves what is no text as it is in a text column; here it is text.
        (Value::String(left), Value::Number(right)) => left.parse().ok() == right.as_f64(),
        (Value::String(left), Value::Bool(right)) => left.eq_ignore_ascii_case(&right.to_string()),
        _ => left == right,
    }
}

struct Case {
    signature: Signature,
    body: String,
    /// What the model is handed, or why not.
    expected: Result<(BTreeMap<String, Value>, Value), String>,
}

fn cases(seed: &str, count: &str) -> Vec<Case> {
    let parse = |line: &str| {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| case["signature"][key].as_str();
        let signature = Signature {
            inputs: text("inputs").map(|text| Schema::from_json(text).unwrap()),
            outputs: None,
            params: text("params").map(|text| ParamSpec::list_from_json(text).unwrap()),
        };
        let expected = match case["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok((
                serde_json::from_value(case["columns"].clone()).unwrap(),
                case["params"].clone(),
            )),
        };
        Case { signature, body: case["body"].as_str().unwrap().to_owned(), expected }
    };
    run_python(SCRIPT, &[seed, count], &[]).lines().map(parse).collect()
}

fn ask(case: &Case, casting: Casting) -> Result<Enforced, Rejection> {
    let enforcer = Enforcer::new(Some(&case.signature), casting, Limits::default());
    enforcer.json(case.body.as_bytes(), Protocol::Invocations)
}

#[test]
fn random_requests_are_taken_and_refused_as_mlflow_does() {
    let of = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let (seed, count) =
        (of("TRAINYARD_ENFORCEMENT_SEED", "7"), of("TRAINYARD_ENFORCEMENT_CASES", "1500"));
    let cases = cases(&seed, &count);
    let mut wrong = Vec::new();
    let (mut taken, mut refused) = (0, 0);
    let mut purposes = BTreeMap::new();
    for case in &cases {
        if let Some(purpose) = on_purpose(case) {
            *purposes.entry(purpose).or_insert(0) += 1;
            continue;
        }
        let schema = case.signature.inputs.as_ref().unwrap();
        let lenient = ask(case, Casting::Upstream);
        let lossless = ask(case, Casting::Lossless);
        let text = format!("{} {}", trainyard_signature::enforce::schema_text(schema), case.body);
        match (&case.expected, &lenient) {
            (Ok((expected, params)), Ok(enforced)) => {
                taken += 1;
                let found = columns(enforced, schema);
                let equal = found.len() == expected.len()
                    && found.iter().all(|(k, v)| expected.get(k).is_some_and(|e| same(v, e)));
                if !equal {
                    wrong.push(format!("{text}\n  here  {found:?}\n  there {expected:?}"));
                }
                let ours = Value::Object(enforced.params.clone());
                if case.signature.params.is_some() && !same(&ours, params) {
                    wrong.push(format!("{text}\n  params here {ours}, there {params}"));
                }
            }
            (Err(_), Err(_)) => refused += 1,
            (Ok(there), Err(here)) => {
                wrong.push(format!("{text}\n  refused here: {here}\n  there {there:?}"));
            }
            (Err(there), Ok(_)) => {
                wrong.push(format!("{text}\n  taken here, refused there: {there}"));
            }
        }
        // What loses nothing is what MLflow makes of it.
        match (&lenient, &lossless) {
            (Ok(lenient), Ok(lossless))
                if columns(lenient, schema) != columns(lossless, schema) =>
            {
                wrong.push(format!("{text}\n  lossless makes something else of it"));
            }
            (Err(rejection), Ok(_)) => {
                wrong.push(format!("{text}\n  refused only when lenient: {rejection}"));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let left_out: usize = purposes.values().sum();
    assert!(left_out < cases.len() / 5, "{purposes:?}");
    assert!(taken > cases.len() / 3 && refused > cases.len() / 10, "{taken} {refused}");
}
