//! Upstream's own web pages, from the installed package, over this server in a real browser.

use std::path::PathBuf;

use axum::Router;
use axum::routing::get as get_route;
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
    let count = pages.len();
    let before = get(&server.url, "/metrics").text();
    for (path, expected) in pages {
        let dom = browser::dom_after(&format!("{}/#/{path}", server.url), SETTLED_MS);
        for part in expected {
            assert!(dom.contains(part), "{part} is not on {path}:\n{dom}");
        }
        assert!(!dom.contains("Something went wrong"), "{path}:\n{dom}");
        assert!(!dom.contains("Failed to load"), "{path}:\n{dom}");
    }
    check_requests(&server, &before, count);
}

/// Whether pages got what they asked for since the metrics were `before`. Each asks who is signed in, which
/// upstream answers with a 404 where nobody has to.
fn check_requests(server: &Served, before: &str, pages: usize) {
    let metrics = get(&server.url, "/metrics").text();
    let new = metrics.lines().filter(|line| !before.lines().any(|old| old == *line));
    let lines = new.filter_map(|line| {
        line.strip_prefix("trainyard_tracking_http_requests_total{")?.split_once("} ")
    });
    for (labels, count) in lines {
        let is_good = labels.contains("status=\"2") || labels.contains("status=\"3");
        let is_who = labels.contains("route=\"other\"") && labels.contains("status=\"404\"");
        let is_expected = is_who && count.parse::<usize>().unwrap() <= pages;
        assert!(is_good || is_expected, "{labels} {count}\n{metrics}");
    }
    for route in ["traces/metrics", "traces/search", "datasets/search", "assistant/config"] {
        assert!(
            metrics.contains(&format!("/ajax-api/3.0/mlflow/{route}\"")),
            "{route}:\n{metrics}"
        );
    }
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
