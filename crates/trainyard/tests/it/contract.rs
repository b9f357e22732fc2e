//! A version with another schema does not reach users unless somebody lets it: nobody else would notice, as
//! all that clients get are answers to their mistakes.

use serde_json::Value;
use trainyard_testkit::run_python;

use crate::project::{TestProject, stdout_of};

/// Adds a column that every row has to the training data.
fn add_column(project: &TestProject, name: &str) {
    let path = project.file("data/train.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let widened = text.lines().enumerate().map(|(number, line)| match number {
        0 => format!("{line},{name}\n"),
        _ => format!("{line},{}.5\n", number % 7),
    });
    std::fs::write(&path, widened.collect::<Vec<_>>().concat()).unwrap();
}

/// Tags of a version, and the version with the alias `Production`.
fn registry(project: &TestProject, version: &str) -> Value {
    let script = r"
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
tags = dict(db.execute('select key, value from model_version_tags where version = ?', [sys.argv[2]]))
served = db.execute('''select version from registered_model_aliases where alias = 'Production' ''').fetchall()
print(json.dumps({'tags': tags, 'production': [row[0] for row in served]}))
";
    let database = project.file("mlflow.db");
    let text = run_python(script, &[database.to_str().unwrap(), version], &[]);
    serde_json::from_str(&text).unwrap()
}

/// Moves `Production` past everything that judges.
fn label_by_hand(project: &TestProject, version: &str) {
    let script = r"
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    db.execute('update registered_model_aliases set version = ? where alias = ?', [int(sys.argv[2]), 'Production'])
";
    let database = project.file("mlflow.db");
    run_python(script, &[database.to_str().unwrap(), version], &[]);
}

#[test]
fn a_new_required_column_is_refused_by_name_unless_somebody_allows_it() {
    let project = TestProject::iris();
    // The scores of a column that means nothing are not what this is about.
    project.edit("accuracy = { min = 0.9 }", "accuracy = { min = 0.3 }");
    project.edit("log_loss = { max = 0.5 }", "log_loss = { max = 50.0 }");
    project.edit("accuracy = 0.02", "");
    for verb in ["train", "promote", "deploy"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    add_column(&project, "tenure");
    stdout_of(&project.run(&["train"]), 0);

    let refused = project.run(&["promote"]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{error}");
    assert!(error.contains("contract: it breaks clients of version 1"), "{error}");
    assert!(
        error.contains("\"tenure\"") && error.contains("requests without it are refused"),
        "{error}"
    );
    let after = registry(&project, "2");
    assert_eq!(after["production"], serde_json::json!([1]), "{after}");
    assert_eq!(after["tags"]["trainyard.gate"], "failed", "{after}");
    assert_eq!(after["tags"]["trainyard.contract"], "broken", "{after}");

    // It is not compared with itself where the deployment is down and somebody gave it the alias.
    stdout_of(&project.run(&["deploy", "stop"]), 0);
    label_by_hand(&project, "2");
    let refused = project.run(&["deploy"]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{error}");
    assert!(error.contains("it breaks clients of version 1"), "{error}");
    label_by_hand(&project, "1");
    stdout_of(&project.run(&["deploy"]), 0);

    let allowed = stdout_of(&project.run(&["promote", "--allow-break", "--json"]), 0);
    let allowed: Value = serde_json::from_str(&allowed).unwrap();
    let checks = allowed["gate"]["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["metric"] == "contract").unwrap();
    assert_eq!(check["passed"], true, "{check}");
    let tags = &registry(&project, "2")["tags"];
    assert_eq!(tags["trainyard.gate"], "passed", "{tags}");
    let by = tags["trainyard.contract.allowed_by"].as_str().unwrap();
    assert!(by.contains("--allow-break"), "{by}");
    assert!(tags["trainyard.contract.breaks"].as_str().unwrap().contains("tenure"), "{tags}");

    // What serves is asked its own example, which the new version refuses: it is told, and was allowed.
    let deployed = stdout_of(&project.run(&["deploy", "--json"]), 0);
    let deployed: Value = serde_json::from_str(&deployed).unwrap();
    let behaviour = &deployed["behaviour"];
    assert_eq!(behaviour["source"], "example", "{behaviour}");
    assert!(behaviour["contract"][0].as_str().unwrap().contains("tenure"), "{behaviour}");
    assert!(behaviour["compared"].as_u64().unwrap() > 0, "{behaviour}");
    assert_eq!(behaviour["errors"]["only_after"], behaviour["compared"], "{behaviour}");
    let shown = behaviour["rows"][0]["after"].as_str().unwrap();
    assert!(shown.starts_with("400") && shown.contains("tenure"), "{shown}");
}
