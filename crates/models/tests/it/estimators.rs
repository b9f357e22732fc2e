//! Models of the real scikit-learn, XGBoost, LightGBM and CatBoost, against what they answer.

use std::path::{Path, PathBuf};

use trainyard_models::{Error, Format, load, load_bytes};

use crate::onnx::generated;
use crate::support::{check, inputs, json};

/// The model folders that a generator makes.
pub(crate) fn made(script: &str, name: &str) -> Vec<PathBuf> {
    let script = [include_str!("../python/common.py"), script].concat();
    let folder = generated(&script, name);
    let mut models: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("MLmodel").exists())
        .collect();
    models.sort();
    models
}

/// Makes the models of a generator and compares each with what Python answered.
fn compare(script: &str, name: &str, at_least: usize) {
    let models = made(script, name);
    let failures: Vec<String> = models
        .iter()
        .filter_map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            check(path).err().map(|reason| format!("{name}: {reason}"))
        })
        .collect();
    assert!(models.len() >= at_least, "only {} models were made", models.len());
    assert!(
        failures.is_empty(),
        "{} of {} models differ:\n{}",
        failures.len(),
        models.len(),
        failures.join("\n")
    );
}

#[test]
fn estimators_answer_as_in_python() {
    compare(include_str!("../python/estimators.py"), "estimators", 450);
}

#[test]
fn boosters_of_every_kind_answer_as_in_python() {
    compare(include_str!("../python/boosters.py"), "boosters", 120);
}

#[test]
fn catboost_of_every_kind_answers_as_in_python() {
    compare(include_str!("../python/catboost_models.py"), "catboost", 220);
}

/// Whether a model answers as in Python; `false` if it is refused by name, itself or for rows that tie.
fn answers(path: &Path) -> Result<bool, String> {
    match load(path) {
        Err(Error::Unsupported { .. } | Error::Unservable { .. }) => return Ok(false),
        Err(error) => return Err(error.to_string()),
        Ok(_) => {}
    }
    match check(path) {
        Ok(()) => Ok(true),
        Err(reason) if reason.contains("equally near") => Ok(false),
        Err(reason) => Err(format!("{reason} ({})", json(&path.join("expected.json"))["what"])),
    }
}

/// Parameters by data where they matter: nothing is approximated.
#[test]
fn parameters_answer_as_in_python_or_are_refused() {
    let models = made(include_str!("../python/sweep.py"), "sweep");
    let mut answered = 0;
    let failures: Vec<String> = models
        .iter()
        .filter_map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match answers(path) {
                Ok(true) => answered += 1,
                Ok(false) => {}
                Err(reason) => return Some(format!("{name}: {reason}")),
            }
            None
        })
        .collect();
    assert!(answered >= 700, "only {answered} of {} models answered", models.len());
    assert!(failures.is_empty(), "{} models differ:\n{}", failures.len(), failures.join("\n"));
}

/// Rows of 32 bits stay so in NumPy, step by step, and each step rounds.
#[test]
fn rows_of_32_bits_answer_as_in_python() {
    compare(include_str!("../python/singles.py"), "singles", 40);
}

#[test]
fn transformers_answer_as_in_python() {
    compare(include_str!("../python/preparation.py"), "preparation", 300);
}

#[test]
fn all_kinds_of_data_and_classes_answer_as_in_python() {
    compare(include_str!("../python/kinds.py"), "kinds", 400);
}

#[test]
fn rarer_kinds_and_files_of_joblib_answer_as_in_python() {
    let script = include_str!("../python/more_kinds.py");
    compare(script, "more_kinds", 300);
    // What joblib writes has no end mark behind an array: each cut of a file is one of the pickle's.
    for path in made(script, "more_kinds") {
        if !path.ends_with("file_text-joblib") && !path.ends_with("file_text-joblib-zlib") {
            continue;
        }
        let bytes = std::fs::read(path.join("model.joblib")).unwrap();
        for end in 0..bytes.len() {
            let cut = load_bytes(&bytes[..end], Format::Estimator);
            assert!(cut.is_err(), "{}: cut at byte {end}", path.display());
        }
    }
}

/// A number where there is none to take is no answer: each step looks at what it is given, as in Python.
#[test]
fn rows_that_python_refuses_are_refused() {
    let models = made(include_str!("../python/refused.py"), "refused");
    let mut answered = Vec::new();
    for path in &models {
        let model = load(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let input = inputs(&json(&path.join("expected.json")));
        for row in 0..input.num_rows() {
            if model.predictor.predict(&input.slice(row, 1)).is_ok() {
                answered.push(format!("{}, row {row}", path.display()));
            }
        }
    }
    assert!(models.len() >= 45, "only {} models were made", models.len());
    assert!(answered.is_empty(), "answered:\n{}", answered.join("\n"));
}

/// All of scikit-learn, as it is installed: an answer is Python's, and what is not answered is refused when it is
/// loaded, by name. A drawn part of it in the short form.
#[test]
fn every_estimator_answers_or_is_refused_at_load() {
    let is_long = std::env::var_os("TRAINYARD_TEST_LONG").is_some();
    let (sample, at_least) = if is_long { (0, 380) } else { (24, 12) };
    let script = format!("SAMPLE = {sample}\n{}", include_str!("../python/every.py"));
    let models = made(&script, "every");
    let (mut answered, mut failures) = (0, Vec::new());
    for path in &models {
        match load(path) {
            Err(Error::Unsupported { .. } | Error::Unservable { .. }) => {}
            Err(error) => failures.push(format!("{}: {error}", path.display())),
            Ok(_) => match check(path) {
                Ok(()) => answered += 1,
                Err(reason) => failures.push(format!("{}: {reason}", path.display())),
            },
        }
    }
    assert!(failures.is_empty(), "{} models differ:\n{}", failures.len(), failures.join("\n"));
    assert!(answered >= at_least, "only {answered} of {} models answered", models.len());
}
