//! The database's file is gone, another one, or cannot be written: nothing is acknowledged that is not
//! kept, and `/health` says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use trainyard_mlflow::entities::Metric;
use trainyard_mlflow::{ErrorCode, Tracking};
use trainyard_tracking::open;
use trainyard_tracking::server::ServerOptions;

use crate::http::{get, post};
use crate::served::Served;
use crate::store::{Store, create_run, options, uri};

/// Set for the process whose disk can only be read.
const READ_ONLY: &str = "TRAINYARD_TEST_READ_ONLY_FOLDER";

fn file(store: &Store) -> PathBuf {
    store.folder.path().join("mlflow.db")
}

async fn refuses(store: &Tracking, run_id: &str) {
    for step in 0..3 {
        let error =
            store.runs.log_metric(run_id, Metric::new("m", 1.0, 1, step)).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::TemporarilyUnavailable, "{error}");
        assert!(error.to_string().contains("removed or replaced"), "{error}");
    }
    assert!(store.health().await.unwrap_err().to_string().contains("removed or replaced"));
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_that_is_gone() {
    for name in ["mlflow.db", "mlflow.db-wal"] {
        let Store { store, folder } = Store::new();
        let run_id = create_run(&store, "0", 1).await;
        store.health().await.unwrap();
        let (here, there) = (folder.path().join(name), folder.path().join("elsewhere"));
        std::fs::rename(&here, &there).unwrap();
        refuses(&store, &run_id).await;
        // Another file in its place is not it.
        std::fs::copy(&there, &here).unwrap();
        refuses(&store, &run_id).await;
        std::fs::remove_file(&here).unwrap();
        std::fs::rename(&there, &here).unwrap();
        store.runs.log_metric(&run_id, Metric::new("m", 2.0, 2, 2)).await.unwrap();
        store.health().await.unwrap();
        drop(store);
        let store = open(&uri(&folder), options(&folder)).unwrap();
        let run = store.runs.get(&run_id).await.unwrap();
        assert_eq!(run.data.metric("m"), Some(2.0), "what was acknowledged, and nothing else");
    }
}

/// SQLite keeps its log beside what a symlink leads to.
#[tokio::test]
async fn a_database_behind_a_symlink_is_watched_under_both_names() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("real")).unwrap();
    std::os::unix::fs::symlink("real/data.db", at("mlflow.db")).unwrap();
    let store = open(&uri(&folder), options(&folder)).unwrap();
    let run_id = create_run(&store, "0", 1).await;
    for name in ["real/data.db-wal", "real/data.db", "mlflow.db"] {
        std::fs::rename(at(name), at("elsewhere")).unwrap();
        refuses(&store, &run_id).await;
        std::fs::rename(at("elsewhere"), at(name)).unwrap();
        store.runs.log_metric(&run_id, Metric::new("m", 2.0, 2, 2)).await.unwrap();
    }
    // Another database under the owner's name is not it.
    std::fs::write(at("other.db"), "").unwrap();
    std::fs::remove_file(at("mlflow.db")).unwrap();
    std::os::unix::fs::symlink("other.db", at("mlflow.db")).unwrap();
    refuses(&store, &run_id).await;
}

#[tokio::test]
async fn many_at_once_are_all_refused() {
    let store = Store::new();
    let run_id = create_run(&store.store, "0", 1).await;
    std::fs::remove_file(file(&store)).unwrap();
    let writes =
        (0..50).map(|step| store.store.runs.log_metric(&run_id, Metric::new("m", 1.0, 1, step)));
    for written in futures::future::join_all(writes).await {
        written.unwrap_err();
    }
}

#[test]
fn health_says_what_is_wrong_without_saying_where() {
    let store = Store::new();
    let path = file(&store);
    let server = Served::over(store.store.clone(), ServerOptions::default());
    assert_eq!(get(&server.url, "/health").text(), "OK");
    std::fs::remove_file(&path).unwrap();
    let answer = get(&server.url, "/health");
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("removed or replaced"), "{}", answer.text());
    assert!(!answer.text().contains("mlflow.db"), "{}", answer.text());
    let body = json!({"name": "lost"});
    let answer = post(&server.url, "/api/2.0/mlflow/experiments/create", &body);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
}

#[test]
fn a_broken_database_does_not_speak_of_its_tables() {
    let store = Store::new();
    let path = file(&store);
    let server = Served::over(store.store.clone(), ServerOptions::default());
    let run = post(&server.url, "/api/2.0/mlflow/runs/create", &json!({"experiment_id": "0"}));
    let run_id = run.json()["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("ALTER TABLE params RENAME TO gone").unwrap();
    for answer in [
        get(&server.url, &format!("/api/2.0/mlflow/runs/get?run_id={run_id}")),
        post(
            &server.url,
            "/api/2.0/mlflow/runs/log-parameter",
            &json!({"run_id": run_id, "key": "k", "value": "v"}),
        ),
    ] {
        assert_eq!(answer.status, 500, "{}", answer.text());
        for word in ["params", "table", "SELECT", "INSERT", "mlflow.db", "/tmp"] {
            assert!(!answer.text().contains(word), "{word}: {}", answer.text());
        }
    }
    let query = format!(
        "{{ mlflowGetRun(input: {{runId: \"{run_id}\"}}) {{ run {{ info {{ runId }} }} }} }}"
    );
    let answer = post(&server.url, "/graphql", &json!({"query": query}));
    assert!(!answer.text().contains("table"), "{}", answer.text());
}

fn cannot_open(folder: &Path) {
    let uri = format!("sqlite:///{}", folder.join("mlflow.db").display());
    let Err(error) = open(&uri, trainyard_tracking::OpenOptions::default()) else {
        panic!("a store that cannot be written was opened")
    };
    assert!(error.to_string().contains("can only be read"), "{error}");
}

#[test]
fn a_disk_that_can_only_be_read_is_told_at_the_start() {
    if let Some(folder) = std::env::var_os(READ_ONLY) {
        return cannot_open(Path::new(&folder));
    }
    let Store { store, folder } = Store::new();
    drop(store);
    // A mount of its own in a namespace of its own: it goes away with the process.
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store_place::a_disk_that_can_only_be_read_is_told_at_the_start",
            "--nocapture",
        ])
        .env(READ_ONLY, folder.path())
        .output()
        .expect("unshare is part of util-linux");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && printed.contains("1 passed"),
        "{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
