//! The result in the shape of Evidently 0.7's `snapshot.json()`, for scripts that read it.
//!
//! The tests (pass or fail) that Evidently adds only on request are always there. Numbers that are not
//! finite are `null`; Evidently writes a bare `NaN`, which is not JSON.

use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use trainyard_drift::{ColumnDrift, DatasetDrift, Kind, Verdict};

const COUNT_TYPE: &str = "evidently:metric_v2:DriftedColumnsCount";
const DRIFT_TYPE: &str = "evidently:metric_v2:ValueDrift";

/// The result as Evidently writes it.
pub fn evidently_json(drift: &DatasetDrift) -> String {
    let mut metrics = Vec::new();
    let mut tests = Vec::new();
    let count_config = json!({"type": COUNT_TYPE, "drift_share": drift.drift_share});
    let count_id = fingerprint(&count_config);
    metrics.push(json!({
        "id": count_id,
        "metric_name": format!("DriftedColumnsCount(drift_share={})", python_float(drift.drift_share)),
        "config": count_config,
        "value": {"count": drift.drifted as f64, "share": drift.share},
    }));
    tests.push(share_test(drift, &count_id, &count_config));
    for kind in [Kind::Numerical, Kind::Categorical, Kind::Text] {
        let columns = drift.columns.iter().filter(|column| column.kind == kind);
        for (column, verdict) in columns.filter_map(|column| Some((column, column.verdict()?))) {
            let (metric, test) = column_entries(column, verdict);
            metrics.push(metric);
            tests.push(test);
        }
    }
    serde_json::to_string_pretty(&json!({"metrics": metrics, "tests": tests})).unwrap_or_default()
}

fn share_test(drift: &DatasetDrift, metric_id: &str, config: &Value) -> Value {
    let sign = if drift.dataset_drift { ">=" } else { "<" };
    let description = format!(
        "Share of Drifted Columns: Actual value {:.3} {sign} {:.3}",
        drift.share, drift.drift_share
    );
    json!({
        "id": "lt",
        "name": format!("Share of Drifted Columns: Less {:.3}", drift.drift_share),
        "description": description,
        "metric_config": {"metric_id": metric_id, "params": config},
        "test_config": {
            "type": "evidently:test_v2:LessThanMetricTest", "is_critical": true, "alias": null,
            "label_filters": null, "threshold": drift.drift_share,
        },
        "status": status(drift.dataset_drift),
    })
}

fn column_entries(column: &ColumnDrift, verdict: &Verdict) -> (Value, Value) {
    let method =
        if verdict.chosen_by_default { verdict.method.display_name() } else { verdict.method.id() };
    let config = json!({"type": DRIFT_TYPE, "column": column.name, "method": method, "threshold": verdict.threshold});
    let id = fingerprint(&config);
    let name = format!(
        "ValueDrift(column={},method={method},threshold={})",
        column.name,
        python_float(verdict.threshold)
    );
    let metric = json!({"id": id, "metric_name": name, "config": config, "value": verdict.score});
    let description = format!(
        "Drift score is {:.2}. The drift detection method is {method}. The drift threshold is {:.2}.",
        verdict.score, verdict.threshold
    );
    let test = json!({
        "id": "drift",
        "name": format!("Value Drift for column {}", column.name),
        "description": description,
        "metric_config": {"metric_id": id, "params": config},
        "test_config": {},
        "status": status(verdict.drifted),
    });
    (metric, test)
}

fn status(failed: bool) -> &'static str {
    if failed { "FAIL" } else { "SUCCESS" }
}

/// A stable id of a metric's configuration, 32 hexadecimal digits.
fn fingerprint(config: &Value) -> String {
    let digest: [u8; 16] = Md5::digest(config.to_string().as_bytes()).into();
    format!("{:032x}", u128::from_be_bytes(digest))
}

/// A float as Python prints it: `0.5`, `1.0`.
fn python_float(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e16 {
        format!("{value:.1}")
    } else {
        value.to_string()
    }
}
