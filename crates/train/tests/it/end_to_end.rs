//! A whole training: table in, run, model and version out, loaded back by the real MLflow.

use std::sync::Mutex;

use serde_json::json;
use trainyard_mlflow::VersionId;
use trainyard_mlflow::entities::{KeyValue, LoggedModelStatus, RunStatus};
use trainyard_train::{DataSource, Progress, train};

use crate::support::{Store, config, iris, python_json, quiet, read};

fn iris_config() -> trainyard_train::TrainConfig {
    config(json!({
        "target": "species",
        "experiment": "/iris_staging",
        "run_name": "first",
        "registered_model_name": "IrisClassifier",
        "tags": {"team": "flowers"},
    }))
}

#[tokio::test]
async fn iris_is_trained_logged_and_registered() {
    let store = Store::new();
    let tracking = &store.tracking;
    let news = Mutex::new(Vec::new());
    let listen = |progress| news.lock().unwrap().push(progress);
    let source = DataSource::new("examples/iris/data/train.csv");
    let outcome = train(tracking, &iris_config(), &iris(), &source, &listen).await.unwrap();

    assert!(outcome.metrics["accuracy"] >= 0.9, "{:?}", outcome.metrics);
    assert_eq!(outcome.metrics.len(), 9, "{:?}", outcome.metrics);
    let news = news.into_inner().unwrap();
    assert!(news.contains(&Progress::Fraction { done: 100, total: 100 }));

    let run = tracking.runs.get(&outcome.run_id).await.unwrap();
    assert_eq!(run.info.status, RunStatus::Finished);
    assert!(run.info.end_time.is_some());
    assert_eq!(run.info.run_name, "first");
    assert_eq!(run.data.metric("accuracy"), Some(outcome.metrics["accuracy"]));
    let param = |key| KeyValue::find(&run.data.params, key);
    assert_eq!(param("n_estimators"), Some("100"));
    assert_eq!(param("max_depth"), Some("None"));
    assert_eq!(param("holdout_rows"), Some("24"));
    let tag = |key| KeyValue::find(&run.data.tags, key);
    assert_eq!(tag("team"), Some("flowers"));
    assert_eq!(tag("mlflow.source.type"), Some("LOCAL"));
    assert!(tag("trainyard.holdout").is_some_and(|rule| rule.contains("\"rule\":\"random\"")));
    assert!(tag("mlflow.source.git.commit").is_some_and(|commit| commit.len() == 40));

    let contexts: Vec<_> = run
        .inputs
        .dataset_inputs
        .iter()
        .map(|input| (KeyValue::find(&input.tags, "mlflow.data.context"), &input.dataset.profile))
        .collect();
    assert_eq!(contexts.len(), 2);
    assert_eq!(contexts[0].0, Some("training"));
    assert_eq!(contexts[0].1.as_deref(), Some(r#"{"num_elements":480,"num_rows":96}"#));
    assert_eq!(contexts[1].0, Some("eval"));

    let model_id = outcome.model_id.clone().unwrap();
    assert_eq!(run.outputs.model_outputs[0].model_id, model_id);
    let model = tracking.logged_models.get(&model_id).await.unwrap();
    assert_eq!(model.info.status, LoggedModelStatus::Ready);
    let metric = model.data.metrics.iter().find(|metric| metric.key == "f1_macro").unwrap();
    assert_eq!(metric.dataset_name.as_deref(), Some("train_holdout"));

    let version = outcome.registered.unwrap();
    assert_eq!((version.name.as_str(), version.version.as_str()), ("IrisClassifier", "1"));
    let stored = tracking
        .model_versions
        .get(VersionId { name: "IrisClassifier", version: "1" })
        .await
        .unwrap();
    assert_eq!(stored.run_id.as_deref(), Some(outcome.run_id.as_str()));
    assert_eq!(stored.source, outcome.model_uri);

    let listed = tracking.artifacts.list(&outcome.artifact_uri, "").await.unwrap();
    let names: Vec<&str> = listed.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        names,
        [
            "classification_report.txt",
            "confusion_matrix.json",
            "confusion_matrix.svg",
            "feature_contributions.json",
            "feature_contributions.svg",
            "feature_importance.json",
            "feature_importance.svg",
            "roc_curve.svg",
            "train_reference.csv",
            "train_reference.parquet",
            "train_reference.profile",
        ]
    );
    let reference = store.folder.path().join("reference");
    trainyard_mlflow::artifacts::download_tree(
        &*tracking.artifacts,
        &outcome.artifact_uri,
        &reference,
    )
    .await
    .unwrap();
    let table = read(&reference.join("train_reference.parquet"));
    assert_eq!((table.num_rows(), table.num_columns()), (96, 6));
    assert_eq!(table.schema().field(5).name(), "prediction");
    assert_eq!(read(&reference.join("train_reference.csv")).num_rows(), 96);
}

#[tokio::test]
async fn the_same_settings_give_the_same_model() {
    let store = Store::new();
    let source = DataSource::new("train.csv");
    let tracking = &store.tracking;
    let first = train(tracking, &iris_config(), &iris(), &source, &quiet).await.unwrap();
    let second = train(tracking, &iris_config(), &iris(), &source, &quiet).await.unwrap();
    assert_eq!(first.metrics, second.metrics);
    assert_eq!(first.holdout_digest, second.holdout_digest);
    assert_eq!(second.registered.unwrap().version, "2");
    assert_ne!(first.run_id, second.run_id);
}

#[tokio::test]
async fn python_loads_the_registered_version() {
    let store = Store::new();
    let source = DataSource::new("train.csv");
    let tracking = &store.tracking;
    let outcome = train(tracking, &iris_config(), &iris(), &source, &quiet).await.unwrap();
    tracking
        .registered_models
        .set_alias(VersionId { name: "IrisClassifier", version: "1" }, "Production")
        .await
        .unwrap();
    let answer = python_json(
        r#"
import sys, json, mlflow, pandas as pd
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/IrisClassifier@Production")
table = pd.read_csv(sys.argv[2])
_, holdout = train_test_split(table, test_size=0.2, random_state=42, stratify=table["species"])
answer = model.predict(holdout.drop(columns="species"))
classes = sorted(table["species"].unique())
probabilities = answer[[f"probability_{name}" for name in classes]].to_numpy()
example = model.input_example
print(json.dumps({
    "columns": list(answer.columns),
    "accuracy": accuracy_score(holdout["species"], answer["label"]),
    "f1_macro": f1_score(holdout["species"], answer["label"], average="macro"),
    "log_loss": log_loss(holdout["species"], probabilities, labels=classes),
    "roc_auc": roc_auc_score(holdout["species"], probabilities, multi_class="ovr"),
    "example_rows": len(example),
    "outputs": [spec.name for spec in model.metadata.signature.outputs],
}))
"#,
        &[
            &store.uri,
            &trainyard_testkit::workspace_root()
                .join("examples/iris/data/train.csv")
                .display()
                .to_string(),
        ],
    );
    assert_eq!(answer["columns"][0], "label");
    assert_eq!(answer["columns"], answer["outputs"]);
    assert_eq!(answer["example_rows"], 5);
    // scikit-learn takes logarithms of 32-bit probabilities in 32 bits.
    for (name, tolerance) in
        [("accuracy", 1e-12), ("f1_macro", 1e-12), ("log_loss", 1e-7), ("roc_auc", 1e-12)]
    {
        let (ours, theirs) = (outcome.metrics[name], answer[name].as_f64().unwrap());
        assert!((ours - theirs).abs() < tolerance, "{name}: {ours} instead of {theirs}");
    }
}
