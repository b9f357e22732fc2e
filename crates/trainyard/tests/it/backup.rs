//! `server backup` while clients write, and `restore` beside it.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use trainyard_testkit::{KillOnDrop, free_port, python, run_python, wait_until_ready};

use crate::project::trainyard;

/// A server with the flags' defaults in a folder, and its URL.
pub(crate) fn server(folder: &Path) -> (KillOnDrop, String) {
    let port = free_port();
    let mut command = trainyard();
    command.current_dir(folder).args(["server", "--port", &port.to_string()]);
    let child = KillOnDrop::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
    wait_until_ready(port, Duration::from_mins(1));
    (child, format!("http://127.0.0.1:{port}"))
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    trainyard().current_dir(folder).arg("server").args(arguments).output().unwrap()
}

/// Logs runs, each with a metric and a file, until it is killed; says of each when it was acknowledged.
const WRITE: &str = r#"
import itertools, sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("written")
with open(sys.argv[2], "a") as acknowledged:
    for number in itertools.count():
        with mlflow.start_run() as run:
            mlflow.log_text(f"file of {number}" * 1000, "note.txt")
            mlflow.log_metric("number", number)
        print(run.info.run_id, number, file=acknowledged, flush=True)
"#;

/// Whether every run is there that was acknowledged before the backup, and every file that a run there has logged
/// since.
const CHECK: &str = r#"
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
wanted = dict(line.split() for line in open(sys.argv[2]))
experiment = client.get_experiment_by_name("written")
runs = client.search_runs([experiment.experiment_id], max_results=1000)
found = {run.info.run_id: run for run in runs}
for run_id, number in wanted.items():
    assert found[run_id].data.metrics["number"] == int(number), run_id
for run in runs:
    if "number" in run.data.metrics:
        number = int(run.data.metrics["number"])
        text = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/note.txt")
        assert text == f"file of {number}" * 1000, run.info.run_id
print(len(wanted) <= len(runs))
"#;

#[test]
fn a_backup_of_a_server_that_is_written_to_is_whole() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (running, uri) = server(here.path());
    let acknowledged = here.path().join("acknowledged");
    let mut writer = Command::new(python());
    writer.args(["-c", WRITE, &uri]).arg(&acknowledged).stdout(Stdio::null()).stderr(Stdio::null());
    let writer = KillOnDrop::spawn(&mut writer);
    let start = Instant::now();
    let written = || std::fs::read_to_string(&acknowledged).unwrap_or_default();
    while written().lines().count() < 10 {
        assert!(start.elapsed() < Duration::from_mins(2), "nothing is written");
        std::thread::sleep(Duration::from_millis(20));
    }
    let before = here.path().join("before");
    let whole_lines = written().rsplit_once('\n').map(|(lines, _)| lines.to_owned()).unwrap();
    std::fs::write(&before, whole_lines).unwrap();
    let folder = there.path().join("backup");
    let backup = folder.display().to_string();
    let made = run(here.path(), &["backup", &backup]);
    assert!(made.status.success(), "{made:?}");
    drop((writer, running));
    // A second one does not write over the first.
    assert_eq!(run(here.path(), &["backup", &backup]).status.code(), Some(2));
    // Anybody can check it.
    let mut sums = Command::new("sha256sum");
    sums.current_dir(&folder).args(["--check", "--quiet", "checksums.sha256"]);
    assert!(sums.status().unwrap().success());

    std::fs::write(there.path().join("uri"), "sqlite:///mlflow.db\n").unwrap();
    let restored = run(there.path(), &["restore", &backup, "--backend-store-uri-file", "uri"]);
    assert!(restored.status.success(), "{restored:?}");
    let (_restored, uri) = server(there.path());
    let checked = run_python(CHECK, &[&uri, &before.display().to_string()], &[]);
    assert_eq!(checked.trim(), "True");
    // Nor does a second restore.
    let again = run(there.path(), &["restore", &backup]);
    assert_eq!(again.status.code(), Some(2), "{again:?}");

    let database = folder.join("mlflow.db");
    let mut bytes = std::fs::read(&database).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&database, bytes).unwrap();
    let empty = tempfile::tempdir().unwrap();
    let refused = run(empty.path(), &["restore", &backup]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{error}");
    assert!(error.contains("mlflow.db is not what was copied"), "{error}");
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "nothing is written");
}

/// With users and who may do what, from one folder into another.
#[test]
fn users_roles_and_tokens_are_a_part_of_it_where_that_is_said() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let backup = there.path().join("backup").display().to_string();
    drop(server(here.path()));
    let user = |folder: &Path, arguments: &[&str]| {
        let output = trainyard().current_dir(folder).arg("user").args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    user(here.path(), &["create", "ci", "--service"]);
    user(here.path(), &["group", "create", "team"]);
    user(here.path(), &["group", "add", "team", "ci"]);
    // Whoever forgets them is told so.
    let without = there.path().join("without").display().to_string();
    let made = run(here.path(), &["backup", &without]);
    let told = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success() && told.contains("--app-name basic-auth"), "{told}");
    let made = run(here.path(), &["backup", &backup, "--app-name", "basic-auth"]);
    let told = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success() && !told.contains("are not in it"), "{told}");
    let copy = Path::new(&backup).join("users.db");
    let mode = std::os::unix::fs::MetadataExt::mode(&copy.metadata().unwrap());
    assert_eq!(mode & 0o077, 0, "hashes of passwords are nobody's business");

    let refused = run(there.path(), &["restore", &backup]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && told.contains("users.db"), "{told}");
    let restored = run(there.path(), &["restore", &backup, "--app-name", "basic-auth"]);
    assert!(restored.status.success(), "{restored:?}");
    assert_eq!(user(there.path(), &["list"]), "ci\n");
    assert_eq!(user(there.path(), &["group", "list"]), "team: ci\n");
    let again = run(there.path(), &["restore", &backup, "--app-name", "basic-auth"]);
    assert_eq!(again.status.code(), Some(2), "{again:?}");
}

#[test]
fn what_is_not_copied_says_how_else() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (vec!["--backend-store-uri", "postgresql://me:pl4nted@h/d"], "pg_dump"),
        (vec!["--backend-store-uri", "sqlite:///gone.db"], "no database at"),
        (vec!["--artifacts-destination", "s3://bucket/path"], "--no-artifacts"),
    ] {
        let refused = run(folder.path(), &[vec!["backup", "copy"], arguments].concat());
        let error = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(error.contains(expected) && !error.contains("pl4nted"), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
}

#[test]
fn the_uri_may_stand_in_a_file_for_all_that_is_done_to_the_data() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("uri"), "sqlite:///from-file.db\n").unwrap();
    for arguments in [vec!["gc"], vec!["backup", "copy"]] {
        let arguments = [arguments, vec!["--backend-store-uri-file", "uri"]].concat();
        let refused = run(folder.path(), &arguments);
        let error = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(error.contains("no database at") && error.contains("from-file.db"), "{error}");
    }
}
