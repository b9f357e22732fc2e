//! The image as somebody without Trainyard on the host runs it: by the lines of docs/deploying.md, each healthy by the
//! image's own check, as its own user, on a root that nobody can write to.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trainyard_testkit::docker::Engine;
use trainyard_testkit::{KillOnDrop, free_port, run_python, wait_for_port, workspace_root};

use crate::project::{TestProject, trainyard};
use crate::run::{post_json, reqwest_get};

/// How long a container may take to become healthy, on a machine with other things to do.
const HEALTHY_LIMIT: Duration = Duration::from_mins(2);

/// Sends a file, as clients send artifacts.
const PUT: &str = "
import sys, urllib.request
urllib.request.urlopen(urllib.request.Request(sys.argv[1], data=b'kept', method='PUT'))
";

/// The words of the line of the docs that starts this verb, made fit for an engine without a network of its own: the
/// host's ports take the place of published ones. `changes` are made in all words.
fn documented(image: &str, verb: &str, more: &[&str], changes: &[(&str, &str)]) -> Vec<String> {
    let page = std::fs::read_to_string(workspace_root().join("docs/deploying.md")).unwrap();
    let (before, after) = page
        .lines()
        .filter(|line| line.starts_with("    docker run -d "))
        .find_map(|line| {
            let (before, after) = line.trim().split_once(" localhost/trainyard ")?;
            let after = after.strip_prefix(verb)?;
            (after.is_empty() || after.starts_with(' ')).then_some((before, after))
        })
        .unwrap_or_else(|| panic!("docs/deploying.md has no line for {verb}"));
    let mut words = Vec::new();
    let mut before = before.split_whitespace().skip(1);
    while let Some(word) = before.next() {
        match word {
            "-p" | "--network" => {
                let _of_the_flag = before.next();
            }
            _ => words.push(word),
        }
    }
    words.extend(["--network", "host"]);
    words.extend(more);
    words.extend([image, verb]);
    words.extend(after.split_whitespace());
    let change = |word: &str| {
        changes.iter().fold(word.to_owned(), |word, (from, to)| word.replace(from, to))
    };
    words.into_iter().map(change).collect()
}

/// Starts a container, and waits until it is healthy by its own check.
pub(crate) fn start(engine: &Engine, words: &[String]) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let container = engine.docker(&words);
    let start = Instant::now();
    loop {
        let state = engine.docker(&["inspect", "-f", "{{.State.Health.Status}}", &container]);
        if state == "healthy" {
            break;
        }
        let is_late = start.elapsed() > HEALTHY_LIMIT;
        assert!(!is_late, "{words:?} is {state}:\n{}", engine.said(&container));
        std::thread::sleep(Duration::from_millis(200));
    }
    let format = "{{.Config.User}} {{.Config.StopSignal}} {{.HostConfig.ReadonlyRootfs}}";
    let how = engine.docker(&["inspect", "-f", format, &container]);
    assert_eq!(how, "65534:65534 SIGTERM true", "{words:?}");
    container
}

pub(crate) fn works_as_documented(engine: &Engine, image: &str, project: &TestProject) {
    a_server_keeps_what_it_is_given(engine, image);
    a_model_server_obeys(engine, image, project);
    a_project_is_kept_up(engine, image);
}

/// A volume made by the line itself can be written to, and outlives the container.
fn a_server_keeps_what_it_is_given(engine: &Engine, image: &str) {
    let port = free_port();
    let listen = format!("MLFLOW_PORT={port}");
    let own = format!("127.0.0.1:{port}");
    let words = documented(image, "server", &["-e", &listen], &[("mlflow:5000", &own)]);
    let container = start(engine, &words);
    let experiments = format!("http://{own}/api/2.0/mlflow/experiments");
    post_json(&format!("{experiments}/create"), &json!({"name": "kept"})).unwrap();
    let artifact = format!("http://{own}/api/2.0/mlflow-artifacts/artifacts/0/kept.txt");
    run_python(PUT, &[&artifact], &[]);
    engine.docker(&["rm", "-f", &container]);
    let container = start(engine, &words);
    let found = reqwest_get(&format!("{experiments}/get-by-name?experiment_name=kept")).unwrap();
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["experiment"]["name"], "kept", "{found}");
    assert_eq!(reqwest_get(&artifact).unwrap(), "kept");
    engine.docker(&["rm", "-f", &container]);
    engine.docker(&["volume", "rm", "mlflow"]);
    // Nothing else was left behind.
    assert_eq!(engine.docker(&["volume", "ls", "-q"]), "");
}

fn a_model_server_obeys(engine: &Engine, image: &str, project: &TestProject) {
    let port = free_port();
    let store = format!("sqlite:///{}", project.file("mlflow.db").display());
    let _server = KillOnDrop::spawn(
        trainyard()
            .args(["server", "--port", &port.to_string(), "--backend-store-uri", &store])
            .arg("--artifacts-destination")
            .arg(project.file("mlartifacts"))
            .stdout(Stdio::null()),
    );
    wait_for_port(port, HEALTHY_LIMIT);
    let served = format!("TRAINYARD_PORT={}", free_port());
    let registry = format!("127.0.0.1:{port}");
    let words = documented(image, "serve", &["-e", &served], &[("mlflow:5000", &registry)]);
    let container = start(engine, &words);
    let label = "{{index .Config.Labels \"org.opencontainers.image.title\"}}";
    assert_eq!(engine.docker(&["inspect", "-f", label, &container]), "trainyard");
    let start = Instant::now();
    engine.docker(&["stop", "-t", "60", &container]);
    assert!(start.elapsed() < Duration::from_secs(55), "it does not obey SIGTERM");
    engine.docker(&["rm", &container]);
}

/// Gateway, instances and supervisor in one container: what serves, serves again after the container was restarted.
fn a_project_is_kept_up(engine: &Engine, image: &str) {
    let port = free_port();
    let project = TestProject::iris();
    project.edit("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    let owned = Command::new("chown").args(["-R", "65534:65534"]).arg(project.path()).status();
    assert!(owned.unwrap().success());
    let mount = format!("{}:/data", project.path().display());
    let words = documented(image, "up", &[], &[("project:/data", &mount)]);
    // Where nothing is to serve yet, nothing is wrong.
    let container = start(engine, &words);
    for verb in ["train", "promote", "deploy"] {
        engine.docker(&["exec", &container, "/trainyard", verb]);
    }
    let health = format!("http://127.0.0.1:{port}/health");
    assert!(reqwest_get(&health).unwrap().contains("IrisClassifier"));
    engine.docker(&["exec", &container, "/trainyard", "health"]);
    engine.docker(&["restart", "-t", "60", &container]);
    let start = Instant::now();
    while !reqwest_get(&health).is_ok_and(|answer| answer.contains("IrisClassifier")) {
        let is_late = start.elapsed() > HEALTHY_LIMIT;
        assert!(!is_late, "{}", engine.said(&container));
        std::thread::sleep(Duration::from_millis(100));
    }
    engine.docker(&["rm", "-f", &container]);
}
