//! How wide and how many: what a request may take is bounded by what it is.

use super::*;

#[test]
fn headers_are_as_wide_as_the_model_explains() {
    let names =
        |count: usize| (0..count).map(|i| format!("\"x{i}\"")).collect::<Vec<_>>().join(",");
    let record = (0..11_000).map(|i| format!("\"x{i}\": 1")).collect::<Vec<_>>().join(",");
    let commas = ",".repeat(11_000);
    let ones = vec!["1"; 11_000].join(",");
    let free = Enforcer::new(None, Casting::Lossless, Limits::default());
    let named = enforcer(IRIS, Casting::Lossless);
    let unnamed = enforcer(UNNAMED, Casting::Lossless);
    for (enforcer, body) in [
        (
            &named,
            format!(r#"{{"dataframe_split": {{"columns": [{}], "data": [[1]]}}}}"#, names(11_000)),
        ),
        (&named, format!(r#"{{"dataframe_split": {{"data": [[{ones}]]}}}}"#)),
        (&unnamed, format!(r#"{{"dataframe_split": {{"data": [[{ones}]]}}}}"#)),
        (&unnamed, format!(r#"{{"dataframe_records": [{{{record}}}]}}"#)),
        (
            &free,
            format!(r#"{{"dataframe_split": {{"columns": [{}], "data": [[1]]}}}}"#, names(11_000)),
        ),
        (&free, format!(r#"{{"dataframe_split": {{"data": [[{ones}]]}}}}"#)),
        (&free, format!(r#"{{"dataframe_records": [{{{record}}}]}}"#)),
        (&free, format!(r#"{{"inputs": {{{record}}}}}"#)),
        (&free, format!(r#"{{"dataframe_records": [{{"a": {{{record}}}}}]}}"#)),
    ] {
        let rejection = enforcer.json(body.as_bytes(), Protocol::Invocations).unwrap_err();
        assert!(rejection.message.contains("columns"), "{rejection}");
    }
    for enforcer in [&named, &unnamed, &free] {
        let rejection = enforcer.csv(format!("{commas}\n1\n").as_bytes()).unwrap_err();
        assert!(rejection.message.contains("columns"), "{rejection}");
        // A line that is wider than its header is one violation.
        let rejection = enforcer.csv(format!("a,b\n1,2\n{commas}\n").as_bytes()).unwrap_err();
        let wide = |violation: &Violation| violation.problem.contains("this line has 11001");
        assert!(rejection.violations.iter().any(wide), "{rejection}");
    }
    // Columns that the model does not know are no matter.
    let extra = format!(r#"[{{"a": 1, "b": 2, {record}}}]"#);
    assert!(predict(IRIS, &extra).is_ok());
    let few = format!("a,b,{}\n1,2,{}\n", vec!["x"; 9_000].join(","), vec!["1"; 9_000].join(","));
    assert!(named.csv(few.as_bytes()).is_ok());
}

#[test]
fn short_rows_of_a_wide_model_are_refused_before_they_take_room() {
    let columns: Vec<String> = (0..1000)
        .map(|i| format!(r#"{{"type": "double", "name": "c{i}", "required": false}}"#))
        .collect();
    let wide = enforcer(&format!("[{}]", columns.join(",")), Casting::Lossless);
    let many = |row: &str, count: usize| vec![row; count].join(",");
    for body in [
        format!(r#"{{"dataframe_split": {{"columns": ["c0"], "data": [{}]}}}}"#, many("[1]", 2000)),
        format!(r#"{{"dataframe_records": [{}]}}"#, many("{}", 2000)),
        format!(r#"{{"inputs": {{"c0": [{}]}}}}"#, many("1", 2000)),
    ] {
        let rejection = wide.json(body.as_bytes(), Protocol::Invocations).unwrap_err();
        assert!(rejection.message.contains("send the rows in parts"), "{rejection}");
        let few = body.replace(&many("[1]", 2000), "[1]").replace(&many("{}", 2000), "{}");
        let few = few.replace(&many("1", 2000), "1");
        assert!(wide.json(few.as_bytes(), Protocol::Invocations).is_ok(), "{few}");
    }
    let rejection = wide.csv(format!("c0\n{}", "1\n".repeat(2000)).as_bytes()).unwrap_err();
    assert!(rejection.message.contains("send the rows in parts"), "{rejection}");
}

#[test]
fn params_that_nobody_declared_are_read_past() {
    let params = r#"[{"name": "p", "default": [], "shape": [-1], "type": "long"}]"#;
    let signature = Signature {
        inputs: Some(Schema::from_json(IRIS).unwrap()),
        params: Some(ParamSpec::list_from_json(params).unwrap()),
        outputs: None,
    };
    let enforcer = Enforcer::new(Some(&signature), Casting::Lossless, Limits::default());
    let ask = |params: &str| {
        let body = format!(r#"{{"params": {params}, "inputs": {{"a": [1], "b": [2]}}}}"#);
        enforcer.json(body.as_bytes(), Protocol::Invocations)
    };
    let long = vec!["1"; 600_000].join(",");
    assert!(ask(&format!(r#"{{"q": [{long}]}}"#)).unwrap().params["p"].is_array());
    let rejection = ask(&format!(r#"{{"p": [{long}]}}"#)).unwrap_err();
    assert!(rejection.message.contains("larger than"), "{rejection}");
    assert!(ask("5").unwrap_err().message.contains("Got type 'int'"));
    assert!(ask("\"x\"").unwrap_err().message.contains("Got type 'str'"));
}
