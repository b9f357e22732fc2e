//! A mistake in the server or in a model's code is an answer, a count and a line in the log.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trainyard_models::{LoadedModel, Prediction, Predictor};
use trainyard_serve::Loader;
use trainyard_signature::model::MlModel;

use crate::support::{Running, folder};

/// Rows at which the predictor breaks off.
const UNLUCKY: usize = 7;

#[derive(Debug)]
struct Panics {
    at: usize,
}

impl Predictor for Panics {
    fn predict(&self, input: &RecordBatch) -> trainyard_models::Result<Prediction> {
        assert!(input.num_rows() != self.at, "the content of {input:?}");
        Ok(Prediction::Column(Arc::new(Int64Array::from(vec![0; input.num_rows()]))))
    }

    fn size_bytes(&self) -> usize {
        0
    }
}

fn loader(at: usize) -> Loader {
    Loader(Arc::new(move |folder: &Path| {
        assert!(at != 0, "cannot even load {}", folder.display());
        let mlmodel = MlModel::read(folder)?;
        Ok(LoadedModel { mlmodel, predictor: Box::new(Panics { at }) })
    }))
}

fn rows(count: usize) -> String {
    let row = r#"{"sepal length (cm)": 5, "sepal width (cm)": 3, "petal length (cm)": 1, "petal width (cm)": 0.2}"#;
    format!("[{}]", vec![row; count].join(","))
}

fn table(count: usize) -> String {
    let data = vec!["5"; 4 * count].join(",");
    format!(
        r#"{{"inputs": [{{"name": "t", "shape": [{count}, 4], "datatype": "FP64", "data": [{data}]}}]}}"#
    )
}

/// Sends a request on a connection that stays open, and reads the status line and all of the answer.
async fn ask(stream: &mut TcpStream, path: &str, body: &str) -> String {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap();
        assert!(read > 0, "the connection ended");
        answer.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
        });
        if body.len() >= length.unwrap_or(0) {
            return text;
        }
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_connection_goes_on() {
    let mut options = folder("iris_columns");
    options.loader = loader(UNLUCKY);
    let server = Running::ready(options).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // Small bodies are predicted where they are read, large ones on a thread of their own.
    let large = format!("{}{}", rows(UNLUCKY), " ".repeat(100_000));
    let scoring = format!(r#"{{"dataframe_records": {}}}"#, rows(UNLUCKY));
    let requests = [
        ("/predict", rows(UNLUCKY)),
        ("/predict", large),
        ("/invocations", scoring),
        ("/v2/models/model/infer", table(UNLUCKY)),
    ];
    for (number, (path, body)) in requests.iter().enumerate() {
        let answer = ask(&mut stream, path, body).await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{path}: {answer}");
        assert!(answer.contains("INTERNAL_ERROR") && answer.contains("broke off"), "{answer}");
        assert!(!answer.contains("the content of"), "{answer}");
        let answer = ask(&mut stream, "/predict", &rows(2)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "after {path}: {answer}");
        let panics = server.metric("trainyard_panics_total").await;
        assert_eq!(panics, (number + 1) as f64, "{path}");
    }
    assert_eq!(server.metric("trainyard_http_requests_in_flight").await, 1.0, "only its own");
    let failed = "trainyard_http_requests_total{route=\"/predict\",status=\"500\"}";
    assert_eq!(server.metric(failed).await, 2.0);
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn a_model_that_panics_before_it_serves_is_refused() {
    // At the example, which has so many rows; and when it is read.
    let example = crate::support::model("iris_columns").join("serving_input_example.json");
    let example: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(example).unwrap()).unwrap();
    let example = example["dataframe_split"]["data"].as_array().unwrap().len();
    for (at, what) in [(example, "predicting the input example"), (0, "loading the model")] {
        let mut options = folder("iris_columns");
        options.loader = loader(at);
        let server = Running::start(options, None).await;
        let health = server.wait_for("failure", |health| health["status"] == "failed").await;
        let reason = health["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("{what} broke off at ")), "{reason}");
        assert!(reason.contains("panics.rs") && !reason.contains("content"), "{reason}");
        assert_eq!(server.metric("trainyard_panics_total").await, 1.0);
        assert_eq!(server.get("/ping").await.status, 503);
        server.stop().await;
    }
}

#[tokio::test]
async fn answers_that_would_be_too_large_are_400() {
    let mut options = folder("iris_columns");
    options.loader = loader(UNLUCKY);
    options.limits.answer_bytes_max = 10_000;
    let server = Running::ready(options).await;
    // The last are refused from the answer to one row.
    for count in [4_000, 20_000] {
        for (path, body) in [
            ("/predict", rows(count)),
            ("/invocations", format!(r#"{{"dataframe_records": {}}}"#, rows(count))),
            ("/v2/models/model/infer", table(count)),
        ] {
            let answer = server.post(path, body).await;
            assert_eq!(answer.status, 400, "{path} {count}: {}", answer.text);
            assert!(answer.text.contains("send the rows in parts"), "{}", answer.text);
        }
    }
    assert_eq!(server.post("/predict", rows(100)).await.status, 200);
    server.stop().await;
}
