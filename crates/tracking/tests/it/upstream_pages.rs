//! Upstream's own web pages, from the installed package, over this server in a real browser.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::routing::get as get_route;
use serde_json::Value;
use trainyard_testkit::{browser, run_python};
use trainyard_tracking::server::{ServerOptions, ui};

use crate::http::get;
use crate::served::Served;

const PAGES: &str = r#"
import pathlib, mlflow.server
print(pathlib.Path(mlflow.server.__file__).parent / "js" / "build")
"#;

const FILL: &str = r#"
import os, sys
os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
import mlflow
mlflow.set_experiment("seen in pages")
with mlflow.start_run(run_name="the-run") as run:
    mlflow.log_param("learning_rate", 0.125)
    for step in range(3):
        mlflow.log_metric("accuracy", 0.875 + step / 1000, step=step)
    mlflow.set_tag("team", "field")
    mlflow.log_text("hello", "notes/hello.txt")
with mlflow.start_span(name="the-span") as span:
    span.set_inputs({"asked": "the-question"})
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
    let pages = [
        ("experiments".to_owned(), vec!["seen in pages", "Default"]),
        (format!("experiments/{experiment}/runs"), vec!["seen in pages", "the-run"]),
        (
            format!("experiments/{experiment}/runs/{run}"),
            vec!["the-run", "accuracy", "0.877", "learning_rate", "0.125", "field", "PagesModel"],
        ),
        ("models/PagesModel".to_owned(), vec!["PagesModel", "Version 1", "Champion"]),
        // Its overview.
        (format!("experiments/{experiment}"), vec![]),
        (format!("experiments/{experiment}/traces"), vec!["the-question"]),
        (format!("experiments/{experiment}/datasets"), vec!["seen in pages"]),
    ];
    let logs = tempfile::tempdir().unwrap();
    let mut asked = Vec::new();
    for (path, expected) in pages {
        let log = logs.path().join("log.json");
        let dom = browser::dom_and_log(&format!("{}/#/{path}", server.url), SETTLED_MS, &log);
        asked.extend(answers(&log, &server.url));
        for part in expected {
            assert!(dom.contains(part), "{part} is not on {path}:\n{dom}");
        }
        assert!(!dom.contains("Something went wrong"), "{path}:\n{dom}");
        assert!(!dom.contains("Failed to load"), "{path}:\n{dom}");
    }
    for (path, status) in &asked {
        // Who is signed in: upstream answers so where nobody has to.
        let is_who = path.ends_with("/users/current") && *status == 404;
        assert!((200..400).contains(status) || is_who, "{path}: {status}");
    }
    for route in ["traces/metrics", "traces/search", "datasets/search", "assistant/config"] {
        let path = format!("/ajax-api/3.0/mlflow/{route}");
        assert!(asked.iter().any(|(asked, _)| *asked == path), "{path} is not in {asked:?}");
    }
}

/// What a browser asked of a server, by path without query, and the statuses of the answers.
fn answers(log: &Path, server: &str) -> Vec<(String, u16)> {
    let mut paths = HashMap::new();
    let mut answers = Vec::new();
    for line in std::fs::read_to_string(log).unwrap().lines() {
        let Ok(event) = serde_json::from_str::<Value>(line.trim_end_matches(',')) else { continue };
        let (source, params) = (&event["source"]["id"], &event["params"]);
        if let (Some(id), Some(url)) = (source.as_u64(), params["url"].as_str())
            && let Some(path) = url.strip_prefix(server)
        {
            paths.insert(id, path.split('?').next().unwrap_or_default().to_owned());
        }
        let status = params["headers"][0].as_str().and_then(|line| line.split(' ').nth(1));
        if let Some(status) = status.and_then(|status| status.parse().ok())
            && let Some(path) = source.as_u64().and_then(|id| paths.get(&id))
        {
            answers.push((path.clone(), status));
        }
    }
    answers
}

#[test]
fn pages_of_our_own_are_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "theirs").unwrap();
    let own = Router::new().route("/", get_route(async || "ours"));
    let pages = ui::beside(ui::pages(folder.path()).unwrap(), own, "");
    let server = Served::with_pages(ServerOptions::default(), pages);
    assert_eq!(get(&server.url, "/").text(), "theirs");
    assert_eq!(get(&server.url, "/ui").text(), "ours");
    assert_eq!(get(&server.url, "/ui/").header("location"), Some("/ui"));
}
