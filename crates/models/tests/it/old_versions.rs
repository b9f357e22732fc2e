//! Models of old versions of the libraries, kept as files: they must load for ever.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::estimators::check;
use crate::support::models;

/// Reads a corpus: gzipped, a line of JSON and then the bytes of all models.
pub(crate) fn corpus(file: &str) -> (Value, Vec<u8>) {
    let path = models().join("old").join(file);
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_end(&mut bytes)
        .unwrap();
    let line = bytes.iter().position(|&byte| byte == b'\n').unwrap();
    let text = std::str::from_utf8(&bytes[..line]).unwrap().replace("NaN", "null");
    (serde_json::from_str(&text).unwrap(), bytes.split_off(line + 1))
}

fn check_all(file: &str, at_least: usize) {
    let (corpus, bytes) = corpus(file);
    let scratch = tempfile::tempdir().unwrap();
    let models = corpus["models"].as_array().unwrap();
    let failures: Vec<String> = models
        .iter()
        .filter_map(|model| {
            let name = model["name"].as_str().unwrap();
            let folder = scratch.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            let number = |key: &str| usize::try_from(model[key].as_u64().unwrap()).unwrap();
            let content = &bytes[number("start")..number("start") + number("length")];
            std::fs::write(folder.join(model["file"].as_str().unwrap()), content).unwrap();
            let mut flavors = model["flavor"].clone();
            flavors["python_function"] =
                json!({"loader_module": "mlflow", "predict_fn": model["predict_fn"]});
            let mlmodel = json!({"flavors": flavors, "mlflow_version": "2.0.0"});
            std::fs::write(folder.join("MLmodel"), mlmodel.to_string()).unwrap();
            std::fs::write(folder.join("expected.json"), model.to_string()).unwrap();
            check(&folder).err().map(|reason| format!("{name}: {reason}"))
        })
        .collect();
    assert!(models.len() >= at_least, "{file} has only {} models", models.len());
    assert!(
        failures.is_empty(),
        "{file} ({}): {} of {} models differ:\n{}",
        corpus["versions"],
        failures.len(),
        models.len(),
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
    for version in ["0.24", "0.26", "1.0", "1.1"] {
        check_all(&format!("catboost-{version}.gz"), 26);
    }
}
