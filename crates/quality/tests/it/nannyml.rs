//! Estimates before labels are NannyML's: `tests/nannyml/record.py` asked it, of seeded data sets.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use trainyard_quality::estimate::{Cbpe, Dle, Estimate};
use trainyard_quality::metrics::{Judged, Probabilities};
use trainyard_quality::multivariate::Reconstruction;

use crate::support::{features, labels, numbers, probabilities, same};

/// What sums in another order differ by.
const TOLERANCE: f64 = 1e-9;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/nannyml")
}

/// Calls `check` with each recorded case of a kind; returns how many there were.
fn for_each(kind: &str, check: impl Fn(&str, &Value)) -> usize {
    let text = std::fs::read(folder().join("cases.json")).unwrap();
    let cases: Value = serde_json::from_slice(&text).unwrap();
    let cases = cases.as_object().unwrap().iter().filter(|(_, case)| case["kind"] == kind);
    cases.inspect(|(name, case)| check(name, case)).count()
}

fn find<'a>(estimates: &'a [Estimate], metric: &str) -> &'a Estimate {
    let macro_mean = format!("{metric}_macro");
    let is_it = |found: &&Estimate| found.metric == metric || found.metric == macro_mean;
    estimates.iter().find(is_it).unwrap_or_else(|| panic!("there is no {metric}: {estimates:?}"))
}

fn check_metrics(name: &str, estimates: &[Estimate], expected: &Value) {
    for (metric, figures) in expected["metrics"].as_object().unwrap() {
        let found = find(estimates, metric);
        let what = format!("{name}: {metric}");
        same(&what, found.value, &figures["estimated"], TOLERANCE);
        if let Some(error) = figures.get("sampling_error") {
            same(&format!("{what}: sampling error"), found.sampling_error, error, TOLERANCE);
        }
    }
}

#[test]
fn estimates_of_two_classes_are_nannymls() {
    let cases = for_each("binary", |name, case| {
        let classes = ["0".to_owned(), "1".to_owned()];
        let of = |table: &Value| -> (Vec<String>, Probabilities) {
            let scores = numbers(table, "score");
            let values = scores.iter().flat_map(|score| [1.0 - score, *score]).collect();
            let epsilon = f64::EPSILON;
            let probabilities = Probabilities { classes: classes.to_vec(), values, epsilon };
            (labels(table, "predicted"), probabilities)
        };
        let (predicted, known) = of(&case["reference"]);
        let reference = Judged::Classes {
            truth: &labels(&case["reference"], "truth"),
            predicted: &predicted,
            probabilities: Some(&known),
            positive: Some("1"),
        };
        let cbpe = Cbpe::fit(&reference).unwrap().unwrap();
        assert_eq!(Value::from(cbpe.calibrated()[0]), case["expected"]["calibrated"], "{name}");
        let (predicted, known) = of(&case["analysis"]);
        let estimates = cbpe.estimate(&predicted, &known).unwrap();
        check_metrics(name, &estimates, &case["expected"]);
    });
    assert_eq!(cases, 8);
}

#[test]
fn estimates_of_more_classes_are_nannymls() {
    let cases = for_each("multiclass", |name, case| {
        let columns = case["reference"].as_object().unwrap().keys();
        let classes: Vec<String> =
            columns.filter(|name| name.starts_with("class_")).cloned().collect();
        let known = probabilities(&case["reference"], &classes);
        let reference = Judged::Classes {
            truth: &labels(&case["reference"], "truth"),
            predicted: &labels(&case["reference"], "predicted"),
            probabilities: Some(&known),
            positive: None,
        };
        let cbpe = Cbpe::fit(&reference).unwrap().unwrap();
        assert_eq!(Value::from(cbpe.calibrated()), case["expected"]["calibrated"], "{name}");
        let known = probabilities(&case["analysis"], &classes);
        let estimates = cbpe.estimate(&labels(&case["analysis"], "predicted"), &known).unwrap();
        check_metrics(name, &estimates, &case["expected"]);
    });
    assert_eq!(cases, 5);
}

/// The second model is another one there, so only the sampling errors are the same; estimates are as near to each
/// other as to what came.
#[test]
fn expected_losses_are_near_nannymls_and_their_errors_the_same() {
    let cases = for_each("loss", |name, case| {
        let of = |table: &Value| [numbers(table, "a"), numbers(table, "b")];
        let table = &case["reference"];
        let dle = Dle::fit(&of(table), &numbers(table, "truth"), &numbers(table, "predicted"));
        let table = &case["analysis"];
        let estimates = dle.unwrap().estimate(&of(table), &numbers(table, "predicted")).unwrap();
        for (metric, figures) in case["expected"]["metrics"].as_object().unwrap() {
            let found = find(&estimates, metric);
            let what = format!("{name}: {metric}");
            let error = &figures["sampling_error"];
            same(&format!("{what}: sampling error"), found.sampling_error, error, TOLERANCE);
            let (there, error) = (&figures["estimated"], error.as_f64().unwrap());
            let there = there.as_f64().unwrap();
            let near = 4.0 * error;
            assert!((found.value - there).abs() < near, "{what}: {} and {there}", found.value);
        }
    });
    assert_eq!(cases, 4);
}

#[test]
fn reconstruction_errors_are_nannymls() {
    let cases = for_each("reconstruction", |name, case| {
        // In the order of the columns there; it does not matter.
        let names: Vec<String> = case["reference"].as_object().unwrap().keys().cloned().collect();
        let reference = features(&case["reference"], &names);
        let fitted = Reconstruction::fit(&reference).unwrap().unwrap();
        let expected = &case["expected"];
        assert_eq!(Value::from(fitted.components()), expected["components"], "{name}");
        same(name, fitted.reference().value, &expected["reference"], TOLERANCE);
        let found = fitted.error(&features(&case["analysis"], &names)).unwrap();
        same(name, found.value, &expected["value"], TOLERANCE);
        same(name, found.sampling_error, &expected["sampling_error"], TOLERANCE);
        let is_broken = matches!(name, "columns_broken" | "columns_all");
        assert_eq!(found.differs_from(&fitted.reference()), is_broken, "{name}: {found:?}");
    });
    assert_eq!(cases, 6);
}

/// In the long form: the real NannyML still says what was recorded.
#[test]
fn what_was_recorded_is_what_nannyml_says() {
    if std::env::var_os("TRAINYARD_TEST_LONG").is_none() {
        return;
    }
    let python = trainyard_testkit::test_env().join("nannyml/bin/python");
    let output = Command::new(python)
        .args(["record.py", "--check", "cases.json"])
        .current_dir(folder())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
