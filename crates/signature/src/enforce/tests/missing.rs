//! Missing values: null and NaN, in columns of every type, with a signature and without.

use super::*;

fn free() -> Enforcer {
    Enforcer::new(None, Casting::Strict, Limits::default())
}

#[test]
fn nan_is_a_missing_value_where_it_is_no_number() {
    use Casting::{Lossless, Strict, Upstream};
    let optional = TYPES.replace("\"required\": true", "\"required\": false");
    for casting in [Strict, Lossless, Upstream] {
        for (place, column) in ["b", "i", "l", "f", "d", "s", "by", "dt"].into_iter().enumerate() {
            // Python's bool() of it is true.
            let is_true = (column, casting) == ("b", Upstream);
            let request = invoke(&optional, casting, &typed(column, "NaN")).unwrap();
            let array = request.batch.column(place);
            assert_eq!(
                array.is_null(0),
                !matches!(column, "f" | "d") && !is_true,
                "{column} {casting:?}"
            );
        }
        for (column, taken) in [("s", true), ("dt", true), ("l", false), ("by", false)] {
            let outcome = invoke(TYPES, casting, &typed(column, "NaN"));
            assert_eq!(outcome.is_ok(), taken, "{column} {casting:?}: {outcome:?}");
        }
    }
    let rejection = invoke(TYPES, Lossless, &typed("l", "NaN")).unwrap_err();
    assert_eq!(rejection.violations[0].problem, "expected long, got NaN");
}

/// The types of the columns, and how many values each misses.
fn seen(request: &Enforced) -> Vec<String> {
    let schema = request.batch.schema();
    let columns = schema.fields().iter().zip(request.batch.columns());
    columns.map(|(f, c)| format!("{} {} {}", f.name(), f.data_type(), c.null_count())).collect()
}

#[test]
fn without_a_signature_missing_values_take_the_type_of_the_others() {
    for (cells, expected) in [
        ("[1, 2]", "Int64 0"),
        ("[1, null]", "Float64 1"),
        ("[NaN, 2]", "Float64 0"),
        ("[1.5, null]", "Float64 1"),
        ("[true, null]", "Boolean 1"),
        ("[true, NaN]", "Boolean 1"),
        ("[true, 2]", "Float64 0"),
        ("[\"x\", null]", "Utf8 1"),
        ("[\"x\", NaN]", "Utf8 1"),
        ("[NaN, null]", "Float64 1"),
        // Of any type: the model says which.
        ("[null, null]", "Utf8 2"),
        ("[9223372036854775808, 1]", "Float64 0"),
        ("[Infinity, 1]", "Float64 0"),
    ] {
        let (first, second) = cells.trim_matches(['[', ']']).split_once(", ").unwrap();
        let bodies = [
            format!(r#"{{"dataframe_records": [{{"a": {first}}}, {{"a": {second}}}]}}"#),
            format!(
                r#"{{"dataframe_split": {{"columns": ["a"], "data": [[{first}], [{second}]]}}}}"#
            ),
            format!(
                r#"{{"dataframe_split": {{"data": [[{first}], [{second}]], "columns": ["a"]}}}}"#
            ),
            format!(r#"{{"inputs": {{"a": {cells}}}}}"#),
            format!(r#"{{"instances": [{{"a": {first}}}, {{"a": {second}}}]}}"#),
        ];
        for body in bodies {
            let request = free().json(body.as_bytes(), Protocol::Invocations).unwrap();
            assert_eq!(seen(&request), [format!("a {expected}")], "{body}");
        }
        let bare = [
            format!(r#"[{{"a": {first}}}, {{"a": {second}}}]"#),
            format!(r#"{{"columns": ["a"], "data": [[{first}], [{second}]]}}"#),
            format!(r#"{{"a": {cells}}}"#),
        ];
        for body in bare {
            let request = free().json(body.as_bytes(), Protocol::Predict).unwrap();
            assert_eq!(seen(&request), [format!("a {expected}")], "{body}");
        }
    }
}

#[test]
fn arrays_without_a_signature_are_numbers_where_they_can_be() {
    for (body, dtype) in [
        ("[[1, 2]]", "int64"),
        ("[[1, null]]", "float64"),
        ("[[null, null]]", "float64"),
        ("[[NaN, 1]]", "float64"),
        ("[[true, false]]", "bool"),
        ("[[true, null]]", "float64"),
        ("[[true, 2]]", "float64"),
        ("[[\"a\", null]]", "a value of a tensor is missing"),
        ("[]", "no rows"),
    ] {
        let body = format!("{{\"inputs\": {body}}}");
        match free().json(body.as_bytes(), Protocol::Invocations) {
            Ok(request) => {
                let schema = request.schema.unwrap();
                assert_eq!(schema.tensors().unwrap()[0].dtype, dtype, "{body}");
            }
            Err(rejection) => assert!(rejection.message.contains(dtype), "{body}: {rejection}"),
        }
    }
}

#[test]
fn lists_and_objects_may_miss_parts_of_them() {
    let body = r#"{"dataframe_records": [{"l": [1, null], "o": {"x": null, "y": 1}, "e": []},
        {"l": [2], "o": {"y": null}, "e": [1]}, {"l": null, "o": null, "e": null}]}"#;
    let request = free().json(body.as_bytes(), Protocol::Invocations).unwrap();
    assert_eq!(request.batch.num_rows(), 3);
}

#[test]
fn csv_is_typed_by_all_of_its_rows() {
    let rows = format!("a,b,c\n{}x,,1\n", "1,,\n".repeat(2000));
    let request = free().csv(rows.as_bytes()).unwrap();
    assert_eq!(seen(&request), ["a Utf8 0", "b Float64 2001", "c Int64 2000"]);
}

#[test]
fn columns_that_pandas_numbers_go_by_place_or_by_name() {
    let numbered = r#"[{"type": "double", "name": 0, "required": true},
        {"type": "long", "name": 1, "required": true}]"#;
    for body in [
        r#"{"dataframe_split": {"data": [[1.5, 2]]}}"#,
        r#"{"dataframe_split": {"columns": [0, 1], "data": [[1.5, 2]]}}"#,
        r#"{"dataframe_split": {"columns": ["1", "0"], "data": [[2, 1.5]]}}"#,
        r#"{"dataframe_records": [{"1": 2, "0": 1.5}]}"#,
        r#"{"inputs": [[1.5, 2]]}"#,
        r#"{"instances": [[1.5, 2, 7]]}"#,
        r#"{"inputs": {"1": [2], "0": [1.5]}}"#,
    ] {
        let request = invoke(numbered, Casting::Lossless, body).unwrap();
        assert_eq!(doubles(&request.batch, 0), [1.5], "{body}");
        assert_eq!(request.batch.column(1).as_primitive::<Int64Type>().value(0), 2, "{body}");
    }
    for body in ["[[1.5, 2]]", r#"{"data": [[1.5, 2]]}"#, r#"{"0": 1.5, "1": 2}"#] {
        assert_eq!(doubles(&predict(numbered, body).unwrap().batch, 0), [1.5], "{body}");
    }
    let csv = enforcer(numbered, Casting::Strict).csv(b"1,0\n2,1.5\n").unwrap();
    assert_eq!(doubles(&csv.batch, 0), [1.5]);
    let one = r#"[{"type": "double", "name": 0, "required": true}]"#;
    for body in [r#"{"inputs": [[1.5], [2]]}"#, r#"{"inputs": [1.5, 2]}"#] {
        let request = invoke(one, Casting::Lossless, body).unwrap();
        assert_eq!(doubles(&request.batch, 0), [1.5, 2.0], "{body}");
    }
    let short = invoke(numbered, Casting::Lossless, r#"{"inputs": [[1.5]]}"#).unwrap_err();
    assert!(short.message.contains("Model is missing inputs ['1']"), "{short}");
}

#[test]
fn whole_numbers_beyond_a_double_are_refused_with_their_place() {
    let digits = "9".repeat(310);
    for casting in [Casting::Strict, Casting::Lossless, Casting::Upstream] {
        for column in ["f", "d", "l", "i"] {
            let rejection = invoke(TYPES, casting, &typed(column, &digits)).unwrap_err();
            let violation = &rejection.violations[0];
            assert_eq!((violation.column.as_deref(), violation.row), (Some(column), Some(0)));
            assert!(violation.value.as_deref().unwrap().starts_with("999"));
            assert!(rejection.message.contains("out of its range"), "{rejection}");
        }
    }
    for body in [
        format!(r#"{{"inputs": {{"a": [1, {digits}]}}}}"#),
        format!(r#"{{"inputs": [[1, {digits}]]}}"#),
        format!(r#"{{"inputs": [[1, -{digits}]]}}"#),
    ] {
        let rejection = free().json(body.as_bytes(), Protocol::Invocations).unwrap_err();
        assert!(rejection.message.contains("out of its range"), "{rejection}");
    }
    let rejection = enforcer(IRIS, Casting::Lossless).csv(format!("a,b\n1,{digits}\n").as_bytes());
    assert!(rejection.unwrap_err().message.contains("out of its range"));
    let v2 = format!(
        r#"{{"inputs": [{{"name": "a", "shape": [1], "datatype": "FP64", "data": [{digits}]}}]}}"#
    );
    assert!(
        free()
            .json(v2.as_bytes(), Protocol::OpenInference)
            .unwrap_err()
            .message
            .contains("out of its range")
    );
    let params = r#"[{"name": "p", "default": 0.5, "shape": null, "type": "double"}]"#;
    let signature = Signature {
        inputs: Some(Schema::from_json(IRIS).unwrap()),
        params: Some(ParamSpec::list_from_json(params).unwrap()),
        outputs: None,
    };
    let enforcer = Enforcer::new(Some(&signature), Casting::Lossless, Limits::default());
    for value in [digits.as_str(), "1e400"] {
        let body = format!(r#"{{"params": {{"p": {value}}}, "inputs": {{"a": [1], "b": [2]}}}}"#);
        let rejection = enforcer.json(body.as_bytes(), Protocol::Invocations).unwrap_err();
        assert!(rejection.message.contains("out of range"), "{rejection}");
    }
}
