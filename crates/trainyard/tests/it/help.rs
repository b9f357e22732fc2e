//! `--help` of every verb: one line each, an example, environment variables named.

use crate::project::{stdout_of, trainyard};

const VERBS: [&str; 14] = [
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
    "health",
    "completions",
    "man",
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

#[test]
fn a_binary_says_what_it_is_made_of() {
    let short = help(&["--version"]);
    assert_eq!(short.lines().count(), 1, "{short}");
    for words in [&["--version", "--verbose"][..], &["-vV"], &["-V", "-v"]] {
        let all = help(words);
        assert!(all.starts_with(&short), "{all}");
        for (name, value) in [
            ("commit", "not recorded"),
            ("rustc", "."),
            ("target", "-"),
            ("features", "SQLite"),
            // Nobody released the binary that tests run.
            ("provenance", "none: it was built from a checkout"),
        ] {
            let line = all.lines().find(|line| line.starts_with(&format!("{name} ")));
            assert!(line.is_some_and(|line| line.contains(value)), "{name}: {all}");
        }
    }
}

/// A shell that is there, or nothing.
fn has(shell: &str) -> bool {
    std::process::Command::new(shell).arg("--version").output().is_ok()
}

#[test]
fn shells_complete_verbs_and_flags() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = help(&["completions", shell]);
        for word in ["promote", "rollback", "if-new"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
    if !has("bash") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trainyard");
    std::fs::write(&file, help(&["completions", "bash"])).unwrap();
    // As bash asks when somebody presses the tabulator after these words.
    let ask = "source \"$0\"; COMP_WORDS=(trainyard prom); COMP_CWORD=1; \
               _trainyard trainyard prom trainyard; echo \"${COMPREPLY[@]}\"";
    let output = std::process::Command::new("bash").args(["-c", ask]).arg(&file).output().unwrap();
    assert_eq!(stdout_of(&output, 0).trim(), "promote");
}

#[test]
fn the_manual_has_a_page_for_every_verb() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    help(&["man", pages.to_str().unwrap()]);
    let page = |name: &str| std::fs::read_to_string(pages.join(name)).unwrap();
    for verb in VERBS {
        let text = page(&format!("trainyard-{verb}.1"));
        assert!(text.contains(".SH NAME") && text.contains("Example"), "{verb}: {text}");
    }
    assert!(page("trainyard.1").contains("Exit codes"));
    assert!(page("trainyard-deploy-rollback.1").contains(".SH SYNOPSIS"));
    assert!(!pages.join("trainyard-gateway.1").exists(), "what is hidden has no page");
}
