//! `--help` of every verb: one line each, an example, environment variables named.

use crate::project::{stdout_of, trainyard};

const VERBS: [&str; 17] = [
    "init",
    "run",
    "train",
    "promote",
    "deploy",
    "up",
    "monitor",
    "retrain",
    "serve",
    "server",
    "token",
    "user",
    "login",
    "health",
    "registry",
    "approvals",
    "audit",
];

fn help(arguments: &[&str]) -> String {
    stdout_of(&trainyard().args(arguments).output().unwrap(), 0)
}

#[test]
fn every_verb_is_one_line_of_the_overview() {
    let overview = help(&["--help"]);
    for verb in VERBS {
        let line = overview.lines().find(|line| line.trim_start().starts_with(&format!("{verb} ")));
        let line = line.unwrap_or_else(|| panic!("{verb} is not in\n{overview}"));
        assert!(line.len() < 100, "{line}");
    }
    assert!(overview.contains("Exit codes"), "{overview}");
}

#[test]
fn every_verb_has_an_example() {
    for verb in VERBS {
        let text = help(&[verb, "--help"]);
        assert!(text.contains("Example"), "{verb}:\n{text}");
        assert!(text.contains(&format!("trainyard {verb}")) || verb == "health", "{verb}:\n{text}");
    }
}

#[test]
fn environment_variables_are_named() {
    let serve = help(&["serve", "--help"]);
    for name in ["MLFLOW_TRACKING_URI", "MODEL_NAME", "MODEL_STAGE"] {
        assert!(serve.contains(name), "{serve}");
    }
    assert!(help(&["server", "--help"]).contains("MLFLOW_BACKEND_STORE_URI"));
}
