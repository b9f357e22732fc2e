//! What `[serve]` says is what instances are told, and all that they are told: with a token of their own, an
//! environment of their own, models beside the project's, and without the registry.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use trainyard_testkit::{KillOnDrop, free_port, wait_for_port};

use crate::project::{TestProject, stdout_of, trainyard};
use crate::run::{post_json, reqwest_get, runtime};

const TOKEN: &str = "0pen-sesame";

/// Asks for a prediction: the status, and what was answered.
fn predict(url: &str, token: Option<&str>) -> (u16, Value) {
    let body = json!([{
        "sepal length (cm)": 5.1, "sepal width (cm)": 3.5,
        "petal length (cm)": 1.4, "petal width (cm)": 0.2,
    }]);
    runtime().block_on(async {
        let request = reqwest::Client::new().post(url).json(&body);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    })
}

fn told(project: &TestProject, arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout_of(&project.run(arguments), 0)).unwrap()
}

/// The environment of the instance that serves, and that of the gateway before it.
fn environments(project: &TestProject) -> [Vec<String>; 2] {
    let status = told(project, &["deploy", "status", "--json"]);
    let gateway = status["gateway"]["pid"].to_string();
    [status["instances"][0]["handle"].as_str().unwrap(), &gateway].map(environment)
}

fn environment(pid: &str) -> Vec<String> {
    let text = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let variables = text.split(|byte| *byte == 0).filter(|one| !one.is_empty());
    variables.map(|one| String::from_utf8_lossy(one).into_owned()).collect()
}

/// A tracking server in this folder.
fn registry(folder: &std::path::Path, port: u16) -> KillOnDrop {
    let mut command = trainyard();
    command
        .current_dir(folder)
        .args(["server", "--port", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let registry = KillOnDrop::spawn(&mut command);
    wait_for_port(port, Duration::from_mins(1));
    registry
}

/// A project that tracks there and says much of its instances.
fn project(port: u16) -> TestProject {
    let mut project = TestProject::iris();
    project.accept_every_version();
    project.edit(
        "[monitor]\n",
        "[serve]\n\
         token_env = \"API_TOKEN\"\n\
         lenient = true\n\
         log = { keep = \"30d\", max_size = \"1GiB\" }\n\
         models = { again = \"models:/IrisClassifier/1\" }\n\
         env = { MODE = \"fast\", KEY = { from = \"KEY_OF_DEPLOYER\" } }\n\
         extra_args = [\"--max-requests\", \"99\"]\n\n\
         [monitor]\n",
    );
    for (name, value) in [
        ("MLFLOW_TRACKING_URI", format!("http://127.0.0.1:{port}").as_str()),
        ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0"),
        ("API_TOKEN", TOKEN),
        ("KEY_OF_DEPLOYER", "k3y"),
        // The deployer's own, with which no instance would start or answer.
        ("TRAINYARD_TOKEN_FILE", "/no/such/token"),
        ("TRAINYARD_TLS_CERT", "/no/such/certificate"),
        ("TRAINYARD_TLS_KEY", "/no/such/key"),
        ("TRAINYARD_PORT", "1"),
        ("MODEL_STAGE", "Nowhere"),
    ] {
        project.env.push((name.to_owned(), value.to_owned()));
    }
    project
}

#[test]
fn instances_are_told_what_the_project_says_and_outlive_the_registry() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut registry = registry(folder.path(), port);
    let project = project(port);
    for verb in ["train", "promote"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    let deployed = told(&project, &["deploy", "--json"]);
    let url = deployed["url"].as_str().unwrap();
    let predicted = |path: &str, token| predict(&format!("{url}{path}"), token).0;
    assert_eq!(predicted("/predict", None), 401);
    assert_eq!(predicted("/predict", Some("wrong")), 401);
    assert_eq!(predicted("/predict", Some(TOKEN)), 200);
    assert_eq!(predicted("/models/again/predict", Some(TOKEN)), 200);
    assert_eq!(predicted("/models/IrisClassifier/predict", Some(TOKEN)), 200);

    let [seen, gateway] = environments(&project);
    for given in [
        "MODE=fast".to_owned(),
        "KEY=k3y".to_owned(),
        format!("TRAINYARD_TOKEN={TOKEN}"),
        format!("MLFLOW_TRACKING_URI=http://127.0.0.1:{port}"),
    ] {
        assert!(seen.contains(&given), "{given} is not in {seen:?}");
    }
    for kept in ["API_TOKEN", "KEY_OF_DEPLOYER", "TRAINYARD_TOKEN_FILE", "TRAINYARD_TLS_CERT"] {
        assert!(!seen.iter().any(|one| one.starts_with(&format!("{kept}="))), "{kept}: {seen:?}");
    }
    // The gateway has nothing of anybody's.
    assert!(gateway.iter().any(|one| one.starts_with("PATH=")), "{gateway:?}");
    for (name, value) in &project.env {
        let is_it = |one: &String| one.starts_with(&format!("{name}="));
        assert!(!gateway.iter().any(is_it), "{name}={value}: {gateway:?}");
    }
    let spec = project.file(".trainyard/deploy/mirisclassifier/instances/r1/spec.json");
    assert_eq!(std::fs::metadata(&spec).unwrap().permissions().mode() & 0o777, 0o600);

    // A second version: the answers of both are compared, requests are sent, the log is asked for; all with the
    // token.
    // Its host has had another name since: it is known again by what it serves.
    let tag = json!({
        "name": "IrisClassifier", "key": "trainyard.deployment", "value": "renamed:/data/.trainyard",
    });
    let registry_url = format!("http://127.0.0.1:{port}/api/2.0/mlflow/registered-models");
    post_json(&format!("{registry_url}/set-tag"), &tag).unwrap();
    project.add_training_row("5.0,3.4,1.5,0.2,setosa");
    let summary = told(&project, &["run", "--json"]);
    assert_eq!(summary["model"]["version"], "2");
    assert!(summary["behaviour"]["requests"].as_u64().unwrap() > 0, "{summary}");
    assert_eq!(summary["behaviour"]["errors"]["after"], 0, "{summary}");
    assert_eq!(summary["requests"]["sent"], summary["drift"]["rows"]);

    // Another folder with the same model does not take it away by the way.
    let mut other = TestProject::iris();
    other.accept_every_version();
    other.env.extend(project.env.iter().take(2).cloned());
    for verb in [&["run"][..], &["deploy", "--version", "1"]] {
        let refused = other.run(verb);
        let error = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{error}");
        let place = project.path().canonicalize().unwrap().display().to_string();
        assert!(error.contains(&place) && error.contains("--take-production"), "{error}");
    }
    let health = || -> Value {
        serde_json::from_str(&reqwest_get(&format!("{url}/health")).unwrap()).unwrap()
    };
    assert_eq!(health()["version"], "2");
    stdout_of(&other.run(&["deploy", "--version", "1", "--take-production"]), 0);

    // Without the registry what served before serves again, as it served then.
    registry.kill();
    assert_eq!(told(&project, &["deploy", "rollback", "--json"])["version"], "1");
    let copy = health();
    assert_eq!(copy["version"], "1");
    assert!(copy["from_copy_of"].is_string(), "{copy}");
    assert_eq!(predicted("/predict", None), 401);
    assert_eq!(predicted("/models/again/predict", Some(TOKEN)), 200);
    assert!(environments(&project)[0].contains(&"KEY=k3y".to_owned()));
}

/// A model of code that nothing but Python runs.
const PROGRAM: &str = r#"
import os, mlflow, pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

class Wrapped(mlflow.pyfunc.PythonModel):
    def __init__(self, model):
        self.model = model

    def predict(self, context, model_input, params=None):
        assert os.environ["MODE"] == "fast"
        return self.model.predict(model_input)

data = pd.read_csv(os.environ["TRAINYARD_TRAIN_DATA"])
X, y = data.drop(columns="species"), data["species"]
with mlflow.start_run():
    model = LogisticRegression(max_iter=1000).fit(X, y)
    os.environ["MODE"] = "fast"
    mlflow.pyfunc.log_model(
        name="model", python_model=Wrapped(model), pip_requirements=["mlflow"],
        signature=infer_signature(X, model.predict(X)), input_example=X.head(3),
        registered_model_name="IrisClassifier",
    )
"#;

#[test]
fn a_model_that_only_python_runs_is_judged_and_served_by_workers() {
    let project = TestProject::iris();
    std::fs::create_dir(project.file("src")).unwrap();
    std::fs::write(project.file("src/train.py"), PROGRAM).unwrap();
    let python = trainyard_testkit::python();
    project.edit(
        "algorithm = \"random_forest\"",
        &format!("command = \"{} src/train.py\" #", python.display()),
    );
    project.edit("log_loss = { max = 0.5 }\n", "");
    // Importing MLflow takes its time, more so while other tests run.
    project.edit("deadline = \"30s\"", "deadline = \"10m\"");
    project.edit("[monitor]\n", "[serve]\nenv = { MODE = \"fast\" }\n\n[monitor]\n");
    stdout_of(&project.run(&["train"]), 0);
    let refused = project.run(&["promote"]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{error}");
    assert!(error.contains("`python_workers = 1` under [serve]"), "{error}");

    let workers = format!("[serve]\npython_workers = 1\npython = {python:?}\n");
    project.edit("[serve]\n", &workers);
    let promoted = told(&project, &["promote", "--json"]);
    assert!(promoted["gate"]["checks"][0]["value"].as_f64().unwrap() > 0.9, "{promoted}");
    let deployed = told(&project, &["deploy", "--json"]);
    let url = format!("{}/predict", deployed["url"].as_str().unwrap());
    let (status, answer) = predict(&url, None);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["predictions"][0], "setosa", "{answer}");
}
