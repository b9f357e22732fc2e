//! That something was written is noticed, whoever wrote it.

use std::time::Duration;

use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::Metric;
use trainyard_testkit::postgres::PostgresServer;
use trainyard_tracking::{Changes, Lending, OpenOptions, Shared, share};

/// The end of every wait: what takes as long does not come.
const TOO_LONG: Duration = Duration::from_mins(2);

fn opened(uri: &str, options: &OpenOptions, lending: &Lending) -> (Tracking, Changes) {
    let Shared { own, changes, .. } = share(uri, options.clone(), lending).unwrap();
    (own, changes.unwrap())
}

/// Waits until more was written than `before`.
async fn grown(changes: &Changes, before: u64) -> u64 {
    let wait = async {
        loop {
            let count = changes.count().await;
            if count > before {
                return count;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(TOO_LONG, wait).await.unwrap()
}

async fn write(tracking: &Tracking) {
    let run_id = crate::store::create_run(tracking, "0", 1).await;
    tracking.runs.log_metric(&run_id, Metric::new("m", 0.5, 1, 0)).await.unwrap();
}

/// Two servers over the same databases see what each of them writes.
async fn are_seen_by_each_other(uri: &str, options: &OpenOptions, lending: &Lending) {
    let (one, changes_of_one) = opened(uri, options, lending);
    let (other, changes_of_other) = opened(uri, options, lending);
    let mut counts = (changes_of_one.count().await, changes_of_other.count().await);
    for writer in [&one, &other, &one] {
        write(writer).await;
        counts.0 = grown(&changes_of_one, counts.0).await;
        counts.1 = grown(&changes_of_other, counts.1).await;
    }
    // Models may be in a database of their own.
    other.registered_models.create("Iris", &[], None).await.unwrap();
    grown(&changes_of_one, counts.0).await;
    grown(&changes_of_other, counts.1).await;
}

#[tokio::test]
async fn what_others_write_into_files_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let options = OpenOptions {
        default_artifact_root: Some(path("runs")),
        artifacts_destination: Some(path("artifacts")),
        ..OpenOptions::default()
    };
    let uri = |name: &str| format!("sqlite:///{}", path(name));
    let apart = Lending { registry_uri: Some(uri("models.db")), ..Lending::default() };
    for lending in [Lending::default(), apart] {
        are_seen_by_each_other(&uri("runs.db"), &options, &lending).await;
        std::fs::remove_file(path("runs.db")).unwrap();
    }
    // Who looks at a file keeps no log of it open.
    let left: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with("-wal"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_others_write_into_postgresql_is_seen() {
    let server = PostgresServer::start();
    let uri = server.database("watched");
    let options = crate::store_postgres::options(&server);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(are_seen_by_each_other(&uri, &options, &Lending::default()));
    // A program that knows nothing of us.
    let (tracking, changes) = opened(&uri, &options, &Lending::default());
    let before = runtime.block_on(changes.count());
    server.sql("watched", "UPDATE experiments SET name = 'theirs' WHERE experiment_id = 0");
    runtime.block_on(grown(&changes, before));
    drop(tracking);
}
