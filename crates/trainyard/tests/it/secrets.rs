//! No verb shows a password or key that it was given, whatever goes wrong: not in help, errors, logs, health.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use trainyard_testkit::{KillOnDrop, free_port};

use crate::project::{TestProject, trainyard};

/// What must be nowhere.
const SECRET: &str = "pl4nted";

/// Ways to write it into a URI.
const URIS: [&str; 8] = [
    "s3://key:pl4nted@bucket/x",
    "ftp://me:pl4nted@127.0.0.1/x",
    "https://me:pl4nted@127.0.0.1:9/x",
    "https://pl4nted@127.0.0.1:9",
    "http://127.0.0.1:9/x?token=pl4nted",
    "postgresql://me:pl4nted@127.0.0.1:9/db",
    "postgresql://127.0.0.1:9/db?user=me&password=pl4nted",
    "mysql://me:pl4nted@127.0.0.1:9/db",
];

/// Variables that may hold it, of ours, of MLflow and of clouds.
const VARIABLES: [&str; 14] = [
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_BACKEND_STORE_URI",
    "MLFLOW_REGISTRY_STORE_URI",
    "MLFLOW_DEFAULT_ARTIFACT_ROOT",
    "MLFLOW_ARTIFACTS_DESTINATION",
    "MLFLOW_GUNICORN_OPTS",
    "AWS_SECRET_ACCESS_KEY",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "TRAINYARD_PREDICTION_LOG",
    "TRAINYARD_TOKEN_FILE",
    "TRAINYARD_PROBE_ID",
    "MODEL_NAME",
];

/// The program in a folder, with a give-up: some of what it is asked would run for ever if it worked.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.arg("90").arg(trainyard().get_program()).args(arguments);
    prepare(&mut command, folder);
    command
}

fn prepare(command: &mut Command, folder: &Path) {
    command
        .current_dir(folder)
        .env_remove("MLFLOW_TRACKING_URI")
        .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .stdin(Stdio::null());
}

/// Runs it, and checks that it fails unless it is asked for help, and keeps the secret.
fn keeps_it(command: &mut Command, what: &str) {
    let output = command.output().unwrap();
    for (stream, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains(SECRET), "{what}: {stream}:\n{text}");
        assert!(!text.contains("panicked"), "{what}: {stream}:\n{text}");
    }
    assert_ne!(output.status.code(), Some(124), "{what} did not end");
    let is_help = what.ends_with("-h") || what.ends_with("--help");
    assert_eq!(output.status.success(), is_help, "{what}: {output:?}");
}

#[test]
fn help_names_variables_and_does_not_show_them() {
    let folder = tempfile::tempdir().unwrap();
    let verbs = [
        &[][..],
        &["init"],
        &["run"],
        &["train"],
        &["promote"],
        &["deploy"],
        &["deploy", "status"],
        &["deploy", "rollback"],
        &["deploy", "history"],
        &["deploy", "logs"],
        &["deploy", "pause"],
        &["deploy", "maintenance"],
        &["deploy", "metrics"],
        &["deploy", "reload"],
        &["token", "new"],
        &["deploy", "stop"],
        &["monitor"],
        &["retrain"],
        &["profile"],
        &["serve"],
        &["server"],
        &["server", "hash-password"],
        &["health"],
        &["gateway"],
    ];
    for verb in verbs {
        for help in ["-h", "--help"] {
            let arguments: Vec<&str> = verb.iter().copied().chain([help]).collect();
            let mut command = command(folder.path(), &arguments);
            command.envs(VARIABLES.map(|name| (name, "s3://key:pl4nted@bucket/x")));
            keeps_it(&mut command, &arguments.join(" "));
        }
    }
}

#[test]
fn failures_do_not_repeat_what_they_were_given() {
    let project = TestProject::iris();
    let folder = project.path();
    let fails =
        |arguments: &[&str]| keeps_it(&mut command(folder, arguments), &arguments.join(" "));
    for uri in URIS {
        let is_remote =
            uri.starts_with("s3:") || uri.starts_with("ftp:") || uri.starts_with("mysql:");
        fails(&["monitor", "-vv", "--reference", uri, "--current", "data/train.csv"]);
        fails(&["monitor", "--reference", "data/train.csv", "--current", uri]);
        fails(&["profile", "-vv", uri]);
        fails(&["run", "-vv", "--tracking-uri", uri]);
        fails(&["deploy", "rollback", "--tracking-uri", uri]);
        fails(&["health", "--url", uri]);
        fails(&["serve", "-vv", "--port", "0", "--model-name", "X", "--tracking-uri", uri]);
        fails(&["init", "new", "--install-from", &uri.replace("://", "://a:pl4nted@")]);
        fails(&["serve", "--model-url", uri]);
        fails(&["serve", "--poll", uri]);
        fails(&["server", "--port", uri]);
        fails(&["server", "--auth-file", uri, "--port", "0"]);
        if !uri.starts_with("s3:") {
            fails(&["serve", "-vv", "--model-uri", "x", "--prediction-log", uri]);
        }
        if is_remote || uri.starts_with("postgresql:") {
            let server = ["server", "-vv", "--port", "0", "--wait-for-database", "0s"];
            fails(&[&server[..], &["--backend-store-uri", uri]].concat());
            fails(&[&server[..], &["--registry-store-uri", uri]].concat());
        }
    }
}

#[test]
fn a_project_file_with_a_mistake_is_not_shown() {
    for (from, to) in [
        ("experiment = ", "uri = \"postgresql://me:pl4nted@127.0.0.1:9/db\"\nexperiment = "),
        ("experiment = ", "password = \"pl4nted\"\nexperiment = "),
        ("experiment = ", "uri = \"https://me:pl4nted@h\nexperiment = "),
        ("experiment = ", "uri = [\"pl4nted\"]\nexperiment = "),
        ("seed = 42", "seed = \"pl4nted\""),
        ("data = \"data/train.csv\"", "data = \"s3://key:pl4nted@bucket/x.csv\""),
        ("data = \"data/train.csv\"", "data = \"ftp://key:pl4nted@bucket/x.csv\""),
    ] {
        let project = TestProject::iris();
        project.edit(from, to);
        keeps_it(&mut command(project.path(), &["train", "-vv"]), to);
        std::fs::write(project.file("m.toml"), "[monitor]\npassword = \"pl4nted\"\n").unwrap();
        let arguments = ["monitor", "--config", "m.toml", "--reference", "a", "--current", "b"];
        keeps_it(&mut command(project.path(), &arguments), "m.toml");
    }
}

/// What the server says of itself to everybody.
fn health(port: u16) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return String::new() };
    let request = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = Vec::new();
    let _reset = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn health_and_log_of_a_server_without_a_model_keep_it_too() {
    for model in
        ["s3://key:pl4nted@bucket/x", "ftp://me:pl4nted@h/x", "https://me:pl4nted@h/x?k=pl4nted"]
    {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let log = folder.path().join("log");
        let mut command = trainyard();
        prepare(&mut command, folder.path());
        command.args(["serve", "-vv", "--wait", "--port", &port.to_string(), "--model-uri", model]);
        command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
        let server = KillOnDrop::spawn(&mut command);
        let started = Instant::now();
        let said = loop {
            let said = health(port);
            if said.contains("last_error") {
                break said;
            }
            assert!(started.elapsed() < Duration::from_secs(80), "{said}");
            std::thread::sleep(Duration::from_millis(50));
        };
        drop(server);
        let log = std::fs::read_to_string(&log).unwrap();
        assert!(log.contains("not swapped") || log.contains("cannot be asked"), "{log}");
        assert!(!said.contains(SECRET) && !log.contains(SECRET), "{said}\n{log}");
    }
}
