//! `server gc` beside the running server: what was deleted is gone for good, and nothing else.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use trainyard_testkit::{KillOnDrop, free_port, run_python, wait_until_ready};

use crate::project::trainyard;

fn gc(folder: &Path, arguments: &[&str]) -> Output {
    trainyard().current_dir(folder).args(["server", "gc"]).args(arguments).output().unwrap()
}

fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = gc(folder, arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Makes runs with files: two that stay, two that are deleted, two that are deleted and in the registry (one of
/// them by a copy whose original is gone), and an experiment that is deleted. Prints their ids.
const MAKE: &str = r#"
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
def run(experiment="0"):
    run_id = client.create_run(experiment, tags={"t": "1"}).info.run_id
    for step in range(3):
        client.log_metric(run_id, "m", step, step=step)
    client.log_param(run_id, "p", "1")
    client.log_text(run_id, "text", "model/note.txt")
    return run_id
active, restored, gone, other, registered, copied = (run() for _ in range(6))
experiment = client.create_experiment("gone", tags={"e": "1"})
inside = run(experiment)
client.create_registered_model("model")
client.create_model_version("model", client.get_run(registered).info.artifact_uri + "/model", registered)
client.create_registered_model("staging")
client.create_model_version("staging", client.get_run(copied).info.artifact_uri + "/model", copied)
client.copy_model_version("models:/staging/1", "prod")
client.delete_registered_model("staging")
for run_id in [restored, gone, other, registered, copied]:
    client.delete_run(run_id)
client.delete_experiment(experiment)
client.restore_run(restored)
print(active, restored, gone, other, registered, copied, inside, experiment)
"#;

/// Prints which of these runs are there with everything that was logged.
const THERE: &str = r#"
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
def there(run_id):
    try:
        run = client.get_run(run_id)
    except mlflow.MlflowException as error:
        assert error.error_code == "RESOURCE_DOES_NOT_EXIST", error
        return "gone"
    assert len(client.get_metric_history(run_id, "m")) == 3
    assert mlflow.artifacts.load_text(run.info.artifact_uri + "/model/note.txt") == "text"
    return "there"
print(*(there(run_id) for run_id in sys.argv[2:]))
"#;

/// A deleted run whose files are where the server may not go.
const ELSEWHERE: &str = r#"
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
experiment = client.create_experiment("elsewhere", artifact_location=sys.argv[2])
client.delete_run(client.create_run(experiment).info.run_id)
"#;

#[test]
fn only_what_was_deleted_goes_with_its_files_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let missing = gc(folder, &[]);
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "no database is made");

    let port = free_port();
    let mut command = trainyard();
    command.current_dir(folder).args(["server", "--port", &port.to_string()]);
    let _server = KillOnDrop::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
    wait_until_ready(port, Duration::from_mins(1));
    let uri = format!("http://127.0.0.1:{port}");
    let made = run_python(MAKE, &[&uri], &[]);
    let ids: Vec<&str> = made.split_whitespace().collect();
    let [active, restored, gone, other, registered, copied, inside, experiment] = ids[..] else {
        panic!("{made}")
    };
    let runs = [uri.as_str(), active, restored, gone, other, registered, copied, inside];
    let there = || run_python(THERE, &runs, &[]).trim().to_owned();
    let all = "there there there there there there there";
    assert_eq!(there(), all);

    // What is too young, still there or unknown is not for it, and then nothing goes.
    assert_eq!(printed(folder, &["--older-than", "1d"]), "");
    for ids in [active, "none", &format!("{gone},{restored}")] {
        let refused = gc(folder, &["--run-ids", ids]);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    }
    let trial = printed(folder, &["--dry-run"]);
    assert!(trial.contains(gone) && trial.contains("would be"), "{trial}");
    assert_eq!(there(), all);

    let one = printed(folder, &["--run-ids", other]);
    assert_eq!(one, format!("Run with ID {other} has been permanently deleted.\n"));
    assert_eq!(there(), "there there there gone there there there");

    let rest = gc(folder, &["--older-than", "0s"]);
    assert!(rest.status.success(), "{rest:?}");
    let (lines, notes) =
        (String::from_utf8_lossy(&rest.stdout), String::from_utf8_lossy(&rest.stderr));
    for id in [gone, inside] {
        assert!(lines.contains(&format!("Run with ID {id} has been")), "{lines}");
    }
    assert!(lines.contains(&format!("Experiment with ID {experiment} has been")), "{lines}");
    // What a version is made of stays, deleted or not.
    assert!(!lines.contains(registered) && !lines.contains(copied), "{lines}");
    assert!(notes.contains(registered) && notes.contains("version 1 of model"), "{notes}");
    assert!(notes.contains(copied) && notes.contains("version 1 of prod"), "{notes}");
    assert_eq!(there(), "there there gone gone there there gone");
    for (id, expected) in [(active, true), (gone, false), (other, false), (registered, true)] {
        let note = folder.join(format!("mlartifacts/0/{id}/artifacts/model/note.txt"));
        assert_eq!(note.exists(), expected, "{}", note.display());
    }
    // Nothing is left of them in any table, as upstream has it.
    let rows = "import sqlite3, sys\n\
                db = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)\n\
                for table in ['metrics', 'latest_metrics', 'params', 'tags', 'runs']:\n    \
                    query = f'SELECT count(*) FROM {table} WHERE run_uuid IN (?, ?, ?)'\n    \
                    print(db.execute(query, sys.argv[2:5]).fetchone()[0])\n\
                print(db.execute('SELECT count(*) FROM experiment_tags').fetchone()[0])\n";
    let database = folder.join("mlflow.db").display().to_string();
    let left = run_python(rows, &[&database, gone, other, inside], &[]);
    assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["0"; 6]);

    // Where files may not be removed, that is no success.
    let elsewhere = tempfile::tempdir().unwrap();
    run_python(ELSEWHERE, &[&uri, &elsewhere.path().display().to_string()], &[]);
    let left = gc(folder, &[]);
    let error = String::from_utf8_lossy(&left.stderr);
    assert_eq!(left.status.code(), Some(1), "{error}");
    assert!(error.contains("were not removed") && error.contains("by hand"), "{error}");
    assert_eq!(printed(folder, &[]), "", "nothing is left to remove");
}
