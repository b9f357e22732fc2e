//! The Open Inference Protocol.

use super::*;

fn ask(enforcer: &Enforcer, inputs: &str) -> Result<Enforced, Rejection> {
    let body = format!(r#"{{"id": "7", "parameters": {{"x": [1]}}, "inputs": {inputs}}}"#);
    let (id, request) = enforcer.inference(body.as_bytes())?;
    assert_eq!(id.as_deref(), Some("7"));
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
    assert!(free().inference(b"{\"inputs\": [").is_err());
    assert!(free().inference(b"\xff").is_err());
}
