//! `server upgrade`, killed again and again: it goes on, and comes to the same end.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use trainyard_testkit::{KillOnDrop, run_python};

use crate::project::{stdout_of, trainyard};

/// What MLflow 2.22.1 wrote: 39 migrations behind.
const OLD: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../tracking/tests/old_databases/2.22.1.sqlite.sql.gz");

const LOAD: &str = r#"
import gzip, sqlite3, sys
for path in sys.argv[2:]:
    with sqlite3.connect(path) as connection:
        connection.executescript(gzip.open(sys.argv[1], "rt").read())
"#;

/// Whether a database is whole, between two migrations.
const CHECK: &str = r#"
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
half = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '\\_alembic%' ESCAPE '\\'").fetchall()
assert half == [], half
print(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
"#;

const SAME: &str = r"
import sqlite3, sys
one, other = (list(sqlite3.connect(path).iterdump()) for path in sys.argv[1:])
print(one == other)
";

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[test]
fn an_upgrade_that_is_killed_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let [killed, whole] = ["killed.db", "whole.db"].map(|name| path(folder.path(), name));
    run_python(LOAD, &[OLD, &killed, &whole], &[]);
    let upgrade = |database: &str, flags: &[&str]| {
        let mut command = trainyard();
        command.args(["server", "upgrade", &format!("sqlite:///{database}")]).args(flags);
        command
    };
    // A server says what to do, and leaves the file alone.
    let refused = trainyard()
        .args(["server", "--port", "0", "--backend-store-uri", &format!("sqlite:///{killed}")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("trainyard server upgrade sqlite:///{killed}")), "{said}");

    let mut heads = vec![run_python(CHECK, &[&killed], &[])];
    for lines in [1, 2, 1, 4, 2, 6] {
        let mut command = upgrade(&killed, &["--no-backup"]);
        let mut child = KillOnDrop::spawn(command.stdout(Stdio::null()).stderr(Stdio::piped()));
        let stderr = BufReader::new(child.0.stderr.take().unwrap());
        // Killed when a migration has begun; which part of it that meets is chance.
        let _seen = stderr.lines().take(lines).count();
        drop(child);
        heads.push(run_python(CHECK, &[&killed], &[]));
    }
    heads.dedup();
    assert!(heads.len() > 1, "{heads:?}");
    let done = stdout_of(&upgrade(&killed, &["--no-backup"]).output().unwrap(), 0);
    assert!(done.contains("dc11669786a5"), "{done}");

    let done = upgrade(&whole, &[]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(stdout_of(&done, 0).contains("after"), "{said}");
    let copy = format!("{whole}.before-upgrade-0584bdc529eb");
    assert!(said.contains(&format!("a copy is at {copy}")), "{said}");
    assert_eq!(run_python(CHECK, &[&copy], &[]).trim(), "0584bdc529eb");
    assert_eq!(run_python(SAME, &[&killed, &whole], &[]).trim(), "True");
    let again = stdout_of(&upgrade(&whole, &[]).output().unwrap(), 0);
    assert!(again.contains("is up to date"), "{again}");
    // Where the server is told by a file, this is.
    let file = path(folder.path(), "uri");
    std::fs::write(&file, format!("sqlite:///{whole}\n")).unwrap();
    let mut command = trainyard();
    command.args(["server", "upgrade"]).env("TRAINYARD_BACKEND_STORE_URI_FILE", &file);
    let again = stdout_of(&command.output().unwrap(), 0);
    assert!(again.contains(&format!("{whole} is up to date")), "{again}");
}
