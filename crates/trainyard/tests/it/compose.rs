//! `examples/compose`: what is ours in it, as containers, beside a real PostgreSQL and an S3 server. Compose itself is not
//! there; what it would tell the engine is read from its file.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use trainyard_testkit::docker::Engine;
use trainyard_testkit::postgres::PostgresServer;
use trainyard_testkit::s3::S3;
use trainyard_testkit::{free_port, run_python, workspace_root};

use crate::image::start;
use crate::project::{TestProject, stdout_of};

/// The file as JSON, with variables put in.
const READ: &str = r#"
import json, re, sys, yaml
variables = json.loads(sys.argv[2])
put_in = lambda match: variables.get(match[1]) or match[2]
print(json.dumps(yaml.safe_load(re.sub(r"\$\{(\w+):-([^}]*)\}", put_in, open(sys.argv[1]).read()))))
"#;

/// Puts the label on the version.
const LABEL: &str = "
import mlflow
mlflow.MlflowClient().set_registered_model_alias('IrisClassifier', 'Production', '1')
";

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The words of `docker run` for this service; secrets are in `folder`.
fn words(file: &Value, service: &str, folder: &Path, image: &str, port: &str) -> Vec<String> {
    let service = &file["services"][service];
    let mut words: Vec<String> =
        ["run", "-d", "--network", "host", "-e", port].map(str::to_owned).to_vec();
    let mut add = |flag: &str, value: &str| words.extend([flag.to_owned(), value.to_owned()]);
    for (key, flag) in [
        ("tmpfs", "--tmpfs"),
        ("cap_drop", "--cap-drop"),
        ("security_opt", "--security-opt"),
        ("volumes", "-v"),
    ] {
        for value in texts(&service[key]) {
            add(flag, value);
        }
    }
    add("--memory", service["mem_limit"].as_str().unwrap());
    for (name, value) in service["environment"].as_object().unwrap() {
        add("-e", &format!("{name}={}", value.as_str().unwrap()));
    }
    for secret in service["secrets"].as_array().unwrap() {
        let name = secret.as_str().or_else(|| secret["source"].as_str()).unwrap();
        let usual = format!("/run/secrets/{name}");
        let target = secret["target"].as_str().unwrap_or(&usual);
        let source = file["secrets"][name]["file"].as_str().unwrap();
        add("-v", &format!("{}:{target}:ro", folder.join(source).display()));
    }
    assert_eq!(service["read_only"], true);
    words.extend(["--read-only".to_owned(), image.to_owned()]);
    words.extend(texts(&service["command"]).map(str::to_owned));
    words
}

pub(crate) fn works_with_postgres_and_s3(engine: &Engine, image: &str) {
    let example = workspace_root().join("examples/compose");
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(example.join("secrets.sh"), folder.path().join("secrets.sh")).unwrap();
    let made = Command::new("sh")
        .arg(folder.path().join("secrets.sh"))
        .env("TRAINYARD", env!("CARGO_BIN_EXE_trainyard"))
        .status();
    assert!(made.unwrap().success());
    let secret = |name: &str| folder.path().join("secrets").join(name);
    let (postgres, s3) = (PostgresServer::start(), S3::start("artifacts"));
    std::fs::write(secret("database_uri"), postgres.database("compose")).unwrap();

    let variables = json!({"ARTIFACTS": "s3://artifacts/ml", "S3_ENDPOINT": s3.url}).to_string();
    let path = example.join("compose.yaml").display().to_string();
    let file: Value = serde_json::from_str(&run_python(READ, &[&path, &variables], &[])).unwrap();
    for (name, service) in file["services"].as_object().unwrap() {
        for variable in service["environment"].as_object().unwrap().keys() {
            let is_secret = ["PASSWORD", "TOKEN", "SECRET_ACCESS_KEY", "STORE_URI"]
                .iter()
                .any(|word| variable.contains(word) && !variable.ends_with("_FILE"));
            assert!(!is_secret, "{name}: {variable} is a secret in the environment");
        }
    }

    let port = free_port();
    let own = format!("127.0.0.1:{port}");
    let run = |service: &str, port: &str| {
        let words = words(&file, service, folder.path(), image, port);
        let words: Vec<String> =
            words.iter().map(|word| word.replace("server:5000", &own)).collect();
        start(engine, &words)
    };
    let server = run("server", &format!("MLFLOW_PORT={port}"));
    let registry = std::fs::read_to_string(secret("registry")).unwrap();
    let password = registry.trim().rsplit(' ').next().unwrap().to_owned();
    let mut project = TestProject::iris();
    let url = format!("http://{own}");
    let client = [
        ("MLFLOW_TRACKING_URI", url.as_str()),
        ("MLFLOW_TRACKING_USERNAME", "model"),
        ("MLFLOW_TRACKING_PASSWORD", password.as_str()),
    ];
    project.env.extend(client.map(|(name, value)| (name.to_owned(), value.to_owned())));
    stdout_of(&project.run(&["train"]), 0);
    run_python(LABEL, &[], &client);

    let model = run("model", &format!("TRAINYARD_PORT={}", free_port()));
    // No password is where everybody who may ask the engine sees it.
    let seen = engine.docker(&["inspect", &server, &model]) + &engine.said(&server);
    let database = std::fs::read_to_string(secret("database_password")).unwrap();
    assert!(!seen.contains(&password) && !seen.contains(&database));
    for container in [&model, &server] {
        engine.docker(&["rm", "-f", container]);
    }
    engine.docker(&["volume", "rm", "artifacts", "model"]);
}
