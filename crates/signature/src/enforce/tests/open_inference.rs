//! The Open Inference Protocol.

use super::*;

fn ask(enforcer: &Enforcer, inputs: &str) -> Result<Enforced, Rejection> {
    let body = format!(r#"{{"id": "7", "parameters": {{"x": [1]}}, "inputs": {inputs}}}"#);
    let request = enforcer.json(body.as_bytes(), Protocol::OpenInference)?;
    assert_eq!(request.id.as_deref(), Some("7"));
    Ok(request)
}

fn free() -> Enforcer {
    Enforcer::new(None, Casting::Strict, Limits::default())
}

#[test]
fn columns_tables_and_tensors_by_the_signature() {
    let iris = enforcer(IRIS, Casting::Strict);
    for inputs in [
        r#"[{"name": "a", "shape": [2], "datatype": "FP64", "data": [1, 3]},
            {"name": "b", "shape": [2, 1], "datatype": "FP64", "data": [2, 4.5]}]"#,
        r#"[{"data": [[2], [4.5]], "name": "b", "shape": [2, 1]}, {"data": [1, 3], "shape": [2], "name": "a"}]"#,
        r#"[{"name": "t", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, 3, 4.5]}]"#,
        r#"[{"name": "t", "shape": [2, 2], "datatype": "FP64", "data": [[1, 2], [3, 4.5]], "parameters": {}}]"#,
        r#"[{"name": "a", "shape": [2], "data": [1, 3]}, {"name": "b", "shape": [2], "data": [2, 4.5]},
            {"name": "other", "shape": [1], "datatype": "BYTES", "data": ["x"]}]"#,
    ] {
        let request = ask(&iris, inputs).unwrap();
        assert_eq!(doubles(&request.batch, 0), [1.0, 3.0], "{inputs}");
        assert_eq!(doubles(&request.batch, 1), [2.0, 4.5], "{inputs}");
    }
    let nulls = r#"[{"name": "a", "shape": [2], "data": [null, NaN]}, {"name": "b", "shape": [2], "data": [1, 2]}]"#;
    assert!(doubles(&ask(&iris, nulls).unwrap().batch, 0).iter().all(|value| value.is_nan()));
    let tensor = enforcer(TENSOR, Casting::Strict);
    let data = r#"[{"name": "x", "shape": [2, 2, 2], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6, 7, 8]}]"#;
    let flat = ask(&tensor, data).unwrap();
    let nested = tensor
        .json(br#"{"inputs": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]}"#, Protocol::Invocations)
        .unwrap();
    assert_eq!(flat.batch, nested.batch);
    let tensors = enforcer(TENSORS, Casting::Strict);
    let data = r#"[{"name": "b", "shape": [2], "data": [5, 6]}, {"name": "a", "shape": [2, 2], "data": [1, 2, 3, 4]}]"#;
    assert_eq!(ask(&tensors, data).unwrap().batch.num_rows(), 2);
    let unnamed = enforcer(UNNAMED, Casting::Strict);
    let data =
        r#"[{"name": "x", "shape": [1], "data": [1.5]}, {"name": "y", "shape": [1], "data": [2]}]"#;
    assert_eq!(doubles(&ask(&unnamed, data).unwrap().batch, 0), [1.5]);
}

#[test]
fn without_a_signature_the_datatypes_say_what_comes() {
    let table = r#"[{"name": "input-0", "shape": [2, 2], "datatype": "FP32", "data": [6.8, 2.8, 6.0, 3.4]}]"#;
    let request = ask(&free(), table).unwrap();
    let tensors = request.schema.unwrap();
    assert_eq!(tensors.tensors().unwrap()[0].dtype, "float32");
    assert_eq!(request.batch.num_rows(), 2);
    let columns = r#"[{"name": "a", "shape": [2], "datatype": "INT64", "data": [1, null]},
        {"name": "b", "shape": [2, 1], "datatype": "BYTES", "data": ["x", null]},
        {"name": "c", "shape": [2], "datatype": "BOOL", "data": [true, false]},
        {"name": "d", "shape": [2], "datatype": "FP64", "data": [null, null]},
        {"name": "e", "shape": [2], "data": [1, 2.5]}]"#;
    let request = ask(&free(), columns).unwrap();
    let types: Vec<_> =
        request.batch.schema().fields().iter().map(|f| f.data_type().to_string()).collect();
    assert_eq!(types, ["Int64", "Utf8", "Boolean", "Float64", "Float64"]);
    let wide = r#"[{"name": "a", "shape": [2], "datatype": "INT64", "data": [1, 2]},
        {"name": "b", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, 3, 4]}]"#;
    assert_eq!(ask(&free(), wide).unwrap().batch.num_rows(), 2);
}

#[test]
fn what_does_not_fit_is_said() {
    let iris = enforcer(IRIS, Casting::Strict);
    for (inputs, message) in [
        ("5", "not an inference request"),
        ("[5]", "not an inference request"),
        (r#"[{"name": "a"}]"#, "has a name, a shape and data"),
        (r#"[{"name": "a", "shape": [1.5], "data": [1]}]"#, "whole numbers"),
        (r#"[{"name": "a", "shape": [-1], "data": [1]}]"#, "whole numbers"),
        (r#"[{"name": "a", "shape": [18446744073709551616], "data": [1]}]"#, "whole numbers"),
        (r#"[{"name": "a", "shape": [4611686018427387904, 4], "data": [1]}]"#, "beyond all bounds"),
        (r#"[{"name": "t", "shape": [2, 2], "data": [1]}]"#, "do not fill the shape [2, 2]"),
        (
            r#"[{"name": "t", "shape": [1, 3], "data": [1, 2, 3]}]"#,
            "has 2 columns, input 't' has 3",
        ),
        (r#"[{"name": "t", "shape": [3], "data": [1, 2, 3]}]"#, "not a table"),
        (r#"[{"name": "a", "shape": [1], "data": [1]}]"#, "Model is missing inputs ['b']"),
        (
            r#"[{"name": "a", "shape": [1], "data": [1]}, {"name": "a", "shape": [1], "data": [1]}]"#,
            "given twice",
        ),
        (
            r#"[{"name": "a", "shape": [1], "data": [1]}, {"name": "b", "shape": [2], "data": [1, 2]}]"#,
            "not the same",
        ),
        (r#"[{"name": "t", "shape": [1, 2], "data": [1, "a"]}]"#, "got string \"a\""),
        (r#"[{"name": "t", "shape": [0, 2], "data": []}]"#, "no rows"),
        ("[]", "Model is missing inputs"),
    ] {
        let rejection = ask(&iris, inputs).unwrap_err();
        assert!(rejection.message.contains(message), "{inputs}\n{rejection}");
    }
    let endless = r#"[{"name": "t", "shape": [1000000000000, 0], "data": []}]"#;
    assert!(ask(&free(), endless).unwrap_err().message.contains("more than 1000000 rows"));
    for body in [&b"{\"inputs\": ["[..], b"\xff", b"{\"inputs\": []} x"] {
        assert!(free().json(body, Protocol::OpenInference).is_err());
    }
}

/// What each datatype takes, and what it does not: values as JSON, and what is said of the last.
type Datatype = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const DATATYPES: [Datatype; 13] = [
    ("BOOL", "true", &[("1", "got 1"), ("\"true\"", "got string \"true\""), ("0.0", "got 0.0")]),
    (
        "UINT8",
        "255",
        &[("-1", "-1, which is out of"), ("256", "256, which is"), ("true", "boolean true")],
    ),
    ("UINT16", "65535", &[("65536", "out of its range"), ("\"1\"", "string \"1\"")]),
    (
        "UINT32",
        "4294967295",
        &[("4294967296", "out of its range"), ("[1, 0.5]", "0.5, which would")],
    ),
    ("UINT64", "7", &[("-7", "out of its range"), ("1e20", "out of its range")]),
    ("INT8", "-128", &[("128", "out of its range"), ("1.5", "1.5, which would lose its fraction")]),
    ("INT16", "-32768", &[("-32769", "out of its range"), ("{}", "object {}")]),
    ("INT32", "2147483647", &[("2147483648", "out of its range"), ("false", "boolean false")]),
    (
        "INT64",
        "5.0",
        &[("\"a\"", "string \"a\""), ("0.5", "0.5, which"), ("Infinity", "Infinity, which")],
    ),
    ("FP16", "65504", &[("65520", "out of its range"), ("\"1\"", "string \"1\"")]),
    ("FP32", "0.5", &[("1e39", "out of its range"), ("true", "boolean true")]),
    ("FP64", "-1e300", &[("1e400", "out of its range"), ("\"nan\"", "string \"nan\"")]),
    ("BYTES", "\"a\"", &[("1", "got 1"), ("true", "boolean true"), ("[]", "")]),
];

#[test]
fn values_are_of_the_datatype_that_their_input_declares() {
    let any = enforcer(r#"[{"type": "any", "name": "x", "required": true}]"#, Casting::Upstream);
    for (datatype, fits, misfits) in DATATYPES {
        let body = |value: &str| {
            format!(
                r#"[{{"name": "x", "shape": [2], "datatype": "{datatype}", "data": [{fits}, {value}]}}]"#
            )
        };
        for missing in ["null", "NaN"] {
            for enforcer in [&any, &free()] {
                let request = ask(enforcer, &body(missing)).unwrap();
                assert_eq!(request.batch.num_rows(), 2, "{datatype}");
            }
        }
        for (value, said) in misfits.iter().filter(|(_, said)| !said.is_empty()) {
            for enforcer in [&any, &free()] {
                let rejection = ask(enforcer, &body(value)).unwrap_err();
                let named = format!("row 1: input 'x' is of the datatype {datatype}, got ");
                assert!(rejection.message.contains(&named), "{datatype} {value}: {rejection}");
                assert!(rejection.message.contains(said), "{datatype} {value}: {rejection}");
                let violation = &rejection.violations[0];
                assert_eq!(violation.expected.as_deref(), Some(datatype));
                assert_eq!((violation.column.as_deref(), violation.row), (Some("x"), Some(1)));
            }
        }
    }
    // Whatever the model takes, and in every shape.
    let iris = enforcer(IRIS, Casting::Upstream);
    let table = r#"[{"name": "t", "shape": [2, 2], "datatype": "INT64", "data": [1, 2, 3, "4"]}]"#;
    let said = ask(&iris, table).unwrap_err().message;
    assert!(said.contains("row 1: input 't' is of the datatype INT64, got string \"4\""), "{said}");
    let tensor = enforcer(TENSOR, Casting::Strict);
    let halves =
        r#"[{"name": "x", "shape": [1, 2, 2], "datatype": "UINT8", "data": [[[1, 2], [3, 0.5]]]}]"#;
    assert!(ask(&tensor, halves).unwrap_err().message.contains("datatype UINT8, got 0.5"));
    // Names that the protocol does not have say nothing about the data.
    let other = r#"[{"name": "x", "shape": [1], "datatype": "float64", "data": [1]}]"#;
    let said = ask(&any, other).unwrap_err().message;
    assert!(
        said.contains("input 'x' has the datatype \"float64\", which is none of BOOL, "),
        "{said}"
    );
}

#[test]
fn nan_is_a_missing_value_as_in_predict() {
    let types = r#"[{"type": "double", "name": "d", "required": true},
        {"type": "string", "name": "s", "required": true},
        {"type": "long", "name": "l", "required": false}]"#;
    let enforcer = enforcer(types, Casting::Strict);
    let plain = enforcer
        .json(br#"{"d": [1.5, NaN], "s": ["x", NaN], "l": [7, NaN]}"#, Protocol::Predict)
        .unwrap();
    let tensors = r#"[{"name": "d", "shape": [2], "datatype": "FP64", "data": [1.5, NaN]},
        {"name": "s", "shape": [2], "datatype": "BYTES", "data": ["x", NaN]},
        {"name": "l", "shape": [2], "datatype": "INT64", "data": [7, NaN]}]"#;
    let same = ask(&enforcer, tensors).unwrap().batch;
    for (plain, tensor) in plain.batch.columns().iter().zip(same.columns()) {
        // NaN is not equal to itself.
        assert_eq!(format!("{plain:?}"), format!("{tensor:?}"));
    }
    // What a column does not take as missing it takes in neither.
    let needed = r#"[{"type": "long", "name": "l", "required": true}]"#;
    let needed = super::enforcer(needed, Casting::Strict);
    assert!(needed.json(br#"{"l": [7, NaN]}"#, Protocol::Predict).is_err());
    let tensor = r#"[{"name": "l", "shape": [2], "datatype": "INT64", "data": [7, NaN]}]"#;
    assert!(ask(&needed, tensor).is_err());
}

#[test]
fn base64_is_decoded_or_refused() {
    let input = r#"[{"name": "x", "shape": [1], "datatype": "BYTES", "data": ["aGVsbG8="],
        "parameters": {"content_type": "base64"}}]"#;
    let column = |kind: &str| format!(r#"[{{"type": "{kind}", "name": "x", "required": true}}]"#);
    for enforcer in [enforcer(&column("binary"), Casting::Strict), free()] {
        let request = ask(&enforcer, input).unwrap();
        assert_eq!(request.batch.column(0).as_binary::<i32>().value(0), b"hello");
    }
    let said = ask(&enforcer(&column("string"), Casting::Strict), input).unwrap_err().message;
    assert!(said.contains("input 'x' has the content type base64"), "{said}");
}

#[test]
fn data_is_whole_json_whoever_reads_it() {
    let iris = enforcer(IRIS, Casting::Strict);
    for data in [
        "[1, 2}",
        "[1, 2",
        "[1,]",
        "[[1], 2]]",
        "[1 2]",
        "[\"a]",
        "[tru, 1]",
        "[1], \"data\": [1, 2]",
    ] {
        for name in ["a", "unknown"] {
            let inputs = format!(r#"[{{"name": "{name}", "shape": [2], "data": {data}}}]"#);
            let rejection = ask(&iris, &inputs).unwrap_err();
            let missing = rejection.message.contains("Model is missing inputs");
            assert!(!missing, "{name}: {data}: {rejection}");
        }
    }
}
