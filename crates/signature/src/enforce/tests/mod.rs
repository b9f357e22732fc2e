//! Requests and what becomes of them: form by form, type by type, casting by casting.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType};
use arrow_array::{Array as _, RecordBatch};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::model::{ParamSpec, Schema, Signature};

mod csv;
mod missing;
mod open_inference;
mod tensors;
mod width;

const IRIS: &str = r#"[{"type": "double", "name": "a", "required": true},
    {"type": "double", "name": "b", "required": true}]"#;
const TYPES: &str = r#"[{"type": "boolean", "name": "b", "required": true},
    {"type": "integer", "name": "i", "required": true},
    {"type": "long", "name": "l", "required": true},
    {"type": "float", "name": "f", "required": true},
    {"type": "double", "name": "d", "required": true},
    {"type": "string", "name": "s", "required": true},
    {"type": "binary", "name": "by", "required": true},
    {"type": "datetime", "name": "dt", "required": true},
    {"type": "double", "name": "od", "required": false},
    {"type": "string", "name": "os", "required": false}]"#;
const COMPLEX: &str = r#"[
    {"type": "array", "items": {"type": "double"}, "name": "arr", "required": true},
    {"type": "object", "properties": {"x": {"type": "long", "required": true},
        "y": {"type": "string", "required": false}}, "name": "obj", "required": true},
    {"type": "map", "values": {"type": "double"}, "name": "mp", "required": true},
    {"type": "any", "name": "any", "required": false},
    {"type": "array", "items": {"type": "array", "items": {"type": "long"}},
        "name": "nested", "required": false}]"#;
const TENSOR: &str =
    r#"[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2, 2]}}]"#;
const TENSORS: &str = r#"[
    {"name": "a", "type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}},
    {"name": "b", "type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]"#;
const UNNAMED: &str =
    r#"[{"type": "double", "required": true}, {"type": "long", "required": true}]"#;

fn enforcer(schema: &str, casting: Casting) -> Enforcer {
    let inputs = Some(Schema::from_json(schema).unwrap());
    let signature = Signature { inputs, ..Signature::default() };
    Enforcer::new(Some(&signature), casting, Limits::default())
}

fn invoke(schema: &str, casting: Casting, body: &str) -> Result<Enforced, Rejection> {
    enforcer(schema, casting).json(body.as_bytes(), Protocol::Invocations)
}

fn predict(schema: &str, body: &str) -> Result<Enforced, Rejection> {
    enforcer(schema, Casting::Strict).json(body.as_bytes(), Protocol::Predict)
}

fn doubles(batch: &RecordBatch, column: usize) -> Vec<f64> {
    batch.column(column).as_primitive::<Float64Type>().values().to_vec()
}

/// A record of [`TYPES`] with one member replaced (or dropped, for an empty value).
fn typed(name: &str, value: &str) -> String {
    let members = [
        ("b", "true"),
        ("i", "1"),
        ("l", "2"),
        ("f", "1.5"),
        ("d", "2.5"),
        ("s", "\"x\""),
        ("by", "\"aGVsbG8=\""),
        ("dt", "\"2024-01-02T03:04:05\""),
    ];
    let mut record: Vec<(&str, &str)> = members.to_vec();
    match record.iter_mut().find(|(member, _)| *member == name) {
        Some(member) => member.1 = value,
        None => record.push((name, value)),
    }
    let members: Vec<String> = record
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("\"{name}\": {value}"))
        .collect();
    format!("{{\"dataframe_records\": [{{{}}}]}}", members.join(", "))
}

/// Python's `bool()` of a text is whether there is one: that of a false one is wrong, and not taken.
#[test]
fn a_text_is_a_boolean_where_python_is_right() {
    for text in [r#""True""#, r#""true""#, r#""TRUE""#] {
        for casting in [Casting::Lossless, Casting::Upstream] {
            let request = invoke(TYPES, casting, &typed("b", text)).unwrap();
            assert!(request.batch.column(0).as_boolean().value(0), "{text}");
        }
        assert!(invoke(TYPES, Casting::Strict, &typed("b", text)).is_err(), "{text}");
    }
    for text in [r#""False""#, r#""0""#, r#""1""#, r#""""#, "2", "3.5", "null"] {
        assert!(invoke(TYPES, Casting::Lossless, &typed("b", text)).is_err(), "{text}");
    }
}

#[test]
fn every_form_gives_the_same_columns() {
    for body in [
        r#"{"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3, 4.5]]}}"#,
        r#"{"dataframe_split": {"data": [[1, 2], [3, 4.5]], "index": [7, 8], "columns": ["a", "b"]}}"#,
        r#"{"dataframe_split": {"columns": ["b", "x", "a"], "data": [[2, null, 1], [4.5, {}, 3]]}}"#,
        r#"{"dataframe_records": [{"a": 1, "b": 2}, {"b": 4.5, "a": 3}]}"#,
        r#"{"dataframe_records": [{"a": 1, "b": 2, "x": [1]}, {"x": [], "b": 4.5, "a": 3}]}"#,
        r#"{"inputs": {"a": [1, 3], "b": [2, 4.5]}, "params": {"p": 1}}"#,
        r#"{"inputs": [{"a": 1, "b": 2}, {"a": 3, "b": 4.5}]}"#,
        r#"{"instances": [{"a": 1, "b": 2}, {"a": 3, "b": 4.5}], "other": 5}"#,
        r#"{"instances": {"b": [2, 4.5], "a": [1, 3]}}"#,
        r#" { "instances" : { "\u0062" : [ 2 , 45e-1 ] , "a" : [ 1.0 , 3 ] } } "#,
    ] {
        let request = invoke(IRIS, Casting::Lossless, body).unwrap();
        assert_eq!(doubles(&request.batch, 0), [1.0, 3.0], "{body}");
        assert_eq!(doubles(&request.batch, 1), [2.0, 4.5], "{body}");
    }
    for body in [
        r#"[{"a": 1, "b": 2}, {"a": 3, "b": 4.5}]"#,
        r#"{"a": [1, 3], "b": [2, 4.5]}"#,
        r#"{"columns": ["a", "b"], "data": [[1, 2], [3, 4.5]]}"#,
        r#"{"data": [[1, 2], [3, 4.5]], "columns": ["a", "b"]}"#,
        r#"{"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3, 4.5]]}}"#,
    ] {
        let request = predict(IRIS, body).unwrap();
        assert_eq!(doubles(&request.batch, 0), [1.0, 3.0], "{body}");
        assert_eq!(doubles(&request.batch, 1), [2.0, 4.5], "{body}");
    }
    assert_eq!(doubles(&predict(IRIS, r#"{"a": 1, "b": 2}"#).unwrap().batch, 1), [2.0]);
    let csv = enforcer(IRIS, Casting::Strict).csv(b"b,x,a\n2,q,1\n4.5,,3\n").unwrap();
    assert_eq!(doubles(&csv.batch, 0), [1.0, 3.0]);
    assert_eq!(csv.ignored, ["x"]);
}

#[test]
fn columns_named_like_formats_are_columns_to_predict() {
    let schema = r#"[{"type": "double", "name": "inputs", "required": true},
        {"type": "double", "name": "data", "required": true}]"#;
    let request = predict(schema, r#"{"inputs": [1], "data": [2]}"#).unwrap();
    assert_eq!(doubles(&request.batch, 1), [2.0]);
}

#[test]
fn forms_that_upstream_refuses_are_refused() {
    for (body, message) in [
        ("", "Error: 'Expecting value: line 1 column 1 (char 0)'"),
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("5", "Received unexpected input type '<class 'int'>'."),
        ("[[1, 2]]", "Received a list."),
        (r#"{"foo": 1}"#, "Received dictionary with input fields: []."),
        (r#"{"inputs": [1], "instances": [1]}"#, "fields: ['inputs', 'instances']."),
        (r#"{"dataframe_split": [[1, 2]]}"#, "split format must be a dictionary. Got list."),
        (r#"{"dataframe_records": {"a": 1}}"#, "must be a list of records. Got dictionary."),
        (
            r#"{"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2]], "foo": 1}}"#,
            "Got {'columns', 'data', 'foo'}.'",
        ),
        (r#"{"dataframe_split": {"columns": ["a", "b"]}}"#, "must have 'data' field"),
        (
            r#"{"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [1]]}}"#,
            "row 1: 2 columns are named, this row has 1 values",
        ),
        (r#"{"dataframe_split": {"columns": ["a", "b"], "data": []}}"#, "no rows"),
        (r#"{"inputs": {"a": [1, 2], "b": [1]}}"#, "for each input/column name are not the same"),
        (r#"{"instances": [{"a": 1, "b": 2}, {"a": 1}]}"#, "for each input/column name are not"),
        (r#"{"dataframe_records": [{"a": 1, "b": 2, "a": 3}]}"#, "column 'a' is given twice"),
        (r#"{"dataframe_records": [{"a": 1, "b": 2}, 5]}"#, "row 1: a record must be an object"),
        (r#"{"inputs": {"a": [1], "b": [1]}} x"#, "Extra data: line 1 column 34 (char 33)"),
    ] {
        let rejection = invoke(IRIS, Casting::Lossless, body).unwrap_err();
        assert!(rejection.message.contains(message), "{body}\n{rejection}");
        assert!(matches!(rejection.step, Step::Parse | Step::Cast), "{body}");
    }
}

#[test]
fn missing_and_extra_columns_are_named_as_upstream_names_them() {
    for (body, message) in [
        (
            r#"{"dataframe_split": {"columns": ["a", "zz"], "data": [[1, 2]]}}"#,
            "Error: Model is missing inputs ['b']. Note that there were extra inputs: ['zz'].",
        ),
        (r#"{"dataframe_records": [{"a": 1}]}"#, "Error: Model is missing inputs ['b']."),
        (
            r#"{"inputs": [[1, 2]]}"#,
            "missing inputs ['a', 'b']. Note that there were extra inputs: [0, 1].",
        ),
        (
            r#"{"dataframe_split": {"data": [[1, 2]]}}"#,
            "missing inputs ['a', 'b']. Note that there were extra inputs: [0, 1].",
        ),
        (r#"{"inputs": {"b": [1]}}"#, "Model is missing inputs ['a']."),
    ] {
        let rejection = invoke(IRIS, Casting::Lossless, body).unwrap_err();
        assert!(rejection.message.contains(message), "{body}\n{rejection}");
        assert!(rejection.message.contains("['a': double (required), 'b': double (required)]"));
        assert_eq!(rejection.step, Step::Schema, "{body}");
        assert_eq!(rejection.violations[0].problem, "column is missing");
        assert_eq!(rejection.violations[0].expected.as_deref(), Some("double"));
    }
}

#[test]
fn what_each_casting_takes() {
    use Casting::{Lossless, Strict, Upstream};
    // (column, value, castings that take it)
    let cases: [(&str, &str, &[Casting]); 42] = [
        ("b", "false", &[Strict, Lossless, Upstream]),
        ("b", "1", &[Lossless, Upstream]),
        ("b", "2", &[Upstream]),
        ("b", "\"true\"", &[Lossless, Upstream]),
        ("b", "\"false\"", &[Upstream]),
        ("b", "null", &[Upstream]),
        ("i", "2147483648", &[Upstream]),
        ("i", "1.0", &[Strict, Lossless, Upstream]),
        ("i", "1.5", &[Upstream]),
        ("i", "\"7\"", &[Lossless, Upstream]),
        ("i", "\"a\"", &[]),
        ("i", "true", &[Lossless, Upstream]),
        ("i", "NaN", &[]),
        ("l", "9223372036854775807", &[Strict, Lossless, Upstream]),
        ("l", "9223372036854775808", &[Upstream]),
        ("l", "null", &[]),
        ("l", "[1]", &[]),
        ("f", "3", &[Strict, Lossless, Upstream]),
        ("f", "1e300", &[Upstream]),
        ("f", "null", &[Strict, Lossless, Upstream]),
        ("d", "\"2.5\"", &[Lossless, Upstream]),
        ("d", "\"abc\"", &[]),
        ("d", "true", &[Lossless, Upstream]),
        ("d", "null", &[Strict, Lossless, Upstream]),
        ("d", "NaN", &[Strict, Lossless, Upstream]),
        ("d", "-Infinity", &[Strict, Lossless, Upstream]),
        ("d", "1e999", &[Upstream]),
        ("s", "5", &[Upstream]),
        ("s", "true", &[Upstream]),
        ("s", "null", &[Strict, Lossless, Upstream]),
        ("by", "\"!!!\"", &[Upstream]),
        ("by", "5", &[]),
        ("by", "null", &[]),
        ("dt", "\"2024-01-02\"", &[Strict, Lossless, Upstream]),
        ("dt", "\"2024-01-02T03:04:05Z\"", &[]),
        ("dt", "1700000000000", &[Lossless, Upstream]),
        ("dt", "\"hello\"", &[]),
        ("dt", "null", &[Strict, Lossless, Upstream]),
        ("od", "1", &[Strict, Lossless, Upstream]),
        ("od", "null", &[Strict, Lossless, Upstream]),
        ("os", "null", &[Strict, Lossless, Upstream]),
        ("os", "\"q\"", &[Strict, Lossless, Upstream]),
    ];
    for (column, value, taken) in cases {
        for casting in [Strict, Lossless, Upstream] {
            let outcome = invoke(TYPES, casting, &typed(column, value));
            assert_eq!(
                outcome.is_ok(),
                taken.contains(&casting),
                "{column} = {value} {casting:?}: {outcome:?}"
            );
            if let Err(rejection) = outcome {
                assert_eq!(rejection.violations_total, 1);
                let violation = &rejection.violations[0];
                assert_eq!(violation.column.as_deref(), Some(column));
                assert_eq!(violation.row, Some(0));
                assert_eq!(violation.value.as_deref(), Some(value));
                assert!(rejection.message.contains(&format!("convert column {column} to type")));
            }
        }
    }
}

#[test]
fn values_arrive_as_upstream_delivers_them() {
    let request = invoke(TYPES, Casting::Upstream, &typed("i", "2147483648")).unwrap();
    assert_eq!(request.batch.column(1).as_primitive::<Int32Type>().value(0), i32::MIN);
    let request = invoke(TYPES, Casting::Upstream, &typed("l", "1.5")).unwrap();
    let batch = &request.batch;
    assert_eq!(batch.column(2).as_primitive::<Int64Type>().value(0), 1);
    assert!(batch.column(0).as_boolean().value(0));
    assert_eq!(batch.column(6).as_binary::<i32>().value(0), b"hello");
    let when = batch.column(7).as_primitive::<TimestampNanosecondType>().value(0);
    assert_eq!(when, 1_704_164_645_000_000_000);
    assert_eq!(batch.num_columns(), 10);
    assert!(batch.column(8).is_null(0) && batch.column(9).is_null(0));
    // A missing double is a NaN under a null.
    let request = invoke(TYPES, Casting::Lossless, &typed("d", "null")).unwrap();
    assert!(request.batch.column(4).is_null(0) && doubles(&request.batch, 4)[0].is_nan());
    // Upstream decodes base64 in data frames only.
    let body = typed("s", "\"x\"").replace("dataframe_records", "instances");
    let raw = invoke(TYPES, Casting::Lossless, &body).unwrap();
    assert_eq!(raw.batch.column(6).as_binary::<i32>().value(0), b"aGVsbG8=");
    // Its lists are a data frame, too, once they have the columns of a signature.
    assert!(raw.frame);
}

#[test]
fn all_violations_are_reported_up_to_the_limit() {
    let body = r#"[{"a": "x", "b": 1}, {"a": 2, "b": [3]}, {"a": true, "b": 4}, {"b": 4}]"#;
    let rejection = predict(IRIS, body).unwrap_err();
    let found: Vec<_> = rejection
        .violations
        .iter()
        .map(|v| (v.column.as_deref(), v.row, v.value.as_deref(), v.problem.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (Some("a"), Some(0), Some("\"x\""), "expected double, got string \"x\""),
            (Some("b"), Some(1), Some("[3]"), "expected double, got list [3]"),
            (Some("a"), Some(2), Some("true"), "expected double, got boolean true"),
            (Some("a"), Some(3), None, "column 'a' is missing in this record"),
        ]
    );
    assert_eq!(
        rejection.message,
        "Invalid input. Data is not compatible with model signature. Failed to convert column a \
         to type 'float64'. Error: 'row 0: expected double, got string \"x\"' (4 violations in all)"
    );
    let many = format!("[{}]", vec![r#"{"a": "x", "b": "y"}"#; 1000].join(","));
    let rejection = predict(IRIS, &many).unwrap_err();
    assert_eq!((rejection.violations.len(), rejection.violations_total), (20, 2000));
    let long = format!(r#"[{{"a": "{}", "b": 1}}]"#, "é".repeat(500));
    let value = predict(IRIS, &long).unwrap_err().violations[0].value.clone().unwrap();
    assert_eq!(value.chars().count(), 61);
}

#[test]
fn arrays_objects_maps_and_anything() {
    let ok = r#"{"dataframe_records": [{"arr": [1.0, 2], "obj": {"x": 1, "y": "a"},
        "mp": {"k": 1.5}, "any": {"z": [1, "a"]}, "nested": [[1, 2], [3]]},
        {"arr": [], "obj": {"x": 1}, "mp": {}}]}"#;
    let request = invoke(COMPLEX, Casting::Lossless, ok).unwrap();
    let batch = &request.batch;
    assert_eq!(batch.column(0).as_list::<i32>().value(0).len(), 2);
    assert_eq!(batch.column(1).as_struct().column(0).as_primitive::<Int64Type>().value(1), 1);
    assert_eq!(batch.column(2).as_map().value_length(0), 1);
    assert_eq!(batch.column(3).as_string::<i32>().value(0), r#"{"z": [1, "a"]}"#);
    assert!(batch.column(3).is_null(1) && batch.column(4).is_null(1));
    for (record, message) in [
        (r#"{"arr": ["a"], "obj": {"x": 1}, "mp": {}}"#, "column arr to type 'Array(double)'"),
        (r#"{"arr": 1.0, "obj": {"x": 1}, "mp": {}}"#, "expected Array(double), got 1.0"),
        (r#"{"arr": null, "obj": {"x": 1}, "mp": {}}"#, "expected Array(double), got null"),
        (r#"{"arr": [null], "obj": {"x": 1}, "mp": {}}"#, "expected double, got null"),
        (r#"{"arr": [], "obj": {"y": "a"}, "mp": {}}"#, "Missing required properties: {'x'}"),
        (
            r#"{"arr": [], "obj": {"x": 1, "q": 1}, "mp": {}}"#,
            "not defined in the schema found: {'q'}",
        ),
        (r#"{"arr": [], "obj": {"x": "s"}, "mp": {}}"#, "expected long, got string \"s\""),
        (r#"{"arr": [], "obj": 5, "mp": {}}"#, "{x: long (required), y: string (optional)}"),
        (r#"{"arr": [], "obj": {"x": 1}, "mp": {"k": "s"}}"#, "expected double, got string \"s\""),
    ] {
        let body = format!("{{\"dataframe_records\": [{record}]}}");
        let rejection = invoke(COMPLEX, Casting::Upstream, &body).unwrap_err();
        assert!(rejection.message.contains(message), "{record}\n{rejection}");
    }
    let column =
        r#"{"inputs": {"arr": [[1], [2, 3]], "obj": [{"x": 1}, {"x": 2}], "mp": [{}, {}]}}"#;
    assert_eq!(invoke(COMPLEX, Casting::Lossless, column).unwrap().batch.num_rows(), 2);
    let row = r#"{"inputs": {"arr": [2, 3], "obj": {"x": 1}, "mp": {}, "nested": [[1]]}}"#;
    assert_eq!(invoke(COMPLEX, Casting::Lossless, row).unwrap().batch.num_rows(), 1);
}

#[test]
fn unnamed_columns_go_by_position() {
    for body in [
        r#"{"dataframe_split": {"data": [[1.5, 2]]}}"#,
        r#"{"dataframe_split": {"columns": ["x", "y"], "data": [[1.5, 2]]}}"#,
        r#"{"dataframe_split": {"data": [[1.5, 2, 3]]}}"#,
        r#"{"dataframe_records": [{"x": 1.5, "y": 2}]}"#,
    ] {
        let request = invoke(UNNAMED, Casting::Lossless, body).unwrap();
        assert_eq!(doubles(&request.batch, 0), [1.5], "{body}");
        assert_eq!(request.batch.schema().field(1).name(), "1");
    }
    for (body, message) in [
        (
            r#"{"dataframe_split": {"data": [[1.5]]}}"#,
            "declares 2 inputs  but the provided value only has 1 inputs.",
        ),
        (r#"{"inputs": [[1.5, 2]]}"#, "column 1. Can not safely convert float64 to int64."),
        (r#"{"inputs": {"a": [1]}}"#, "an input of type <class 'dict'> was found."),
    ] {
        let rejection = invoke(UNNAMED, Casting::Lossless, body).unwrap_err();
        assert!(rejection.message.contains(message), "{body}\n{rejection}");
    }
    let same = r#"[{"type": "double", "required": true}, {"type": "double", "required": true}]"#;
    let request = invoke(same, Casting::Lossless, r#"{"inputs": [[1, 2], [3, 4]]}"#).unwrap();
    assert_eq!(doubles(&request.batch, 1), [2.0, 4.0]);
    let one = r#"[{"type": "double", "required": true}]"#;
    assert_eq!(
        doubles(&invoke(one, Casting::Lossless, r#"{"inputs": 5}"#).unwrap().batch, 0),
        [5.0]
    );
}

#[test]
fn late_and_absent_columns() {
    let late = r#"{"dataframe_records": [{"b": 2}, {"a": 1, "b": 2}]}"#;
    let request = invoke(IRIS, Casting::Lossless, late).unwrap();
    assert!(doubles(&request.batch, 0)[0].is_nan());
    let strict = invoke(IRIS, Casting::Strict, late).unwrap_err();
    assert_eq!((strict.violations[0].row, strict.violations_total), (Some(0), 1));
}

#[test]
fn params_are_typed_and_defaulted() {
    let params = r#"[{"name": "temp", "default": 0.5, "shape": null, "type": "double"},
        {"name": "n", "default": 3, "shape": null, "type": "integer"},
        {"name": "flag", "default": true, "shape": null, "type": "boolean"},
        {"name": "stop", "default": ["a"], "shape": [-1], "type": "string"},
        {"name": "when", "default": "2024-01-01", "shape": null, "type": "datetime"}]"#;
    let signature = Signature {
        inputs: Some(Schema::from_json(IRIS).unwrap()),
        params: Some(ParamSpec::list_from_json(params).unwrap()),
        outputs: None,
    };
    let enforcer = Enforcer::new(Some(&signature), Casting::Lossless, Limits::default());
    let ask = |params: &str| {
        let body = format!(r#"{{"params": {params}, "inputs": {{"a": [1], "b": [2]}}}}"#);
        enforcer.json(body.as_bytes(), Protocol::Invocations).map(|request| request.params)
    };
    let given = ask(r#"{"temp": 1, "n": 5, "stop": ["x", "y"], "zz": 1}"#).unwrap();
    assert_eq!(
        Value::Object(given),
        serde_json::json!({"temp": 1.0, "n": 5, "flag": true, "stop": ["x", "y"], "when": "2024-01-01"})
    );
    assert!(ask(r#"{"temp": null}"#).unwrap()["temp"].is_null());
    for (params, message) in [
        ("[1]", "Parameters must be a dictionary. Got type 'list'."),
        (
            r#"{"n": "a"}"#,
            "Can not safely convert `<class 'str'>` to `DataType.integer` for value `a`",
        ),
        (r#"{"n": 1.5}"#, "Can not safely convert `<class 'float'>` to `DataType.integer`"),
        (r#"{"flag": 1}"#, "Can not safely convert `<class 'int'>` to `DataType.boolean`"),
        (r#"{"stop": "a"}"#, "Value must be a 1D array with shape (-1,)"),
        (r#"{"temp": [1.0]}"#, "Value must be a scalar for type `DataType.double`, got `[1.0]`"),
        (r#"{"when": "zz"}"#, "Failed to convert value `zz` from type `<class 'str'>`"),
    ] {
        let rejection = ask(params).unwrap_err();
        assert!(rejection.message.contains(message), "{params}\n{rejection}");
        assert_eq!(rejection.step, Step::Params);
    }
}

#[test]
fn without_a_signature_the_request_is_its_own() {
    let enforcer = Enforcer::new(None, Casting::Lossless, Limits::default());
    let types = |body: &str| -> Vec<String> {
        let request = enforcer.json(body.as_bytes(), Protocol::Invocations).unwrap();
        let schema = request.batch.schema();
        schema.fields().iter().map(|f| format!("{}: {}", f.name(), f.data_type())).collect()
    };
    assert_eq!(
        types(r#"{"dataframe_records": [{"a": 1, "b": "x"}, {"a": 2.5, "c": true}]}"#),
        ["a: Float64", "b: Utf8", "c: Boolean"]
    );
    assert_eq!(types(r#"{"inputs": {"a": [1, 2], "b": ["x", "y"]}}"#), ["a: Int64", "b: Utf8"]);
    // Columns stand as they came: the model may know them by place only.
    let records = r#"{"dataframe_records": [{"z": 1, "a": "x"}, {"a": "y", "z": 2, "b": true}]}"#;
    assert_eq!(types(records), ["z: Int64", "a: Utf8", "b: Boolean"]);
    assert_eq!(types(r#"{"dataframe_split": {"columns": ["a"], "data": [[1]]}}"#), ["a: Int64"]);
    assert_eq!(types(r#"{"instances": [{"a": 1}, {"a": 2}]}"#), ["a: Int64"]);
    assert_eq!(types(r#"{"inputs": 5}"#), ["0: Int64"]);
    assert_eq!(types(r#"{"inputs": "abc"}"#), ["0: Utf8"]);
    assert!(types(r#"{"inputs": [[1, 2]]}"#)[0].starts_with("0: List"));
    let request = enforcer.csv(b"a,b,c\n1,x,2.5\n,y,3\n").unwrap();
    let schema = request.batch.schema();
    let types: Vec<_> = schema.fields().iter().map(|f| f.data_type().to_string()).collect();
    assert_eq!(types, ["Int64", "Utf8", "Float64"]);
}

#[test]
fn limits_hold() {
    let inputs = Some(Schema::from_json(IRIS).unwrap());
    let signature = Signature { inputs, ..Signature::default() };
    let limits = Limits { rows_max: 2, ..Limits::default() };
    let enforcer = Enforcer::new(Some(&signature), Casting::Strict, limits);
    for body in [
        r#"[{"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 1, "b": 2}]"#,
        r#"{"a": [1, 2, 3], "b": [1, 2, 3]}"#,
        r#"{"columns": ["a", "b"], "data": [[1, 2], [1, 2], [1, 2]]}"#,
    ] {
        let rejection = enforcer.json(body.as_bytes(), Protocol::Predict).unwrap_err();
        assert!(rejection.message.contains("more than 2 rows"), "{rejection}");
    }
    let deep = format!(r#"{{"inputs": {}"#, "[".repeat(1_000_000));
    for schema in [IRIS, TENSOR, COMPLEX] {
        let rejection = invoke(schema, Casting::Lossless, &deep).unwrap_err();
        assert!(!rejection.message.is_empty());
    }
    let not_utf8 = enforcer.json(b"\xff\xfe", Protocol::Predict).unwrap_err();
    assert!(not_utf8.message.contains("UTF-8"));
}

proptest! {
    #[test]
    fn any_doubles_arrive_bit_for_bit(rows in prop::collection::vec((any::<f64>(), any::<f64>()), 1..50)) {
        prop_assume!(rows.iter().all(|(a, b)| a.is_finite() && b.is_finite()));
        let records: Vec<_> = rows.iter().map(|(a, b)| serde_json::json!({"b": b, "a": a})).collect();
        let body = serde_json::to_string(&records).unwrap();
        let request = predict(IRIS, &body).unwrap();
        let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        prop_assert_eq!(bits(doubles(&request.batch, 0)), bits(rows.iter().map(|row| row.0).collect()));
        prop_assert_eq!(bits(doubles(&request.batch, 1)), bits(rows.iter().map(|row| row.1).collect()));
    }

    #[test]
    fn nothing_makes_it_panic(
        text in r#"[\[\]{}:,"0-9eab.truns \\-]{0,80}"#,
        key in prop::sample::select(vec!["dataframe_split", "dataframe_records", "inputs", "instances"]),
        schema in prop::sample::select(vec![IRIS, TYPES, COMPLEX, TENSOR, TENSORS, UNNAMED]),
    ) {
        for casting in [Casting::Strict, Casting::Upstream] {
            let enforcer = enforcer(schema, casting);
            let _any = enforcer.json(text.as_bytes(), Protocol::Predict);
            let _any = enforcer.json(format!("{{\"{key}\": {text}}}").as_bytes(), Protocol::Invocations);
            let _any = enforcer.csv(text.as_bytes());
        }
        let free = Enforcer::new(None, Casting::Lossless, Limits::default());
        let _any = free.json(format!("{{\"{key}\": {text}}}").as_bytes(), Protocol::Invocations);
        let _any = free.csv(text.as_bytes());
    }

    /// Whole JSON in odd places, which random text rarely is.
    #[test]
    fn no_tree_makes_it_panic(
        value in any_value(),
        key in prop::sample::select(vec!["dataframe_split", "dataframe_records", "inputs", "instances"]),
        schema in prop::sample::select(vec![IRIS, TYPES, COMPLEX, TENSOR, TENSORS, UNNAMED]),
    ) {
        let body = serde_json::json!({key: value}).to_string();
        for casting in [Casting::Lossless, Casting::Upstream] {
            let _any = enforcer(schema, casting).json(body.as_bytes(), Protocol::Invocations);
        }
        let free = Enforcer::new(None, Casting::Lossless, Limits::default());
        let _any = free.json(body.as_bytes(), Protocol::Invocations);
        let _any = predict(schema, &value.to_string());
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let names = ["a", "b", "i", "l", "arr", "obj", "mp", "x", "data", "columns"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2.0..2.0).prop_map(|value: f64| Value::from(value)),
        prop::sample::select(names.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(names.to_vec()), inner, 0..5)
                .prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}
