//! `/explain`: what columns gave to answers, under the rules of predictions.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use trainyard_serve::{ModelSource, ServeOptions};

use crate::support::{Running, folder, model};

/// A forest of scikit-learn for iris, with an input example.
fn forest() -> (TempDir, ServeOptions) {
    let folder = tempfile::tempdir().unwrap();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/models/sk_rf");
    for file in ["MLmodel", "model.skops"] {
        std::fs::copy(models.join(file), folder.path().join(file)).unwrap();
    }
    for file in ["input_example.json", "serving_input_example.json"] {
        std::fs::copy(model("sk_logreg").join(file), folder.path().join(file)).unwrap();
    }
    let uri = folder.path().display().to_string();
    let options = ServeOptions::new(ModelSource::Uri(uri.parse().unwrap()));
    (folder, options)
}

fn records() -> Value {
    let names = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"];
    let rows = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]];
    let record = |row: [f64; 4]| names.iter().zip(row).map(|(name, x)| (*name, x)).collect();
    let records: Vec<std::collections::BTreeMap<&str, f64>> = rows.map(record).to_vec();
    json!(records)
}

#[tokio::test]
async fn both_forms_say_what_columns_gave() {
    let (_folder, options) = forest();
    let server = Running::ready(options).await;
    let answer = server.post("/explain", records().to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    let plain = answer.json();
    assert_eq!(plain["explains"], "probability");
    assert_eq!(plain["outputs"], json!(["0", "1", "2"]));
    assert_eq!(plain["columns"][3], "petal width (cm)");
    for row in 0..2 {
        for output in 0..3 {
            let gains = plain["contributions"][row][output].as_array().unwrap();
            let sum: f64 = gains.iter().map(|gain| gain.as_f64().unwrap()).sum();
            let base = plain["base"][output].as_f64().unwrap();
            let value = plain["values"][row][output].as_f64().unwrap();
            assert!((base + sum - value).abs() < 1e-12, "{plain}");
        }
    }
    // The first flower is certainly of the first class, which its petals say.
    assert!(plain["values"][0][0].as_f64().unwrap() > 0.9, "{plain}");
    assert!(plain["contributions"][0][0][2].as_f64().unwrap() > 0.1, "{plain}");

    let data = [5.1, 3.5, 1.4, 0.2, 6.3, 3.3, 6.0, 2.5];
    let body = json!({"id": "7", "inputs": [
        {"name": "rows", "datatype": "FP64", "shape": [2, 4], "data": data}]});
    let answer = server.post("/v2/models/model/explain", body.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let tensors = answer.json();
    assert_eq!((&tensors["id"], &tensors["model_name"]), (&json!("7"), &json!("model")));
    assert_eq!(tensors["outputs"][0]["shape"], json!([2, 3, 4]));
    assert_eq!(tensors["outputs"][0]["data"][4], plain["contributions"][0][1][0]);
    assert_eq!(tensors["outputs"][3]["data"], plain["columns"]);
    let counted = r#"trainyard_http_requests_total{route="/explain",status="200"}"#;
    assert_eq!(server.metric(counted).await, 1.0);
    server.stop().await;
}

#[tokio::test]
async fn the_rules_are_those_of_predictions() {
    let (_folder, mut options) = forest();
    options.token = Some("s3cret".to_owned());
    options.limits.answer_bytes_max = 10_000;
    let server = Running::ready(options).await;
    let send = async |path: &str, token: &str, body: String| {
        let request = server.http.post(server.url(path)).bearer_auth(token);
        server.send(request.header("content-type", "application/json").body(body)).await
    };
    for path in ["/explain", "/models/model/explain", "/v2/models/model/explain"] {
        assert_eq!(send(path, "wrong", records().to_string()).await.status, 401, "{path}");
    }
    assert_eq!(server.get("/explain").await.status, 401);
    // What does not fit the signature is refused as it is there.
    let mut wrong = records();
    wrong[1]["petal width (cm)"] = json!("wide");
    let explained = send("/explain", "s3cret", wrong.to_string()).await;
    let predicted = send("/predict", "s3cret", wrong.to_string()).await;
    assert_eq!((explained.status, &explained.text), (400, &predicted.text));
    assert!(explained.text.contains("violations"), "{explained:?}");
    // And so is an answer that would be too large.
    let many: Vec<Value> = (0..400).map(|_| records()[0].clone()).collect();
    let answer = send("/explain", "s3cret", json!(many).to_string()).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.text.contains("larger than 10000 bytes"), "{answer:?}");
    server.stop().await;
}

#[tokio::test]
async fn explanations_wait_for_their_turn() {
    let (_folder, mut options) = forest();
    // Nobody's turn ever comes, so that it does not matter how fast this machine is.
    options.limits.explanations_max = 0;
    options.limits.request_timeout = std::time::Duration::from_millis(50);
    let server = Running::ready(options).await;
    for path in ["/explain", "/v2/models/model/explain"] {
        let data = json!([5.1, 3.5, 1.4, 0.2]);
        let tensors = json!({"inputs": [
            {"name": "rows", "datatype": "FP64", "shape": [1, 4], "data": data}]});
        let body = if path == "/explain" { records() } else { tensors };
        assert_eq!(server.post(path, body.to_string()).await.status, 504, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_model_without_an_explanation_is_refused_by_name() {
    let server = Running::ready(folder("iris_columns")).await;
    let answer = server.post("/explain", records().to_string()).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("an explanation of an ONNX graph"), "{message}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_draws_the_largest_contributions() {
    let (_folder, options) = forest();
    let server = Running::ready(options).await;
    let document = server.get("/openapi.json").await.json();
    let example = &document["paths"]["/explain"]["post"]["requestBody"]["content"]["application/json"]
        ["example"];
    assert_eq!(server.post("/explain", example.to_string()).await.status, 200, "{document}");
    let url = server.url("/docs#explain");
    let page = move || trainyard_testkit::browser::dom_after(&url, 5000);
    let dom = tokio::task::spawn_blocking(page).await.unwrap();
    for part in ["<option value=\"/explain\">", "class=\"bar\"", "of which", "0: probability"] {
        assert!(dom.contains(part), "{part}\n{dom}");
    }
    server.stop().await;
}
