//! The embedded store, called as a program calls it.

use tempfile::TempDir;
use trainyard_base::Advise as _;
use trainyard_mlflow::entities::{Metric, Param, RunStatus, Tag, ViewType};
use trainyard_mlflow::{
    AliasId, CreateModelVersion, CreateRun, ErrorCode, LogBatch, MetricHistoryPage, SearchRuns,
    Tracking, UpdateRun, VersionId,
};
use trainyard_tracking::{OpenOptions, open};

/// A store in a folder of its own, which goes away with it.
pub(crate) struct Store {
    pub(crate) store: Tracking,
    pub(crate) folder: TempDir,
}

impl Store {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&uri(&folder), options(&folder)).unwrap();
        Self { store, folder }
    }
}

pub(crate) fn uri(folder: &TempDir) -> String {
    format!("sqlite:///{}", folder.path().join("mlflow.db").display())
}

pub(crate) fn options(folder: &TempDir) -> OpenOptions {
    let path = |name: &str| Some(folder.path().join(name).display().to_string());
    OpenOptions {
        default_artifact_root: path("mlruns"),
        artifacts_destination: path("mlartifacts"),
        ..OpenOptions::default()
    }
}

pub(crate) async fn create_run(store: &Tracking, experiment: &str, start_time: i64) -> String {
    let run = CreateRun {
        experiment_id: experiment.to_owned(),
        user_id: "ada".to_owned(),
        start_time,
        ..CreateRun::default()
    };
    store.runs.create(run).await.unwrap().info.run_id
}

#[tokio::test]
async fn a_run_keeps_what_was_logged_across_reopening() {
    let Store { store, folder } = Store::new();
    let experiment =
        store.experiments.create("e", None, &[Tag::new("team", "vision")]).await.unwrap();
    let run_id = create_run(&store, &experiment, 1_700_000_000_000).await;
    let batch = LogBatch {
        metrics: (0..10)
            .map(|step| Metric::new("loss", 1.0 / (step as f64 + 1.0), 5, step))
            .collect(),
        params: vec![Param::new("lr", "0.1")],
        tags: vec![Tag::new("note", "first")],
    };
    store.runs.log_batch(&run_id, batch).await.unwrap();
    let update = UpdateRun {
        run_id: run_id.clone(),
        status: Some(RunStatus::Finished),
        end_time: Some(1_700_000_000_500),
        run_name: Some("renamed".to_owned()),
    };
    store.runs.update(update).await.unwrap();
    drop(store);

    let store = open(&uri(&folder), options(&folder)).unwrap();
    let run = store.runs.get(&run_id).await.unwrap();
    assert_eq!(run.info.run_name, "renamed");
    assert_eq!(run.info.status, RunStatus::Finished);
    assert_eq!(run.data.metric("loss"), Some(0.1));
    assert_eq!(run.data.params, [Param::new("lr", "0.1")]);
    assert_eq!(Tag::find(&run.data.tags, "mlflow.runName"), Some("renamed"));
    let page = MetricHistoryPage { max_results: Some(4), page_token: None };
    let history = store.runs.metric_history(&run_id, "loss", page).await.unwrap();
    assert_eq!(history.items.len(), 4);
    let next = MetricHistoryPage { max_results: Some(100), page_token: history.next_page_token };
    let rest = store.runs.metric_history(&run_id, "loss", next).await.unwrap();
    assert_eq!(rest.items.first().unwrap().step, 4);
    assert_eq!((rest.items.len(), rest.next_page_token), (6, None));
}

#[tokio::test]
async fn a_failed_batch_leaves_nothing() {
    let Store { store, folder: _folder } = Store::new();
    let run_id = create_run(&store, "0", 1).await;
    store.runs.log_param(&run_id, Param::new("lr", "0.1")).await.unwrap();
    let batch = LogBatch {
        metrics: vec![Metric::new("m", 1.0, 1, 0)],
        params: vec![Param::new("new", "1"), Param::new("lr", "0.2")],
        tags: vec![Tag::new("t", "1")],
    };
    let error = store.runs.log_batch(&run_id, batch).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "Changing param values is not allowed. Params were already logged='[{{'key': 'lr', \
             'old_value': '0.1', 'new_value': '0.2'}}]' for run ID='{run_id}'."
        )
    );
    let run = store.runs.get(&run_id).await.unwrap();
    assert_eq!(run.data.params, [Param::new("lr", "0.1")]);
    assert_eq!(run.data.metrics, []);
    assert_eq!(Tag::find(&run.data.tags, "t"), None);
}

/// Many at once are committed together, and those that fail, some of them after they changed something, with none of
/// the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_fail_leave_those_that_are_committed_with_them() {
    let Store { store, folder } = Store::new();
    let run_id = create_run(&store, "0", 1).await;
    store.runs.log_param(&run_id, Param::new("lr", "0.1")).await.unwrap();
    let log = |number: i64| {
        let (store, run_id) = (&store, &run_id);
        let lr = if number % 2 == 0 { "0.1" } else { "0.2" };
        let batch = LogBatch {
            metrics: vec![Metric::new("m", 1.0, 1, number)],
            params: vec![Param::new(format!("p{number}"), "1"), Param::new("lr", lr)],
            tags: vec![],
        };
        async move { store.runs.log_batch(run_id, batch).await.is_ok() }
    };
    let stored = futures::future::join_all((0..400).map(log)).await;
    drop(store);
    let store = open(&uri(&folder), options(&folder)).unwrap();
    let run = store.runs.get(&run_id).await.unwrap();
    let page = MetricHistoryPage { max_results: Some(1000), page_token: None };
    let history = store.runs.metric_history(&run_id, "m", page).await.unwrap();
    let steps: Vec<i64> = history.items.iter().map(|metric| metric.step).collect();
    assert_eq!(steps, (0..400).step_by(2).collect::<Vec<i64>>());
    assert_eq!(run.data.params.len(), 201, "each with its param");
    assert_eq!(run.data.metrics, [Metric::new("m", 1.0, 1, 398)]);
    for (number, stored) in stored.into_iter().enumerate() {
        assert_eq!(stored, number % 2 == 0, "{number}");
    }
}

#[tokio::test]
async fn the_latest_value_is_that_of_the_highest_step_then_time_then_value() {
    let Store { store, folder: _folder } = Store::new();
    let run_id = create_run(&store, "0", 1).await;
    for (value, timestamp, step) in
        [(1.5, 1, 0), (1.5, 1, 0), (9.0, 5, -1), (2.0, 2, 0), (3.0, 2, 0), (2.5, 2, 0)]
    {
        store.runs.log_metric(&run_id, Metric::new("m", value, timestamp, step)).await.unwrap();
    }
    let run = store.runs.get(&run_id).await.unwrap();
    assert_eq!(run.data.metrics, [Metric::new("m", 3.0, 2, 0)]);
    let history =
        store.runs.metric_history(&run_id, "m", MetricHistoryPage::default()).await.unwrap();
    let values: Vec<f64> = history.items.iter().map(|metric| metric.value).collect();
    assert_eq!(values, [1.5, 2.0, 2.5, 3.0, 9.0]);
}

#[tokio::test]
async fn deleted_runs_and_experiments_come_back() {
    let Store { store, folder: _folder } = Store::new();
    let experiment = store.experiments.create("e", None, &[]).await.unwrap();
    let run_id = create_run(&store, &experiment, 1).await;
    store.experiments.delete(&experiment).await.unwrap();
    let error =
        store.runs.log_metric(&run_id, Metric::new("m", 1.0, 1, 0)).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!("The run {run_id} must be in the 'active' state. Current state is deleted.")
    );
    let search = |view_type| SearchRuns {
        experiment_ids: vec![experiment.clone()],
        view_type,
        ..SearchRuns::default()
    };
    assert_eq!(store.runs.search(search(ViewType::ActiveOnly)).await.unwrap().items.len(), 0);
    assert_eq!(store.runs.search(search(ViewType::DeletedOnly)).await.unwrap().items.len(), 1);
    assert_eq!(store.runs.search(search(ViewType::All)).await.unwrap().items.len(), 1);
    let error = store.experiments.delete(&experiment).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ResourceDoesNotExist);
    store.experiments.restore(&experiment).await.unwrap();
    store.runs.log_metric(&run_id, Metric::new("m", 1.0, 1, 0)).await.unwrap();
}

#[tokio::test]
async fn versions_aliases_and_stages() {
    let Store { store, folder: _folder } = Store::new();
    store.registered_models.create("m", &[Tag::new("a", "1")], Some("d")).await.unwrap();
    let error = store.registered_models.create("m", &[], None).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ResourceAlreadyExists);
    let version = || CreateModelVersion {
        name: "m".to_owned(),
        source: "s3://bucket/model".to_owned(),
        ..CreateModelVersion::default()
    };
    for number in ["1", "2", "3"] {
        assert_eq!(store.model_versions.create(version()).await.unwrap().version, number);
    }
    store
        .registered_models
        .set_alias(VersionId { name: "m", version: "1" }, "Production")
        .await
        .unwrap();
    store
        .registered_models
        .set_alias(VersionId { name: "m", version: "3" }, "Production")
        .await
        .unwrap();
    let found = store
        .registered_models
        .get_by_alias(AliasId { name: "m", alias: "Production" })
        .await
        .unwrap();
    assert_eq!((found.version.as_str(), found.aliases), ("3", vec!["Production".to_owned()]));
    store.model_versions.delete(VersionId { name: "m", version: "3" }).await.unwrap();
    let error = store
        .registered_models
        .get_by_alias(AliasId { name: "m", alias: "Production" })
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "Registered model alias Production not found.");
    // Numbers are not used again.
    assert_eq!(store.model_versions.create(version()).await.unwrap().version, "4");
    store
        .model_versions
        .transition_stage(VersionId { name: "m", version: "1" }, "production", false)
        .await
        .unwrap();
    store
        .model_versions
        .transition_stage(VersionId { name: "m", version: "2" }, "Production", true)
        .await
        .unwrap();
    let stages: Vec<(String, String)> = store
        .registered_models
        .get_latest_versions("m", &[])
        .await
        .unwrap()
        .into_iter()
        .map(|version| (version.version, version.current_stage))
        .collect();
    let expected = [("1", "Archived"), ("2", "Production"), ("4", "None")];
    assert_eq!(stages, expected.map(|(version, stage)| (version.to_owned(), stage.to_owned())));
    store.registered_models.rename("m", "n").await.unwrap();
    assert_eq!(
        store.model_versions.get(VersionId { name: "n", version: "4" }).await.unwrap().name,
        "n"
    );
    store.registered_models.delete("n").await.unwrap();
    let error = store.model_versions.get(VersionId { name: "n", version: "4" }).await.unwrap_err();
    assert_eq!(error.to_string(), "Model Version (name=n, version=4) not found");
}

#[tokio::test]
async fn a_copy_of_a_version_has_the_files_of_the_original() {
    let Store { store, folder: _folder } = Store::new();
    store.registered_models.create("m", &[], None).await.unwrap();
    let original = CreateModelVersion {
        name: "m".to_owned(),
        source: "s3://bucket/model".to_owned(),
        ..CreateModelVersion::default()
    };
    store.model_versions.create(original).await.unwrap();
    store.registered_models.set_alias(VersionId { name: "m", version: "1" }, "best").await.unwrap();
    for (number, source) in [("2", "models:/m/1"), ("3", "models:/m@best")] {
        let copy = CreateModelVersion {
            name: "m".to_owned(),
            source: source.to_owned(),
            ..CreateModelVersion::default()
        };
        store.model_versions.create(copy).await.unwrap();
        let uri = store
            .model_versions
            .download_uri(VersionId { name: "m", version: number })
            .await
            .unwrap();
        assert_eq!(uri, "s3://bucket/model");
    }
}

#[tokio::test]
async fn what_is_no_mlflow_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mlflow.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    drop(other);
    let error = open(&uri(&folder), options(&folder)).map(|_store| ()).unwrap_err().to_string();
    assert!(error.ends_with("it is not an MLflow database"), "{error}");
    let tables = tables(&path);
    assert_eq!(tables, ["notes"]);
}

#[tokio::test]
async fn another_schema_version_is_refused_with_the_command_that_upgrades() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mlflow.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch(
            "CREATE TABLE alembic_version (version_num TEXT); \
             INSERT INTO alembic_version VALUES ('451aebb31d03')",
        )
        .unwrap();
    drop(other);
    let error = open(&uri(&folder), options(&folder)).map(|_store| ()).unwrap_err().with_hint();
    assert!(error.contains("schema version 451aebb31d03"), "{error}");
    assert!(error.contains(&format!("`mlflow db upgrade {}`", uri(&folder))), "{error}");
    assert_eq!(tables(&path), ["alembic_version"]);
}

fn tables(path: &std::path::Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut statement =
        connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}
