//! The recorded cases: what Evidently said about pairs of files.

use serde_json::Value;
use trainyard_drift::{ColumnDrift, Compat, DatasetDrift, Kind, Method, Options, Status, compare};

use crate::support::{Case, cases, close, number, tables};

fn kind(name: &str) -> Option<Kind> {
    match name {
        "num" => Some(Kind::Numerical),
        "cat" => Some(Kind::Categorical),
        "text" => Some(Kind::Text),
        _ => None,
    }
}

fn find<'a>(drift: &'a DatasetDrift, name: &str) -> Option<&'a ColumnDrift> {
    drift.columns.iter().find(|column| column.name == name)
}

/// Compares one column with its record; an empty list is agreement.
fn differences(column: &ColumnDrift, expected: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let wanted_kind = expected["type"].as_str().and_then(kind);
    if expected.get("skipped").is_some() || wanted_kind == Some(Kind::Text) {
        if matches!(column.status, Status::Tested(_)) {
            found.push(format!("tested, Evidently: {expected}"));
        }
        return found;
    }
    if let Some(wanted_kind) = wanted_kind
        && column.kind != wanted_kind
    {
        found.push(format!("kind {} is not {wanted_kind}", column.kind));
    }
    if expected.get("error").is_some() {
        return found;
    }
    let Some(verdict) = column.verdict() else {
        found.push(format!("not tested: {:?}", column.status));
        return found;
    };
    let method: Method = expected["method"].as_str().unwrap().parse().unwrap();
    // Unseeded or decided by rounding in Evidently; compared in their own tests.
    if matches!(method, Method::EmpiricalMmd) {
        return found;
    }
    let (score, threshold) = (number(&expected["score"]), number(&expected["threshold"]));
    if verdict.method != method || verdict.threshold != threshold {
        found.push(format!("{} {} is not {method} {threshold}", verdict.method, verdict.threshold));
    }
    let tolerance =
        if method == Method::TotalVariation { 0.03 / score.abs().max(0.01) } else { 1e-9 };
    if !close(verdict.score, score, tolerance) {
        found.push(format!("{method}: {:e} is not {score:e}", verdict.score));
    }
    if method != Method::TotalVariation && Some(verdict.drifted) != expected["drifted"].as_bool() {
        found.push(format!("{method}: drifted {} at {score}", verdict.drifted));
    }
    found
}

fn check(name: &str, case: &Case, found: &mut Vec<String>) {
    let Some(options) = case.options.build(Compat::Evidently) else {
        assert_eq!(case.report["error"]["type"], "StatTestNotFoundError", "{name}");
        return;
    };
    let (reference, current) = tables(name);
    let drift = compare(&reference, &current, &options);
    for (column, expected) in &case.columns {
        let differs = match find(&drift, column) {
            Some(column) => differences(column, expected),
            None if expected.get("skipped").is_some() => Vec::new(),
            None => vec!["no such column".to_owned()],
        };
        found
            .extend(differs.into_iter().map(|difference| format!("{name} {column}: {difference}")));
    }
    let texts = case.columns.values().any(|column| column["type"] == "text");
    if case.report["ok"] == false {
        // Without the classifier nobody can know that its vocabulary is empty; the integers beyond 2^53 fail
        // in a chart of Evidently, not in a test.
        if drift.evidently_error.is_none() && !["extreme_magnitudes"].contains(&name) {
            found.push(format!("{name}: Evidently says {}", case.report["error"]));
        }
    } else if !texts {
        let dataset = &case.report["dataset"];
        let wanted = (dataset["number_of_columns"].as_u64(), dataset["drifted_columns"].as_u64());
        if (Some(drift.tested as u64), Some(drift.drifted as u64)) != wanted {
            found.push(format!(
                "{name}: {} of {} drifted, Evidently {wanted:?}",
                drift.drifted, drift.tested
            ));
        }
        if Some(drift.dataset_drift) != dataset["dataset_drift"].as_bool() {
            found.push(format!("{name}: dataset drift {}", drift.dataset_drift));
        }
        if let Some(error) = &drift.evidently_error {
            found.push(format!("{name}: {error}, Evidently has no error"));
        }
    }
}

#[test]
fn every_case_agrees_with_evidently() {
    let cases = cases();
    assert_eq!(cases.len(), 55);
    let mut found = Vec::new();
    for (name, case) in &cases {
        check(name, case, &mut found);
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

/// What Evidently tests has the same score by default too; more columns are tested.
/// Columns at the threshold: two that are apart by chance, and two of values so small that Evidently, which divides
/// by at least 0.001, takes any distance of theirs for none.
const DECIDED_ANEW: [(&str, &str); 4] = [
    ("boundary_ref_1001", "cat"),
    ("num_large_wasserstein", "shift"),
    ("constant_large", "tiny_sd"),
    ("num_large_wasserstein", "tiny_units"),
];

#[test]
fn the_default_differs_from_evidently_only_where_it_says_so() {
    let mut found = Vec::new();
    for (name, case) in cases() {
        // SciPy's exact Cramér–von Mises rounds its table to half or single precision. Where the sides are of
        // different kinds or types, current decides in Evidently and the reference here.
        if ["methods_cvm_exact", "int_type_from_current", "dtype_mismatch_rev"]
            .contains(&name.as_str())
        {
            continue;
        }
        let Some(options) = case.options.build(Compat::Trainyard) else { continue };
        let (reference, current) = tables(&name);
        let drift = compare(&reference, &current, &options);
        for (column, expected) in &case.columns {
            if expected.get("score").is_some()
                && expected["type"] != "text"
                && let Some(drift) = find(&drift, column)
            {
                // The score of labels is Evidently's; both sides as samples decide.
                let of_samples =
                    drift.verdict().is_some_and(|verdict| verdict.method == Method::ChiSquare);
                let is_named = DECIDED_ANEW.contains(&(name.as_str(), column));
                let is_known = |text: &str| {
                    is_named && text.contains("drifted ")
                        || of_samples && text.contains("drifted false")
                };
                found.extend(
                    differences(drift, expected)
                        .into_iter()
                        .filter(|text| !is_known(text))
                        .map(|text| format!("{name} {column}: {text}")),
                );
            }
        }
        let mut tested = drift.columns.iter().filter(|column| column.verdict().is_some());
        let all_have_charts = tested.all(|column| column.distribution.is_some());
        assert!(all_have_charts, "{name}");
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

/// Every method on every column it was recorded for, whatever the column's own kind.
#[test]
fn every_method_agrees_on_every_column() {
    let mut found = Vec::new();
    let mut compared = 0;
    for (name, case) in cases() {
        if case.all_stattests.is_empty() {
            continue;
        }
        let (reference, current) = tables(&name);
        for (column, tests) in &case.all_stattests {
            for (key, expected) in tests {
                let (method, kind_name) = key.split_once(':').unwrap();
                let (Ok(method), Some(kind)) = (method.parse::<Method>(), kind(kind_name)) else {
                    panic!("{key}")
                };
                if kind == Kind::Text {
                    continue;
                }
                let options = Options {
                    columns: Some(vec![column.clone()]),
                    kinds: [(column.clone(), kind)].into(),
                    method: Some(method),
                    compat: Compat::Evidently,
                    ..Options::default()
                };
                let drift = compare(&reference, &current, &options);
                compared += 1;
                found.extend(
                    method_difference(&drift.columns[0], method, expected)
                        .map(|difference| format!("{name} {column} {key}: {difference}")),
                );
            }
        }
    }
    assert!(compared > 1500, "{compared}");
    assert!(found.is_empty(), "{} of {compared} differ:\n{}", found.len(), found.join("\n"));
}

fn method_difference(column: &ColumnDrift, method: Method, expected: &Value) -> Option<String> {
    let Some(verdict) = column.verdict() else {
        return expected
            .get("error")
            .is_none()
            .then(|| format!("{:?}, Evidently {expected}", column.status));
    };
    if let Some(error) = expected.get("error") {
        // SciPy and numpy refuse types here (booleans, a mixture of numbers and texts) that have a meaning.
        let message = error["message"].as_str().unwrap();
        let of_types = message.contains("real dtype") || message.contains("did not contain a loop");
        return (!of_types).then(|| format!("{}, Evidently {expected}", verdict.score));
    }
    let want = number(&expected["score"]);
    let current = column.current.as_ref().unwrap();
    // The covariance of a column of two values is singular, and its inverse is rounding noise.
    let singular = method == Method::EppsSingleton && current.distinct <= 2;
    // Numbers beyond 2^53 are kept exactly; Evidently rounds them first.
    let huge = current
        .numbers
        .as_ref()
        .is_some_and(|numbers| numbers.mean.abs() > 9e15 && numbers.mean.abs() < 1e19);
    if singular || huge {
        return None;
    }
    let single = column
        .current
        .as_ref()
        .is_some_and(|side| ["float32", "float16"].contains(&side.data_type.as_str()));
    let tolerance = match method {
        // Evidently adds shares in the order of a hash table, and rounding decides between equal distances.
        Method::TotalVariation => 0.06 / want.abs().max(0.01),
        // So it does between equal kernels, for columns of few values.
        Method::EmpiricalMmd => 0.05 / want.abs().max(0.01),
        // SciPy computes these in the column's own single precision.
        Method::EppsSingleton if single => 1e-3,
        Method::TTest | Method::MannWhitney if single => 1e-4,
        _ => 1e-9,
    };
    (!close(verdict.score, want, tolerance)).then(|| format!("{:e} is not {want:e}", verdict.score))
}
