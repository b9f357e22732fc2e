//! The dashboard and the alert rules: Prometheus' own tool reads them, each alert comes when it should, and every
//! metric that they name is on one of our pages.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use trainyard_testkit::{KillOnDrop, free_port, promtool, wait_for_port, workspace_root};

use crate::project::trainyard;
use crate::run::reqwest_get;

/// How the names on each kind of page begin.
const SERVE: [&str; 4] =
    ["trainyard_http_", "trainyard_model_", "trainyard_prediction_", "trainyard_panics_"];
const SERVER: [&str; 2] = ["trainyard_tracking_", "trainyard_store_"];
pub(crate) const GATEWAY: [&str; 1] = ["trainyard_gateway_"];
pub(crate) const DRIFT: [&str; 1] = ["trainyard_drift_"];

fn chart(file: &str) -> PathBuf {
    workspace_root().join("charts/trainyard").join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(chart(file)).unwrap()
}

/// Everything in dashboard and rules that is called like a metric of ours.
fn metrics_named() -> BTreeSet<String> {
    [read("files/dashboard.json"), read("files/alerts.yaml")]
        .iter()
        .flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .filter(|word| word.starts_with("trainyard_") && !word.ends_with('_'))
        .map(str::to_owned)
        .collect()
}

/// What docs/metrics.md says of each metric: its kind, and what it is.
fn documented() -> BTreeMap<String, (String, String)> {
    let page = std::fs::read_to_string(workspace_root().join("docs/metrics.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `trainyard_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, _labels, what] = cells[..] else { panic!("not four cells: {row}") };
        (name.trim_matches('`').to_owned(), (kind.to_owned(), what.to_owned()))
    })
    .collect()
}

/// Every metric of a page is in docs/metrics.md, in the page's own words.
fn assert_documented(page: &str) {
    let documented = documented();
    let said = |mark: &str| -> BTreeMap<String, String> {
        let lines = page.lines().filter_map(|line| line.strip_prefix(mark)?.split_once(' '));
        lines.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
    };
    let kinds = said("# TYPE ");
    for (name, help) in said("# HELP ") {
        let row = Some((kinds[&name].clone(), help));
        assert_eq!(documented.get(&name).cloned(), row, "{name} in docs/metrics.md");
    }
}

#[test]
fn no_metric_is_documented_that_no_source_names() {
    let mut sources = String::new();
    let mut folders = ["deploy", "report", "serve", "tracking"]
        .map(|room| workspace_root().join("crates").join(room).join("src"))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    for (name, (_kind, what)) in documented() {
        assert!(sources.contains(&format!("\"{what}\"")), "{name}: {what}");
    }
}

/// The metrics of dashboard and rules that begin so are on this page, and what is on it is documented.
pub(crate) fn assert_on_page(page: &str, prefixes: &[&str]) {
    assert_documented(page);
    let types: BTreeSet<(&str, &str)> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let is_there = |name: &str| {
        types.iter().any(|(metric, kind)| match name.strip_prefix(*metric) {
            Some("") => !matches!(*kind, "histogram" | "summary"),
            Some("_sum" | "_count") => matches!(*kind, "histogram" | "summary"),
            Some("_bucket") => *kind == "histogram",
            _ => false,
        })
    };
    let named = metrics_named();
    let of_page: Vec<&String> = named
        .iter()
        .filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    assert!(!of_page.is_empty(), "{prefixes:?}");
    for name in of_page {
        assert!(is_there(name), "{name} is not on the page:\n{page}");
    }
}

#[test]
fn each_metric_of_dashboard_and_rules_is_on_a_page() {
    let known = [&SERVE[..], &SERVER, &GATEWAY, &DRIFT].concat();
    for name in metrics_named() {
        assert!(known.iter().any(|prefix| name.starts_with(prefix)), "{name} is of no page");
    }
    // Those of the gateway and of `monitor` are looked for where tests have such pages anyway.
    let folder = tempfile::tempdir().unwrap();
    let model = workspace_root().join("crates/serve/tests/models/onnx_rf").display().to_string();
    for (words, prefixes) in [
        (["serve", "--model-uri", model.as_str()], &SERVE[..]),
        (["server", "--backend-store-uri", "sqlite:///mlflow.db"], &SERVER[..]),
    ] {
        let port = free_port();
        let mut command = trainyard();
        command.current_dir(folder.path()).args(words).args(["--port", &port.to_string()]);
        let _process = KillOnDrop::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
        wait_for_port(port, Duration::from_mins(2));
        let page = reqwest_get(&format!("http://127.0.0.1:{port}/metrics")).unwrap();
        assert_on_page(&page, prefixes);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &page).unwrap();
        run_promtool(&["check", "metrics"], std::fs::File::open(file.path()).unwrap().into());
    }
}

/// Runs promtool, which must be content.
fn run_promtool(arguments: &[&str], input: Stdio) {
    let output = Command::new(promtool()).args(arguments).stdin(input).output().unwrap();
    assert!(
        output.status.success(),
        "promtool {arguments:?}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn alerts_come_when_they_should() {
    run_promtool(
        &["check", "rules", &chart("files/alerts.yaml").display().to_string()],
        Stdio::null(),
    );
    run_promtool(
        &["test", "rules", &chart("ci/alerts.test.yaml").display().to_string()],
        Stdio::null(),
    );
    // None without a test.
    let tests = read("ci/alerts.test.yaml");
    let rules = read("files/alerts.yaml");
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} has no test");
        let manual = std::fs::read_to_string(workspace_root().join("docs/operating.md")).unwrap();
        assert!(manual.contains(&format!("`{alert}`")), "{alert} is not in docs/operating.md");
    }
}

#[test]
fn the_dashboard_can_be_shown() {
    let dashboard: Value = serde_json::from_str(&read("files/dashboard.json")).unwrap();
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 38), "Grafana 10");
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    let mut queries = 0;
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: an id that is there twice");
        let place = &panel["gridPos"];
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| place[key].as_u64().unwrap());
        assert!(x + w <= 24, "{title} is wider than the page");
        for cell in (x..x + w).flat_map(|column| (y..y + h).map(move |row| (column, row))) {
            assert!(places.insert(cell), "{title} lies over another panel");
        }
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{title}");
        for target in panel["targets"].as_array().unwrap() {
            // Whoever imports it says which Prometheus.
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            let expression = target["expr"].as_str().unwrap();
            let expression = expression.replace("$__rate_interval", "5m").replace("$job", ".*");
            assert!(
                !expression.contains('$'),
                "{title}: a variable that nobody sets: {expression}"
            );
            let text = serde_json::to_string(&expression).unwrap();
            queries += 1;
            writeln!(rules, "      - record: dashboard:{queries}\n        expr: {text}").unwrap();
        }
    }
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(file.path(), rules).unwrap();
    run_promtool(&["check", "rules", &file.path().display().to_string()], Stdio::null());
}
