//! Text, Markdown and both kinds of JSON.

use serde_json::Value;
use trainyard_drift::Status;
use trainyard_report::drift::{
    Meta, SCHEMA_VERSION, coloured_text, evidently_json, json, markdown, prometheus, text,
};
use trainyard_testkit::run_python;

use crate::samples::{drift, meta};

#[test]
fn text_has_the_verdict_and_a_line_a_column() {
    let drift = drift(3, "odd");
    let plain = text(&drift, &meta());
    assert!(plain.starts_with("◆ Warning: some columns have drifted\n"), "{plain}");
    for column in &drift.columns {
        assert!(
            plain.lines().any(|line| line.contains(&format!(" {} ", column.name))),
            "{} is not in\n{plain}",
            column.name
        );
    }
    let mut rows = plain.lines().filter(|line| line.starts_with("  ▲ drift"));
    let line = rows.find(|line| line.contains(" x0 ")).unwrap();
    assert!(line.contains("ks") && line.contains("≤ 0.05"), "{line}");
    assert!(!plain.contains('\u{1b}'));
    let coloured = coloured_text(&drift, &meta());
    assert!(coloured.contains("\u{1b}[33m▲ drift"), "{coloured}");
}

#[test]
fn text_fits_a_terminal_of_80_columns() {
    let mut drift = drift(30, &"a very long label ".repeat(9));
    for (index, column) in drift.columns.iter_mut().enumerate() {
        column.name = format!("sensor_{}_temperature_{index:03}", "of_pump_".repeat(index));
    }
    drift.columns[3].status = Status::Failed("no reason is too long ".repeat(12));
    let path = format!("s3://bucket/{}/current.parquet", "folder/".repeat(30));
    let plain = text(&drift, &Meta { current: path, ..meta() });
    for line in plain.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    // Names that begin alike are told by their ends.
    assert!(plain.contains("…") && plain.contains("_029  "), "{plain}");
    assert!(plain.contains("median 0."), "{plain}");
    assert!(plain.contains("current.parquet (500 rows)"), "{plain}");
}

#[test]
fn markdown_escapes_what_comes_from_data() {
    let text = markdown(&drift(3, "<b>|@someone"), &meta());
    assert!(text.contains("| `x0` | numerical | ▲ drift | median "), "{text}");
    assert!(!text.contains("<b>") && !text.contains("|@someone"), "{text}");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 2 + 5);
    for row in rows {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 8, "{row}");
    }
}

#[test]
fn metrics_are_read_by_prometheus_own_parser() {
    let text = prometheus(&drift(3, "o\"d\\d\n"), &meta());
    let read = run_python(
        r#"
import sys
from prometheus_client.parser import text_string_to_metric_families
families = {f.name: f for f in text_string_to_metric_families(open(sys.argv[1]).read())}
score = {s.labels["column"]: (s.labels["method"], s.value) for s in families["trainyard_drift_column_score"].samples}
rows = {s.labels["side"]: s.value for s in families["trainyard_drift_rows"].samples}
drifted = families["trainyard_drift_drifted_columns"].samples[0]
print(sorted(score), score["x0"][0], rows, drifted.labels["model"], drifted.value)
"#,
        &[&written(&text)],
        &[],
    );
    assert_eq!(
        read.trim(),
        "['count', 'label', 'x0', 'x1', 'x2'] ks {'reference': 600, 'current': 500} IrisClassifier 2"
    );
}

/// The text in a file that outlives the test's process: Python reads it.
fn written(text: &str) -> String {
    let path = std::env::temp_dir().join(format!("trainyard-metrics-{}.prom", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn json_is_valid_and_has_every_column() {
    let drift = drift(3, "new");
    let parsed: Value = serde_json::from_str(&json(&drift, &meta())).unwrap();
    assert_eq!(parsed["schema_version"], SCHEMA_VERSION);
    assert_eq!(parsed["columns"].as_array().unwrap().len(), 5);
    assert_eq!(parsed["dataset"]["tested_columns"], 5);
    assert_eq!(parsed["dataset"]["verdict"], "warning");
    assert_eq!(parsed["dataset"]["untested_columns"], 0);
    let x0 = &parsed["columns"][0];
    assert_eq!(x0["test"]["method"], "ks");
    assert_eq!(x0["test"]["score_is"], "p_value");
    assert_eq!(x0["test"]["drifted"], true);
    assert_eq!(x0["reference"]["rows"], 600);
    let bins = x0["distribution"]["bins"].as_array().unwrap();
    let total: f64 = bins.iter().map(|bin| bin["current"].as_f64().unwrap()).sum();
    assert!((total - 1.0).abs() < 1e-12);
    let label = parsed["columns"]
        .as_array()
        .unwrap()
        .iter()
        .find(|column| column["name"] == "label")
        .unwrap();
    assert_eq!(label["findings"][0]["kind"], "new_categories");
}

/// A script written for Evidently reads the result.
#[test]
fn the_evidently_shape_is_read_by_a_script_for_evidently() {
    let text = evidently_json(&drift(3, "odd"));
    let script = r#"
import json, sys
snapshot = json.loads(sys.argv[1])
count = next(m for m in snapshot["metrics"] if m["metric_name"].startswith("DriftedColumnsCount"))
print(count["metric_name"], count["value"]["count"], count["value"]["share"])
for metric in snapshot["metrics"][1:]:
    config = metric["config"]
    print(metric["metric_name"], len(metric["id"]), config["type"].split(":")[-1], isinstance(metric["value"], float))
for test in snapshot["tests"]:
    print(test["id"], test["status"], test["metric_config"]["metric_id"] in [m["id"] for m in snapshot["metrics"]])
"#;
    let printed = run_python(script, &[&text], &[]);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "DriftedColumnsCount(drift_share=0.5) 1.0 0.2");
    assert_eq!(
        lines[1],
        "ValueDrift(column=x0,method=K-S p_value,threshold=0.05) 32 ValueDrift True"
    );
    assert_eq!(lines[6], "lt SUCCESS True");
    assert_eq!(lines[7], "drift FAIL True");
}
