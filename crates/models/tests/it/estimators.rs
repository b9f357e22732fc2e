//! Hundreds of models of the real scikit-learn, XGBoost and LightGBM, against what they answer.

use std::path::PathBuf;

use trainyard_models::load;

use crate::onnx::generated;
use crate::support::{difference, inputs, json};

#[test]
fn models_answer_as_in_python() {
    let folder = generated(include_str!("../python/estimators.py"), "estimators");
    let mut models: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("MLmodel").exists())
        .collect();
    models.sort();
    let mut failures = Vec::new();
    for path in &models {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let expected = json(&path.join("expected.json"));
        let check = || {
            let model = load(path).map_err(|error| error.to_string())?;
            let input = inputs(&expected);
            let prediction = model.predictor.predict(&input).map_err(|error| error.to_string())?;
            difference(
                &prediction,
                &expected["pyfunc_predict"],
                expected["tolerance"].as_f64().unwrap(),
            )
        };
        if let Err(reason) = check() {
            failures.push(format!("{name}: {reason}"));
        }
    }
    assert!(models.len() >= 500, "only {} models were made", models.len());
    assert!(
        failures.is_empty(),
        "{} of {} models differ:\n{}",
        failures.len(),
        models.len(),
        failures.join("\n")
    );
}
