//! Removing for good beside somebody who registers a version: what was acknowledged has its files, whoever comes first.

use std::path::PathBuf;
use std::time::Duration;

use trainyard_mlflow::CreateModelVersion;
use trainyard_tracking::removal::{self, Selection, Step};
use trainyard_tracking::{Lending, OpenOptions, Opening, open};

use crate::store::{create_run, options, uri};

/// Each with a little more time for the removal before the version comes: somewhere they meet.
const ROUNDS: u64 = 12;

/// A version of a deleted run's files is registered while the run is removed.
pub(crate) async fn registering_and_removing(uri: &str, options: &OpenOptions) {
    let store = open(uri, options.clone()).unwrap();
    store.registered_models.create("raced", &[], None).await.unwrap();
    let opening =
        Opening { uri: uri.to_owned(), options: options.clone(), lending: Lending::default() };
    for round in 0..ROUNDS {
        let run_id = create_run(&store, "0", 1).await;
        let location = store.runs.get(&run_id).await.unwrap().info.artifact_uri;
        let files = PathBuf::from(location.strip_prefix("file://").unwrap_or(&location));
        std::fs::create_dir_all(files.join("model")).unwrap();
        std::fs::write(files.join("model/MLmodel"), "flavors: {}\n").unwrap();
        store.runs.delete(&run_id).await.unwrap();
        let version = CreateModelVersion {
            name: "raced".to_owned(),
            source: format!("{location}/model"),
            run_id: Some(run_id.clone()),
            ..CreateModelVersion::default()
        };
        let selection = Selection { run_ids: vec![run_id.clone()], ..Selection::default() };
        let mut steps = Vec::new();
        let registering = async {
            tokio::time::sleep(Duration::from_millis(4 * round)).await;
            store.model_versions.create(version.clone()).await
        };
        let (registered, removed) = tokio::join!(
            registering,
            removal::remove(&opening, &selection, |step| steps.push(step))
        );
        removed.unwrap();
        match registered {
            Ok(_) => {
                assert!(files.join("model/MLmodel").is_file(), "{round}: {steps:?}");
                store.runs.get(&run_id).await.unwrap();
            }
            Err(error) => assert!(error.is_not_found(), "{round}: {error} {steps:?}"),
        }
    }
}

/// An experiment's number is of that one alone, also when its newest one was removed.
pub(crate) async fn numbers_are_given_once(uri: &str, options: &OpenOptions) {
    let store = open(uri, options.clone()).unwrap();
    let opening =
        Opening { uri: uri.to_owned(), options: options.clone(), lending: Lending::default() };
    let mut ids: Vec<i64> = Vec::new();
    for round in 0..4 {
        let make = async |name: &str| {
            let name = format!("{name} {round}");
            store.experiments.create(&name, None, &[]).await.unwrap()
        };
        let id = make("once").await;
        let number: i64 = id.parse().unwrap();
        assert!(ids.iter().all(|earlier| *earlier < number), "{number} after {ids:?}");
        ids.push(number);
        // Each second time two are removed, the older one of them last.
        let mut ended = vec![id];
        if round % 2 == 1 {
            ended.push(make("twice").await);
            ids.push(ended[1].parse().unwrap());
        }
        for id in ended.into_iter().rev() {
            store.experiments.delete(&id).await.unwrap();
            let selection = Selection { experiment_ids: vec![id], ..Selection::default() };
            removal::remove(&opening, &selection, |_step| ()).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_experiment_has_the_number_of_one_that_was_removed() {
    let folder = tempfile::tempdir().unwrap();
    numbers_are_given_once(&uri(&folder), &options(&folder)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_acknowledged_has_its_files() {
    let folder = tempfile::tempdir().unwrap();
    registering_and_removing(&uri(&folder), &options(&folder)).await;
}

/// An imported run may say anything of where its files are.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_does_not_take_the_files_of_others_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (uri, options) = (uri(&folder), options(&folder));
    let store = open(&uri, options.clone()).unwrap();
    let run_id = create_run(&store, "0", 1).await;
    let location = store.runs.get(&run_id).await.unwrap().info.artifact_uri;
    let (shared, _) = location.split_once(&format!("/{run_id}")).unwrap();
    let file = PathBuf::from(shared.strip_prefix("file://").unwrap_or(shared)).join("other.txt");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "of others").unwrap();
    let database = rusqlite::Connection::open(folder.path().join("mlflow.db")).unwrap();
    let sql = "UPDATE runs SET artifact_uri = ?1 WHERE run_uuid = ?2";
    database.execute(sql, [shared, run_id.as_str()]).unwrap();
    store.runs.delete(&run_id).await.unwrap();
    let opening = Opening { uri, options, lending: Lending::default() };
    let selection = Selection { run_ids: vec![run_id], ..Selection::default() };
    let mut steps = Vec::new();
    removal::remove(&opening, &selection, |step| steps.push(step)).await.unwrap();
    let is_left = |step: &Step| matches!(step, Step::FilesLeft { .. });
    assert!(steps.iter().any(is_left), "{steps:?}");
    assert!(file.is_file(), "{steps:?}");
}
