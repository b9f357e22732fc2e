//! A file store into PostgreSQL, whose numbers of experiments are smaller than those of files; and into a
//! registry of its own.

use std::path::Path;

use trainyard_mlflow::SearchExperiments;
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::ViewType;
use trainyard_tracking::import::{
    ArtifactsAre, Counts, Kind, Options, Report, Target, import, survey,
};
use trainyard_tracking::{Lending, OpenOptions, share};

const NUMBER: &str = "737044396959849096";
const RUN: &str = "0123456789abcdef0123456789abcdef";
const MODEL: &str = "m-0123456789abcdef0123456789abcdef";

/// An experiment with a run, its metrics, a logged model, and a version of a registered model.
fn file_store(folder: &Path) {
    let root = folder.display();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let experiment = format!(
        "artifact_location: file://{root}/{NUMBER}\ncreation_time: 1700000000000\n\
         experiment_id: '{NUMBER}'\nlifecycle_stage: active\nname: large\n"
    );
    write(&format!("{NUMBER}/meta.yaml"), &experiment);
    let run = format!("{NUMBER}/{RUN}");
    let meta = format!(
        "artifact_uri: file://{root}/{run}/artifacts\nend_time: null\nexperiment_id: '{NUMBER}'\n\
         lifecycle_stage: active\nrun_id: {RUN}\nrun_name: one\nstart_time: 1700000000000\nstatus: 4\nuser_id: ada\n"
    );
    write(&format!("{run}/meta.yaml"), &meta);
    write(&format!("{run}/metrics/m"), "1 0.5 0\n1 0.5 0\n2 nan 1\n3 inf 2\n");
    write(&format!("{run}/tags/mlflow.runName"), "one");
    write(&format!("{run}/artifacts/tab\there.txt"), "odd");
    let model = format!("{NUMBER}/models/{MODEL}");
    let meta = format!(
        "artifact_location: file://{root}/{model}/artifacts\ncreation_timestamp: 1\nexperiment_id: '{NUMBER}'\n\
         last_updated_timestamp: 2\nmodel_id: {MODEL}\nname: mod\nsource_run_id: {RUN}\nstatus: 2\n"
    );
    write(&format!("{model}/meta.yaml"), &meta);
    write(&format!("{model}/metrics/m"), &format!("1 0.5 0 {RUN}\n1 0.5 0 {RUN} data d1\n"));
    write("models/Iris/meta.yaml", "creation_timestamp: 3\nname: Iris\naliases: {}\n");
    write("models/Iris/aliases/Production", "1");
    let version = format!(
        "creation_timestamp: 4\ncurrent_stage: Staging\nname: Iris\nrun_id: {RUN}\n\
         source: file://{root}/{run}/artifacts/model\nversion: 1\n"
    );
    write("models/Iris/version-1/meta.yaml", &version);
}

async fn imported(folder: &Path, target: &Target) -> Report {
    let quiet = |_: &Counts| {};
    let found = survey(folder, ArtifactsAre::Copied, &quiet).unwrap();
    assert_eq!(found.problems.first(), []);
    let options = Options {
        artifacts_are: ArtifactsAre::Copied,
        skip_broken: false,
        merge_experiments: false,
    };
    let report = import(folder, &found, target, options, &quiet).await.unwrap();
    assert_eq!(report.differences, [""; 0]);
    assert_eq!(report.read, found.counts);
    assert_eq!(report.read.get(Kind::MetricValues), 3, "a value that is there twice is one");
    report
}

/// What a client sees: an experiment of the same name, with everything in it.
async fn check(tracking: &Tracking) -> String {
    let experiment = tracking.experiments.get_by_name("large").await.unwrap();
    let run = tracking.runs.get(RUN).await.unwrap();
    assert_eq!(run.info.experiment_id, experiment.experiment_id);
    assert_eq!(run.data.metric("m"), Some(f64::MAX));
    let model = tracking.logged_models.get(MODEL).await.unwrap();
    assert_eq!((model.data.metrics.len(), model.info.source_run_id.as_deref()), (1, Some(RUN)));
    let files = tracking.artifacts.list(&run.info.artifact_uri, "").await.unwrap();
    let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["tab\there.txt"]);
    let iris = tracking.registered_models.get("Iris").await.unwrap();
    assert_eq!(iris.aliases[0].version, "1");
    assert_eq!(iris.latest_versions[0].source, format!("{}/model", run.info.artifact_uri));
    experiment.experiment_id
}

/// Into an empty PostgreSQL database, twice.
pub(crate) async fn into_postgres(url: &str, options: OpenOptions) {
    let folder = tempfile::tempdir().unwrap();
    file_store(folder.path());
    let target = Target::open(url, options.clone(), &Lending::default()).unwrap();
    let first = imported(folder.path(), &target).await;
    assert!(first.notes[0].contains("has number 1 in the database"), "{:?}", first.notes);
    let second = imported(folder.path(), &target).await;
    assert_eq!((first.read, first.stored), (second.read, second.stored));
    drop(target);
    let tracking = share(url, options, &Lending::default()).unwrap().lent;
    assert_eq!(check(&tracking).await, "1");
    let next = tracking.experiments.create("next", None, &[]).await.unwrap();
    assert!(next.parse::<i64>().unwrap() > 1, "{next}");
    let all = SearchExperiments { view_type: ViewType::All, ..SearchExperiments::default() };
    assert_eq!(tracking.experiments.search(all).await.unwrap().items.len(), 3);
}

/// What PostgreSQL has no room for is named, and everything else comes.
pub(crate) async fn too_long_for_postgres(url: &str, options: OpenOptions) {
    let folder = tempfile::tempdir().unwrap();
    file_store(folder.path());
    let meta = folder.path().join(format!("{NUMBER}/{RUN}/meta.yaml"));
    let long = format!("run_name: {}", "n".repeat(300));
    let text = std::fs::read_to_string(&meta).unwrap().replace("run_name: one", &long);
    std::fs::write(&meta, text).unwrap();
    let target = Target::open(url, options, &Lending::default()).unwrap();
    let quiet = |_: &Counts| {};
    let found = survey(folder.path(), ArtifactsAre::Copied, &quiet).unwrap();
    let options = Options {
        artifacts_are: ArtifactsAre::Copied,
        skip_broken: false,
        merge_experiments: false,
    };
    let report = import(folder.path(), &found, &target, options, &quiet).await.unwrap();
    let is_named = |one: &String| one.contains(RUN) && one.contains("too long");
    assert!(report.differences.iter().any(is_named), "{:?}", report.differences);
    let stored = |kind| report.stored.get(kind);
    assert_eq!((stored(Kind::Runs), stored(Kind::ModelVersions)), (0, 1), "{:?}", report.stored);
}

#[tokio::test]
async fn numbers_of_files_are_kept_and_the_registry_may_be_elsewhere() {
    let (files, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    file_store(files.path());
    let uri = |name: &str| format!("sqlite:///{}", folder.path().join(name).display());
    let lending = Lending { registry_uri: Some(uri("registry.db")), ..Lending::default() };
    let options = crate::store::options(&folder);
    let target = Target::open(&uri("mlflow.db"), options.clone(), &lending).unwrap();
    imported(files.path(), &target).await;
    drop(target);
    let tracking = share(&uri("mlflow.db"), options, &lending).unwrap().lent;
    assert_eq!(check(&tracking).await, NUMBER);
    let next = tracking.experiments.create("next", None, &[]).await.unwrap();
    assert_ne!(next, NUMBER);
}
