//! Graphs that the real skl2onnx makes, against what the real ONNX Runtime answers.

use std::path::PathBuf;

use trainyard_models::Predictor as _;
use trainyard_models::onnx::OnnxModel;
use trainyard_testkit::{run_python, test_env};

use crate::support::{difference, inputs, json};

/// Models of the generator, made once for each version of the script.
pub(crate) fn generated(script: &str, name: &str) -> PathBuf {
    let digest = script.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let folder = test_env().join("models").join(format!("{name}-{digest:016x}"));
    if !folder.join("done").exists() {
        run_python(
            script,
            &[folder.to_str().unwrap()],
            &[("OMP_NUM_THREADS", "1"), ("PYTHONWARNINGS", "ignore")],
        );
    }
    folder
}

#[test]
fn converted_models_answer_as_in_onnx_runtime() {
    let folder = generated(include_str!("../python/onnx_models.py"), "onnx");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .collect();
    files.sort();
    let mut failures = Vec::new();
    for path in &files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let expected = json(&path.with_extension("json"));
        let check = || {
            let model = OnnxModel::parse(&std::fs::read(path).unwrap(), "model.onnx")
                .map_err(|error| format!("{error:?}"))?;
            let prediction =
                model.predict(&inputs(&expected)).map_err(|error| error.to_string())?;
            difference(&prediction, &expected["outputs"], expected["tolerance"].as_f64().unwrap())
        };
        if let Err(reason) = check() {
            failures.push(format!("{name}: {reason}"));
        }
    }
    assert!(files.len() >= 100, "only {} models were made", files.len());
    assert!(
        failures.is_empty(),
        "{} of {} models differ:\n{}",
        failures.len(),
        files.len(),
        failures.join("\n")
    );
}
