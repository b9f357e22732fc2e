//! Approval, point in time and the audit log by the verbs, over the database of a project.

use std::process::Output;

use trainyard_testkit::run_python;

use crate::project::{TestProject, stdout_of, trainyard};

const MODEL: &str = "IrisClassifier";

fn stderr_of(output: &Output, code: i32) -> String {
    stdout_of(output, code);
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Another user of this machine: without a server, that is who somebody is.
fn sign_in(project: &mut TestProject, name: &str) {
    project.env = vec![("USER".to_owned(), name.to_owned())];
}

#[test]
fn a_release_waits_for_another_person_and_who_did_what_is_known() {
    let mut project = TestProject::iris();
    project.edit("[gate.thresholds]", "[gate]\napprovals = 1\n\n[gate.thresholds]");
    sign_in(&mut project, "ada");
    stdout_of(&project.run(&["train"]), 0);
    let promote = ["promote", "--to", "Production", "--reason", "less drift"];
    let waits = stderr_of(&project.run(&promote), 3);
    assert!(
        waits.contains(&format!("trainyard approvals approve {MODEL} Production 1")),
        "{waits}"
    );
    let nothing = project.run(&["registry", "at", "now", "--json"]);
    assert!(!stdout_of(&nothing, 0).contains("Production"), "nothing moved");

    let listed = stdout_of(&project.run(&["approvals", "list"]), 0);
    assert!(listed.contains("no approvals, asked for by ada"), "{listed}");
    let approve = ["approvals", "approve", MODEL, "Production", "1"];
    let own = project.run(&approve);
    assert!(!own.status.success(), "{own:?}");
    sign_in(&mut project, "bob");
    let given = stdout_of(&project.run(&approve), 0);
    assert!(given.contains("1 approval(s) (bob)"), "{given}");
    sign_in(&mut project, "ada");
    stdout_of(&project.run(&promote), 0);

    let moved = stdout_of(&project.run(&["registry", "at", "now", "--model", MODEL]), 0);
    let line = moved.lines().find(|line| line.contains("@Production")).unwrap();
    assert!(
        line.starts_with(&format!("models:/{MODEL}@Production was version 1, since ")),
        "{line}"
    );
    assert!(line.ends_with("by ada: less drift"), "{line}");
    let before = project.run(&["registry", "at", "2001-01-01"]);
    assert!(stderr_of(&before, 0).contains("changes are known since"), "{before:?}");

    let found = stdout_of(&project.run(&["audit", "search", "--action", "approval."]), 0);
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines.len(), 2, "{found}");
    assert!(lines[0].contains("bob  approval.approve  model:IrisClassifier"), "{found}");
    the_log_is_verified_copied_and_shortened(&project);
}

fn the_log_is_verified_copied_and_shortened(project: &TestProject) {
    let verified = stdout_of(&project.run(&["audit", "verify"]), 0);
    let anchor = verified.lines().find_map(|line| line.strip_prefix("anchor ")).unwrap();
    let lines = stdout_of(&project.run(&["audit", "export"]), 0);
    assert_eq!(lines.lines().count().to_string(), anchor.split_once(':').unwrap().0);
    run_python(CHECK, &[&lines], &[]);
    // What goes must be copied, or given up.
    assert_eq!(project.run(&["audit", "prune", "--older-than", "0s"]).status.code(), Some(2));
    let prune = ["audit", "prune", "--older-than", "0s", "--to", "copies"];
    let pruned = stdout_of(&project.run(&prune), 0);
    assert!(pruned.contains("are gone"), "{pruned}");
    stdout_of(&project.run(&["audit", "verify", "--anchor", anchor]), 0);
    let copies = std::fs::read_dir(project.file("copies")).unwrap();
    let copies: Vec<String> =
        copies.map(|file| file.unwrap().path().display().to_string()).collect();
    let mut arguments = vec!["audit", "verify", "--anchor", anchor];
    arguments.extend(copies.iter().map(String::as_str));
    stdout_of(&project.run(&arguments), 0);

    run_python(EDIT, &[&project.file("mlflow.db").display().to_string()], &[]);
    let edited = stdout_of(&project.run(&["audit", "verify"]), 1);
    assert!(edited.contains("FAULT event"), "{edited}");
}

/// The hashes can be checked without this program.
const CHECK: &str = r#"
import sys, json, hashlib
previous = "0" * 64
for line in sys.argv[1].splitlines():
    event = json.loads(line)
    assert event["previous"] == previous, event
    previous = event["hash"]
    event["hash"] = ""
    bare = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(bare.encode()).hexdigest() == previous, bare
"#;

/// Somebody who can write to the database makes it say that another one did it.
const EDIT: &str = r#"
import sys, sqlite3
database = sqlite3.connect(sys.argv[1])
database.executescript("DROP TRIGGER trainyard_audit_kept; UPDATE trainyard_audit SET who = 'eve'")
database.close()
"#;

#[test]
fn a_server_that_knows_nobody_protects_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (alias, told) in [("Production", "--auth-file"), ("Production=no", "is no alias")] {
        let started = trainyard()
            .current_dir(folder.path())
            .args(["server", "--port", "0", "--protect-alias", alias])
            .output()
            .unwrap();
        let words = stderr_of(&started, 2);
        assert!(words.contains(told), "{words}");
    }
}
