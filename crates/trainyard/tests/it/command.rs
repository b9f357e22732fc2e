//! `train.command`: a Python program that speaks MLflow goes through the same gate and is served.

use serde_json::Value;

use crate::project::{TestProject, stdout_of};

/// It says of itself what it likes, and is given no row that it is judged by.
const PROGRAM: &str = r#"
import os, mlflow, pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

data = pd.read_csv(os.environ["TRAINYARD_TRAIN_DATA"])
assert 60 < len(data) < len(pd.read_csv("data/train.csv")) - 20, len(data)
X, y = data.drop(columns="species"), data["species"]
with mlflow.start_run():
    model = LogisticRegression(max_iter=1000).fit(X, y)
    mlflow.log_param("max_iter", 1000)
    mlflow.log_metric("accuracy", 0.125)
    mlflow.sklearn.log_model(
        model, name="model", signature=infer_signature(X, model.predict(X)),
        input_example=X.head(3), registered_model_name="IrisClassifier",
    )
print("trained by hand")
"#;

/// The example, trained by the program above.
fn project() -> TestProject {
    let project = TestProject::iris();
    std::fs::create_dir(project.file("src")).unwrap();
    std::fs::write(project.file("src/train.py"), PROGRAM).unwrap();
    let python = trainyard_testkit::python();
    project.edit(
        "algorithm = \"random_forest\"",
        &format!("command = \"{} src/train.py\" #", python.display()),
    );
    project.edit("log_loss = { max = 0.5 }\n", "");
    project
}

#[test]
fn a_python_program_is_gated_deployed_and_asked() {
    let project = project();
    project.edit("[monitor]\n", "[monitor]\nreference = \"data/train.csv\"\n");
    let summary: Value =
        serde_json::from_str(&stdout_of(&project.run(&["run", "--json"]), 0)).unwrap();
    assert_eq!(summary["model"]["version"], "1");
    assert_eq!(summary["metrics"]["accuracy"], 0.125);
    assert!(summary["gate"]["checks"][0]["value"].as_f64().unwrap() > 0.9, "{summary}");
    assert_eq!(summary["requests"]["sent"], summary["drift"]["rows"]);
}

#[test]
fn a_program_that_fails_registers_nothing_and_shows_its_output() {
    let project = project();
    std::fs::write(project.file("src/train.py"), "raise SystemExit('no luck today')").unwrap();
    let output = project.run(&["train"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("src/train.py") && error.contains("no luck today"), "{error}");
    assert_eq!(project.run(&["promote"]).status.code(), Some(2));
}
