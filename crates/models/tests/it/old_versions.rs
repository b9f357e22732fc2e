//! Models of old versions of the libraries, kept as files: they must load for ever.

use trainyard_models::load;

use crate::corpus::{Kind, outcomes, read};
use crate::support::{batch, difference, inputs, json, models};

fn check_all(file: &str, at_least: usize) {
    let scratch = tempfile::tempdir().unwrap();
    let path = models().join("old").join(file);
    let outcomes = outcomes(&path, scratch.path());
    let failures: Vec<String> = outcomes
        .iter()
        .filter(|outcome| outcome.kind != Kind::Equal)
        .map(|outcome| format!("{:?} {}: {}", outcome.kind, outcome.name, outcome.reason))
        .collect();
    assert!(outcomes.len() >= at_least, "{file} has only {} models", outcomes.len());
    assert!(
        failures.is_empty(),
        "{file} ({}): {} of {} models:\n{}",
        read(&path).0["versions"],
        failures.len(),
        outcomes.len(),
        failures.join("\n")
    );
}

/// statsmodels and category_encoders, with rows and tables of pandas 2.
#[test]
fn models_of_old_versions_of_other_packages_answer_as_they_did() {
    check_all("packages.gz", 120);
}

#[test]
fn models_of_old_versions_answer_as_they_did() {
    check_all("sklearn-1.0.gz", 130);
    for minor in 2..=8 {
        check_all(&format!("sklearn-1.{minor}.gz"), 150);
    }
    for version in ["0.90", "1.0", "1.2", "1.3", "1.5", "1.6", "2.1", "3.0", "3.4"] {
        check_all(&format!("boosters-{version}.gz"), 20);
    }
    for version in ["0.24", "0.26", "1.0", "1.1"] {
        check_all(&format!("catboost-{version}.gz"), 26);
    }
}

/// Wherever a version kept the names: in Python alone before 1.4.
#[test]
fn pickled_boosters_go_by_the_names_of_their_columns() {
    for version in ["1.0", "1.3", "3.4"] {
        let scratch = tempfile::tempdir().unwrap();
        outcomes(&models().join(format!("old/boosters-{version}.gz")), scratch.path());
        let folder = scratch.path().join("xgb_class_named-pkl");
        let model = load(&folder).unwrap().predictor;
        let expected = json(&folder.join("expected.json"));
        let turned = inputs(&expected).project(&[4, 0, 3, 1, 2]).unwrap();
        let answer = model.predict(&turned).unwrap();
        difference(&answer, &expected["pyfunc_predict"], 0.0).unwrap();
        let error = model.predict(&turned.project(&[0, 1, 2, 3]).unwrap()).unwrap_err().to_string();
        assert!(error.contains("missing: \"c\""), "{version}: {error}");
    }
}

/// XGBoost refuses a number in a named column where training had texts; it would be the place of one.
#[test]
fn a_number_is_no_category_of_text() {
    let scratch = tempfile::tempdir().unwrap();
    outcomes(&models().join("old/boosters-3.4.gz"), scratch.path());
    let model = load(&scratch.path().join("xgb_frame-ubj")).unwrap().predictor;
    let names = ["a", "b", "c", "d", "e"].map(str::to_owned);
    let ask = |category: serde_json::Value| {
        model.predict(&batch(&names, &[serde_json::json!([0.5, category, 1.5, 0.0, 2.5])]))
    };
    assert!(ask("u".into()).is_ok());
    for number in [1.into(), 1.0.into()] {
        let error = ask(number).unwrap_err().to_string();
        assert!(error.contains("training had texts"), "{error}");
    }
}
