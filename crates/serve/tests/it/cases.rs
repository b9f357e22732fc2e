//! Models and requests as people have them, answered as Python answers them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trainyard_serve::{ModelSource, ServeOptions};

use crate::support::{Answer, Running};

/// Cases that are not answered as Python answers them, and why. One that begins to be must leave the list.
const OPEN: [(&str, &str); 2] = [
    (
        "gradient_boosting_init_estimator",
        "refused: scikit-learn asks the first estimator in 32 bits",
    ),
    (
        "knn_imputer_ties",
        "refused: which neighbours at the same distance are chosen depends on the processor",
    ),
];

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// The values in an answer or an expectation, in order.
fn flat<'v>(value: &'v Value, values: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flat(item, values)),
        Value::Object(entries) => entries.values().for_each(|entry| flat(entry, values)),
        scalar => values.push(scalar),
    }
}

fn same(ours: &Value, theirs: &Value, rel: f64) -> bool {
    match (ours.as_f64(), theirs.as_f64()) {
        (Some(ours), Some(theirs)) => (ours - theirs).abs() <= rel * theirs.abs().max(1e-12),
        _ => ours == theirs,
    }
}

/// What is wrong with an answer, if something is.
fn difference(path: &str, answer: &Answer, request: &Value) -> Option<String> {
    if answer.status != 200 {
        return Some(format!("{}: {}", answer.status, answer.text));
    }
    let body = answer.json();
    let answered = if path.ends_with("/infer") {
        body["outputs"].as_array().unwrap().iter().map(|output| output["data"].clone()).collect()
    } else {
        body["predictions"].clone()
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    flat(&answered, &mut ours);
    flat(&request["expect"], &mut theirs);
    let rel = request["rel"].as_f64().unwrap();
    let equal = ours.len() == theirs.len()
        && ours.iter().zip(&theirs).all(|(ours, theirs)| same(ours, theirs, rel));
    (!equal).then(|| format!("{answered} instead of {}", request["expect"]))
}

/// What is wrong with the answers to a case.
async fn run(name: &str) -> Vec<String> {
    let folder = cases().join(name);
    let text = std::fs::read_to_string(folder.join("case.json")).unwrap();
    let case: Value = serde_json::from_str(&text).unwrap();
    let source = folder.join("model").display().to_string();
    let mut options = ServeOptions::new(ModelSource::Uri(source.parse().unwrap()));
    options.name = Some("m".to_owned());
    let server = Running::start(options, None).await;
    let health = server
        .wait_for("verdict", |health| matches!(health["status"].as_str(), Some("ok" | "failed")))
        .await;
    let mut wrong = Vec::new();
    if health["status"] == "failed" {
        wrong.push(health["reason"].to_string());
    } else {
        for request in case["requests"].as_array().unwrap() {
            let path = request["path"].as_str().unwrap();
            let body = request["body"].as_str().unwrap();
            let content_type = request["content_type"].as_str().unwrap();
            // Python writes a missing value in both ways.
            let missing = content_type == "application/json" && body.contains("null");
            let other = missing.then(|| body.replace("null", "NaN"));
            for body in std::iter::once(body.to_owned()).chain(other) {
                let answer = server.post_as(path, content_type, body.clone()).await;
                if let Some(difference) = difference(path, &answer, request) {
                    let body: String = body.chars().take(200).collect();
                    wrong.push(format!("{path} {body}\n    {difference}"));
                }
            }
        }
    }
    server.stop().await;
    wrong
}

/// MLflow makes no data frame of them without a signature, and the model takes nothing else under names.
#[tokio::test]
async fn arrays_under_names_are_nothing_to_a_model_of_arrays() {
    let source = cases().join("nulls_arrays_free/model").display().to_string();
    let mut options = ServeOptions::new(ModelSource::Uri(source.parse().unwrap()));
    options.name = Some("m".to_owned());
    let server = Running::ready(options).await;
    for body in [
        r#"{"inputs": {"a": [0.001], "b": [0.089], "d": [4.0]}}"#,
        r#"{"inputs": {"a": 0.001, "b": 0.089, "d": 4.0}}"#,
        r#"{"instances": [{"a": 0.001, "b": 0.089, "d": 4.0}]}"#,
    ] {
        let answer = server.post("/invocations", body).await;
        assert_eq!(answer.status, 400, "{body}\n{answer:?}");
        let refused = answer.json();
        assert_eq!(refused["error_code"], "BAD_REQUEST");
        let message = refused["message"].as_str().unwrap();
        let upstream = "Encountered an unexpected error while evaluating the model.";
        assert!(message.starts_with(upstream) && message.contains("\"a\""), "{message}");
    }
    for body in [
        r#"{"inputs": [[0.001, 0.089, 4.0]]}"#,
        r#"{"dataframe_split": {"columns": ["a", "b", "d"], "data": [[0.001, 0.089, 4.0]]}}"#,
        r#"{"dataframe_records": [{"a": 0.001, "b": 0.089, "d": 4.0}]}"#,
    ] {
        let answer = server.post("/invocations", body).await;
        assert_eq!(answer.status, 200, "{body}\n{answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn models_and_requests_as_people_have_them() {
    let mut names: Vec<String> = std::fs::read_dir(cases())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("case.json").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let open: BTreeMap<&str, &str> = OPEN.into_iter().collect();
    let mut report = Vec::new();
    for name in &names {
        let wrong = run(name).await;
        match open.get(name.as_str()) {
            None if !wrong.is_empty() => report.push(format!("{name}:\n  {}", wrong.join("\n  "))),
            Some(reason) if wrong.is_empty() => {
                report.push(format!("{name} is answered now, but listed as open ({reason})"));
            }
            _ => {}
        }
    }
    for name in open.keys() {
        if !names.iter().any(|known| known == name) {
            report.push(format!("{name} is listed as open, but is no case"));
        }
    }
    assert!(report.is_empty(), "{}", report.join("\n"));
    assert!(names.len() >= 40, "only {} cases", names.len());
}
