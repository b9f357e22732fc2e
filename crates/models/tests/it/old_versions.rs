//! Models of old versions of the libraries, kept as files: they must load for ever.

use crate::corpus::{Kind, outcomes, read};
use crate::support::models;

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
