//! Upstream's own web pages, from the installed package, over this server in a real browser.

use std::path::PathBuf;

use trainyard_testkit::{browser, run_python};
use trainyard_tracking::server::{ServerOptions, ui};

use crate::served::Served;

const PAGES: &str = r#"
import pathlib, mlflow.server
print(pathlib.Path(mlflow.server.__file__).parent / "js" / "build")
"#;

const FILL: &str = r#"
import sys, mlflow
mlflow.set_experiment("seen in pages")
with mlflow.start_run(run_name="the-run") as run:
    mlflow.log_param("learning_rate", 0.125)
    for step in range(3):
        mlflow.log_metric("accuracy", 0.875 + step / 1000, step=step)
    mlflow.set_tag("team", "field")
    mlflow.log_text("hello", "notes/hello.txt")
client = mlflow.MlflowClient()
client.create_registered_model("PagesModel")
client.create_model_version("PagesModel", "s3://bucket/x", run.info.run_id)
client.set_registered_model_alias("PagesModel", "Champion", "1")
print(run.info.experiment_id, run.info.run_id)
"#;

/// Time of their own that the pages get to fetch and draw.
const SETTLED_MS: u32 = 20_000;

#[test]
fn experiments_runs_and_models_are_shown() {
    let folder = PathBuf::from(run_python(PAGES, &[], &[]).trim());
    let pages = ui::pages(&folder).unwrap();
    let server = Served::with_pages(ServerOptions::default(), pages);
    let environment =
        [("MLFLOW_TRACKING_URI", server.url.as_str()), ("MLFLOW_DISABLE_TELEMETRY", "true")];
    let printed = run_python(FILL, &[], &environment);
    let ids: Vec<&str> = printed.lines().last().unwrap().split(' ').collect();
    let [experiment, run] = ids.as_slice() else { panic!("{printed}") };
    for (path, expected) in [
        ("experiments".to_owned(), vec!["seen in pages", "Default"]),
        (format!("experiments/{experiment}/runs"), vec!["seen in pages", "the-run"]),
        (
            format!("experiments/{experiment}/runs/{run}"),
            vec!["the-run", "accuracy", "0.877", "learning_rate", "0.125", "field", "PagesModel"],
        ),
        ("models/PagesModel".to_owned(), vec!["PagesModel", "Version 1", "Champion"]),
    ] {
        let dom = browser::dom_after(&format!("{}/#/{path}", server.url), SETTLED_MS);
        for part in expected {
            assert!(dom.contains(part), "{part} is not on {path}:\n{dom}");
        }
        assert!(!dom.contains("Something went wrong"), "{path}:\n{dom}");
    }
}
