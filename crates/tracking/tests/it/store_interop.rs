//! One database, two programs: upstream's package and this store take turns.

use trainyard_mlflow::entities::{Metric, Param, Tag};
use trainyard_mlflow::{AliasId, LogBatch, SearchModelVersions, SearchRuns, VersionId};
use trainyard_testkit::run_python;
use trainyard_tracking::open;

use crate::store::{Store, create_run, options, uri};

/// Logs with upstream's own SQL store and prints ids.
const WRITE: &str = r#"
import sys, mlflow
from mlflow import MlflowClient
mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
experiment = client.create_experiment("upstream", artifact_location="file:///tmp/none", tags={"k": "v"})
run = client.create_run(experiment, run_name="by upstream", tags={"t": "1"})
client.log_param(run.info.run_id, "lr", "0.5")
for step in range(3):
    client.log_metric(run.info.run_id, "acc", 0.5 + step / 10, timestamp=step, step=step)
client.log_metric(run.info.run_id, "bad", float("nan"), timestamp=1, step=0)
client.create_registered_model("up", tags={"a": "b"})
client.create_model_version("up", "s3://bucket/model", tags={"c": "d"})
client.set_registered_model_alias("up", "Production", "1")
print(experiment, run.info.run_id)
"#;

/// Reads with upstream's own SQL store what this one wrote, then writes on.
const READ: &str = r#"
import sys, json, mlflow
from mlflow import MlflowClient
mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
run = client.get_run(sys.argv[2])
history = client.get_metric_history(sys.argv[2], "acc")
found = client.search_runs([run.info.experiment_id], "metrics.acc > 0.2 and params.lr = '0.1'",
                           order_by=["metrics.acc DESC"])
client.log_metric(sys.argv[2], "acc", 0.75, timestamp=9, step=9)
version = client.get_model_version_by_alias("ours", "Production")
client.set_model_version_tag("ours", "1", "seen", "yes")
model = client.create_registered_model("after")
print(json.dumps({
    "name": run.info.run_name, "params": run.data.params, "acc": run.data.metrics["acc"],
    "user": run.info.user_id, "history": [m.value for m in history], "found": len(found),
    "version": str(version.version), "source": version.source,
    "experiments": sorted(e.name for e in client.search_experiments()),
}))
"#;

#[tokio::test]
async fn a_database_that_upstream_made_opens_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let printed = run_python(WRITE, &[&uri(&folder)], &[]);
    let ids: Vec<&str> = printed.split_whitespace().collect();
    let [experiment_id, run_id] = ids.as_slice() else { panic!("printed {printed:?}") };

    let store = open(&uri(&folder), options(&folder)).unwrap();
    let experiment = store.experiments.get_by_name("upstream").await.unwrap();
    assert_eq!(&experiment.experiment_id, experiment_id);
    assert_eq!(experiment.tags, [Tag::new("k", "v")]);
    let run = store.runs.get(run_id).await.unwrap();
    assert_eq!(run.info.run_name, "by upstream");
    assert_eq!(run.data.metric("acc"), Some(0.7));
    assert!(run.data.metric("bad").unwrap().is_nan());
    let search = SearchRuns {
        experiment_ids: vec![(*experiment_id).to_owned()],
        filter: "metrics.acc >= 0.7 AND params.lr = '0.5' AND tags.t = '1'".to_owned(),
        ..SearchRuns::default()
    };
    assert_eq!(store.runs.search(search).await.unwrap().items.len(), 1);
    let version = store
        .registered_models
        .get_by_alias(AliasId { name: "up", alias: "Production" })
        .await
        .unwrap();
    assert_eq!((version.version.as_str(), version.tags), ("1", vec![Tag::new("c", "d")]));
    store.runs.log_metric(run_id, Metric::new("acc", 0.9, 7, 7)).await.unwrap();
}

#[tokio::test]
async fn upstream_opens_a_database_that_this_store_made() {
    let Store { store, folder } = Store::new();
    let experiment = store.experiments.create("mine", None, &[]).await.unwrap();
    let run_id = create_run(&store, &experiment, 1_700_000_000_000).await;
    store
        .runs
        .log_batch(
            &run_id,
            LogBatch {
                metrics: vec![Metric::new("acc", 0.25, 1, 0), Metric::new("acc", 0.5, 2, 1)],
                params: vec![Param::new("lr", "0.1")],
                tags: vec![Tag::new("mlflow.runName", "by trainyard")],
            },
        )
        .await
        .unwrap();
    store.registered_models.create("ours", &[], None).await.unwrap();
    let version = trainyard_mlflow::CreateModelVersion {
        name: "ours".to_owned(),
        source: "s3://bucket/ours".to_owned(),
        ..trainyard_mlflow::CreateModelVersion::default()
    };
    store.model_versions.create(version).await.unwrap();
    store
        .registered_models
        .set_alias(VersionId { name: "ours", version: "1" }, "Production")
        .await
        .unwrap();
    // Upstream reads and writes while this store has the database open.
    let printed = run_python(READ, &[&uri(&folder), &run_id], &[]);
    let seen: serde_json::Value = serde_json::from_str(printed.trim()).unwrap();
    assert_eq!(
        seen,
        serde_json::json!({
            "name": "by trainyard", "params": {"lr": "0.1"}, "acc": 0.5, "user": "ada",
            "history": [0.25, 0.5], "found": 1, "version": "1", "source": "s3://bucket/ours",
            "experiments": ["Default", "mine"],
        })
    );
    let run = store.runs.get(&run_id).await.unwrap();
    assert_eq!(run.data.metric("acc"), Some(0.75));
    let search = SearchModelVersions {
        filter: "tags.seen = 'yes'".to_owned(),
        ..SearchModelVersions::default()
    };
    let found = store.model_versions.search(search).await.unwrap();
    assert_eq!(found.items.len(), 1);
    store.registered_models.get("after").await.unwrap();
}
