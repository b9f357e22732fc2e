//! `--help` of every verb: one line each, an example, environment variables named.

use crate::project::{stdout_of, trainyard};

const VERBS: [&str; 23] = [
    "init",
    "run",
    "train",
    "promote",
    "deploy",
    "up",
    "monitor",
    "quality",
    "retrain",
    "serve",
    "predict",
    "replay",
    "model",
    "server",
    "token",
    "user",
    "login",
    "health",
    "registry",
    "approvals",
    "audit",
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
fn the_manual_is_in_the_binary() {
    let list = help(&["help"]);
    let docs = trainyard_testkit::workspace_root().join("docs");
    for entry in std::fs::read_dir(docs).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_name().unwrap().to_str().unwrap().strip_suffix(".md") else {
            continue;
        };
        if name == "index" {
            continue;
        }
        assert!(list.contains(&format!("\n  {name} ")), "{name} is not in\n{list}");
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(help(&["help", name]).trim_end(), text.trim_end());
    }
    assert!(help(&["help", "run"]).contains("Usage: trainyard run"));
    assert!(help(&["help", "deploy", "logs"]).contains("Usage: trainyard deploy logs"));
    let output = trainyard().args(["help", "pipelin"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("(did you mean \"pipeline\"?)"), "{error}");
}

/// Jobs set variables to nothing, and to what nobody is to read.
#[test]
fn the_reference_is_the_same_whatever_is_set() {
    let mut asked = trainyard();
    asked.args(["help", "reference"]);
    asked.envs([
        ("MLFLOW_TRACKING_URI", ""),
        ("TRAINYARD_LOG_FORMAT", ""),
        ("MODEL_NAME", "pl4nted"),
    ]);
    assert_eq!(stdout_of(&asked.output().unwrap(), 0), help(&["help", "reference"]));
}

/// Pages that hints name are there.
#[test]
fn hints_name_pages_that_are_there() {
    let crates = trainyard_testkit::workspace_root().join("crates");
    let mut named = std::collections::BTreeSet::new();
    let mut folders = vec![crates];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .components()
                .any(|part| part.as_os_str() == "src" || part.as_os_str() == "templates")
            {
                let Ok(text) = std::fs::read_to_string(&path) else { continue };
                let pages = text.split("trainyard help ").skip(1);
                let page = |rest: &str| {
                    rest.split(|c: char| !c.is_ascii_lowercase() && c != '-')
                        .next()
                        .unwrap()
                        .to_owned()
                };
                named.extend(pages.map(page).filter(|page| !page.is_empty()));
            }
        }
    }
    assert!(named.contains("pipeline"), "{named:?}");
    for page in named {
        help(&["help", &page]);
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

/// Validates project files against a schema, and says of each key of the manual whether the schema has it.
const VALIDATE: &str = r#"
import json, sys, tomllib
import jsonschema
schema, manual, *files = sys.argv[1:]
schema = json.loads(open(schema).read())
check = jsonschema.Draft202012Validator(schema)
check.check_schema(schema)
for file in files:
    check.validate(tomllib.loads(open(file).read()))
for wrong in ["[model]\nnmae = 'x'", "[train]\nseed = 'x'", "[gate.thresholds.r2]\nmim = 1"]:
    assert list(check.iter_errors(tomllib.loads(wrong))), wrong

def has(node, keys):
    for key in keys:
        node = node.get("properties", {}).get(key) or node.get("additionalProperties")
        if not node:
            return False
    return True

lacking = []
for line in open(manual):
    if line.startswith("| `") and "." in line.split("`")[1]:
        for key in line.split(" | ")[0][2:].split(", "):
            parts = key.strip("`").split(".")
            if parts[-1] != "py" and all(part and "*" not in part and " " not in part for part in parts) and parts[0] in schema["properties"]:
                if not has(schema, parts):
                    lacking.append(key)
print(lacking)
"#;

#[test]
fn the_schema_is_what_is_read() {
    let root = trainyard_testkit::workspace_root();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("schema.json");
    std::fs::write(&file, help(&["help", "schema"])).unwrap();
    let text = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    let arguments = [
        text(file),
        text(root.join("docs/pipeline.md")),
        text(root.join("examples/iris/trainyard.toml")),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert_eq!(trainyard_testkit::run_python(VALIDATE, &arguments, &[]).trim(), "[]");
    let schema: serde_json::Value = serde_json::from_str(&help(&["help", "schema"])).unwrap();
    let seed = &schema["properties"]["deploy"]["properties"]["drain"];
    assert_eq!(seed["type"], "string");
    assert!(seed["description"].as_str().unwrap().contains("requests in flight"), "{seed}");
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
