//! Routes, forms of requests, answers and errors.

use serde_json::json;
use trainyard_serve::{Error, ModelSource, ServeOptions, serve};

use crate::support::{Running, folder, model};

const ROW: &str = r#"{"sepal length (cm)": 5.1, "sepal width (cm)": 3.5, "petal length (cm)": 1.4,
    "petal width (cm)": 0.2}"#;

#[tokio::test]
async fn predicts_what_python_predicts() {
    for name in ["onnx_rf", "onnx_rf_nozipmap"] {
        let text = std::fs::read_to_string(model(name).join("expected.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
        let server = Running::ready(folder(name)).await;
        let answer =
            server.post("/invocations", json!({"inputs": expected["inputs"]}).to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        for (output, values) in expected["pyfunc_predict"].as_object().unwrap() {
            close(&answer["predictions"][output], values);
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_missing_input_example_is_no_obstacle() {
    let copy = tempfile::tempdir().unwrap();
    for file in ["MLmodel", "model.onnx"] {
        std::fs::copy(model("onnx_rf").join(file), copy.path().join(file)).unwrap();
    }
    let source = ModelSource::Uri(copy.path().display().to_string().parse().unwrap());
    let server = Running::ready(ServeOptions::new(source)).await;
    let answer = server.post("/invocations", r#"{"inputs": [[5.1, 3.5, 1.4, 0.2]]}"#).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    server.stop().await;
}

/// Equal, floats to 1e-6.
fn close(ours: &serde_json::Value, theirs: &serde_json::Value) {
    use serde_json::Value;
    match (ours, theirs) {
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            ours.iter().zip(theirs).for_each(|(ours, theirs)| close(ours, theirs));
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            theirs.iter().for_each(|(key, value)| close(&ours[key], value));
        }
        (Value::Number(ours), Value::Number(theirs)) => {
            let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
            assert!((ours - theirs).abs() <= 1e-6, "{ours} {theirs}");
        }
        _ => assert_eq!(ours, theirs),
    }
}

#[tokio::test]
async fn predict_takes_records_split_and_columns() {
    let server = Running::ready(folder("iris_columns")).await;
    let columns = r#"{"sepal length (cm)": [5.1], "sepal width (cm)": [3.5],
        "petal length (cm)": [1.4], "petal width (cm)": [0.2]}"#;
    let split = r#"{"columns": ["petal width (cm)", "petal length (cm)", "sepal width (cm)",
        "sepal length (cm)"], "data": [[0.2, 1.4, 3.5, 5.1]]}"#;
    for body in [format!("[{ROW}]"), ROW.to_owned(), columns.to_owned(), split.to_owned()] {
        let answer = server.post("/predict", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["predictions"], json!([0]));
        let probabilities = answer.json()["probabilities"][0].as_array().unwrap().len();
        assert_eq!(probabilities, 3);
    }
    let frame = server.post("/invocations", format!("{{\"dataframe_records\": [{ROW}]}}")).await;
    assert_eq!(frame.json()["predictions"][0]["label"], 0);
    let csv =
        "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)\n5.1,3.5,1.4,0.2\n";
    let answer = server.post_as("/invocations", "text/csv; charset=utf-8", csv).await;
    assert_eq!(answer.json()["predictions"][0]["label"], 0, "{answer:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_value_is_refused_with_column_row_and_value() {
    let server = Running::ready(folder("iris_columns")).await;
    let bad = ROW.replace("3.5", "\"wide\"");
    let answer = server.post("/predict", format!("[{ROW}, {bad}]")).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json(),
        json!({
            "error_code": "BAD_REQUEST",
            "message": "Invalid input. Data is not compatible with model signature. Failed to \
                convert column sepal width (cm) to type 'float64'. Error: 'row 1: expected double, \
                got string \"wide\"'",
            "sqlstate": "KAM00",
            "error_class": "INVALID_PARAMETER_VALUE",
            "violations": [{
                "column": "sepal width (cm)", "row": 1, "value": "\"wide\"", "expected": "double",
                "problem": "expected double, got string \"wide\"",
            }],
            "violations_total": 1,
        })
    );
    let missing = server.post("/predict", r#"[{"sepal length (cm)": 1, "colour": 2}]"#).await;
    assert_eq!(
        (missing.status, &missing.json()["error_code"]),
        (400, &json!("INVALID_PARAMETER_VALUE"))
    );
    assert_eq!(missing.json()["violations"].as_array().unwrap().len(), 3);
    // A number as text is upstream's 5.1, but not what the signature says.
    let text = ROW.replace("5.1", "\"5.1\"");
    assert_eq!(server.post("/predict", format!("[{text}]")).await.status, 400);
    let frame = format!("{{\"dataframe_records\": [{text}]}}");
    assert_eq!(server.post("/invocations", frame).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn health_tells_which_model_serves() {
    let server = Running::ready(folder("onnx_rf")).await;
    let health = server.get("/health").await.json();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["model"], "model");
    assert_eq!(health["version"], "c2e0a0804079401f8f3e21ebc998fbd8");
    assert_eq!(health["verified"], true);
    assert!(health["loaded_at"].as_str().unwrap().ends_with('Z'));
    for (path, body) in [("/ping", "\n"), ("/version", "3.17.2")] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, body));
        assert_eq!(answer.header("content-type"), "application/json");
    }
    for path in ["/models/model/health", "/models/model/ping"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    for path in ["/nope", "/models/other/health", "/predict/", "/models/model"] {
        let answer = server.get(path).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (404, r#"{"detail":"Not Found"}"#),
            "{path}"
        );
    }
    let answer = server.get("/predict").await;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
    assert_eq!(server.post("/health", "").await.status, 405);
    let head = server.send(server.http.head(server.url("/health"))).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    server.stop().await;
}

#[tokio::test]
async fn requests_carry_an_id() {
    let server = Running::ready(folder("onnx_rf")).await;
    let given =
        server.send(server.http.get(server.url("/ping")).header("x-request-id", "abc-1")).await;
    assert_eq!(given.header("x-request-id"), "abc-1");
    let first = server.get("/ping").await.header("x-request-id").to_owned();
    let second = server.get("/ping").await.header("x-request-id").to_owned();
    assert!(first.len() > 16 && first != second, "{first} {second}");
    server.stop().await;
}

#[tokio::test]
async fn content_types_that_are_not_read_are_415() {
    let server = Running::ready(folder("onnx_rf")).await;
    let body = r#"{"inputs": [[1, 2, 3, 4]]}"#;
    for (content_type, status) in [
        ("application/json", 200),
        ("Application/JSON; Charset=\"UTF-8\"", 200),
        ("application/xml", 415),
        ("application/json; charset=latin-1", 415),
        ("application/json; format=pandas-split", 415),
        ("application/x-www-form-urlencoded", 415),
    ] {
        let answer = server.post_as("/invocations", content_type, body).await;
        assert_eq!(answer.status, status, "{content_type} {answer:?}");
    }
    let none = server.send(server.http.post(server.url("/invocations")).body(body)).await;
    assert_eq!(none.status, 415);
    server.stop().await;
}

#[tokio::test]
async fn a_token_guards_all_but_probes() {
    let mut options = folder("onnx_rf");
    options.token = Some("s3cret".to_owned());
    let server = Running::ready(options).await;
    let body = r#"{"inputs": [[1, 2, 3, 4]]}"#;
    let refused = server.post("/invocations", body).await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer"));
    assert_eq!(refused.json()["error_code"], "UNAUTHENTICATED");
    assert_eq!(server.get("/metrics").await.status, 401);
    assert_eq!(server.get("/ping").await.status, 200);
    for (token, status) in [("s3cret", 200), ("s3cret2", 401), ("", 401)] {
        let request = server.http.post(server.url("/invocations")).bearer_auth(token);
        let request = request.header("content-type", "application/json").body(body);
        assert_eq!(server.send(request).await.status, status, "{token:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn several_models_answer_under_their_names() {
    let mut options = folder("onnx_rf");
    options.name = Some("zipped".to_owned());
    let second = ModelSource::Uri(model("onnx_rf_nozipmap").display().to_string().parse().unwrap());
    options.more.push(("plain".to_owned(), second));
    let server = Running::ready(options).await;
    server.wait_for("second model", |_| true).await;
    let body = r#"{"inputs": [[5.1, 3.5, 1.4, 0.2]]}"#;
    while server.get("/models/plain/health").await.status != 200 {}
    for (path, output) in [
        ("/invocations", "output_label"),
        ("/models/zipped/invocations", "output_label"),
        ("/models/plain/invocations", "label"),
    ] {
        let answer = server.post(path, body).await;
        assert_eq!(answer.json()["predictions"][output], json!([0]), "{path}");
    }
    assert!(server.metric("trainyard_model_ready{model=\"plain\"}").await > 0.0);
    server.stop().await;
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_is_explained() {
    let server = Running::start(folder("sk_logreg"), None).await;
    let health = server.wait_for("reason", |health| health.get("last_error").is_some()).await;
    // Whoever waits for this server need not wait any longer.
    assert_eq!(health["status"], "failed");
    assert_eq!(health["reason"], health["last_error"]);
    let health = server.get("/health").await;
    assert_eq!(health.status, 503);
    let answer = server.post("/predict", "[]").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert!(answer.json()["message"].as_str().unwrap().contains("cannot be served"), "{answer:?}");
    assert_eq!(server.get("/ping").await.status, 503);
    server.stop().await;
}

#[tokio::test]
async fn what_can_never_work_is_refused_at_the_start() {
    let listener = || async { tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap() };
    let registry = ModelSource::Registry { name: "M".to_owned(), stage: "Production".to_owned() };
    let options = ServeOptions::new(registry.clone());
    let error = serve(listener().await, None, options, std::future::pending()).await.unwrap_err();
    assert!(
        matches!(&error, Error::NoTracking { uri } if uri == "models:/M@Production"),
        "{error}"
    );
    let mut options = folder("onnx_rf");
    options.more.push(("model".to_owned(), registry));
    let error = serve(listener().await, None, options, std::future::pending()).await.unwrap_err();
    assert!(matches!(&error, Error::SameName { name } if name == "model"), "{error}");
}
