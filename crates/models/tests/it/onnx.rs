//! Graphs that the real skl2onnx makes, against what the real ONNX Runtime answers.

use std::path::{Path, PathBuf};

use trainyard_models::onnx::OnnxModel;
use trainyard_models::{Error, Predictor as _};
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

/// Compares every graph of a folder with what ONNX Runtime answered.
fn compare(folder: &Path, at_least: usize) {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .collect();
    files.sort();
    let failures: Vec<String> = files
        .iter()
        .filter_map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            check(path).err().map(|reason| format!("{name}: {reason}"))
        })
        .collect();
    assert!(files.len() >= at_least, "only {} models were made", files.len());
    assert!(
        failures.is_empty(),
        "{} of {} models differ:\n{}",
        failures.len(),
        files.len(),
        failures.join("\n")
    );
}

fn check(path: &Path) -> Result<(), String> {
    let expected = json(&path.with_extension("json"));
    let model = OnnxModel::parse(&std::fs::read(path).unwrap(), "model.onnx")
        .map_err(|error| format!("{error:?}"))?;
    let prediction = model.predict(&inputs(&expected)).map_err(|error| error.to_string())?;
    difference(&prediction, &expected["outputs"], expected["tolerance"].as_f64().unwrap())
}

#[test]
fn converted_models_answer_as_in_onnx_runtime() {
    compare(&generated(include_str!("../python/onnx_models.py"), "onnx"), 100);
}

/// Graphs of one operator each; two tests ask for them at the same time.
fn operators() -> PathBuf {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    generated(include_str!("../python/onnx_operators.py"), "onnx-operators")
}

#[test]
fn classical_operators_answer_as_in_onnx_runtime() {
    compare(&operators(), 40);
}

/// The library is loaded once a process, so this test runs itself again with and without it.
#[test]
fn other_graphs_run_on_onnx_runtime_or_are_refused_with_a_hint() {
    const ROLE: &str = "TRAINYARD_TEST_ONNX_RUNTIME";
    let folder = operators().join("runtime");
    match std::env::var(ROLE).as_deref() {
        Ok("there") => return compare(&folder, 4),
        Ok(_) => {
            let bytes = std::fs::read(folder.join("convolution.onnx")).unwrap();
            let error = OnnxModel::parse(&bytes, "model.onnx").unwrap_err();
            let Error::Unsupported { what, hint } = error else { panic!("{error:?}") };
            assert!(what.contains("Conv") && hint.contains("ORT_DYLIB_PATH"), "{what} {hint}");
            return;
        }
        Err(_) => {}
    }
    let site = test_env().join("python/lib/python3.11/site-packages/onnxruntime/capi");
    let library = std::fs::read_dir(&site)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("libonnxruntime.so"))
        .unwrap();
    for (role, library) in [("there", library.as_path()), ("away", Path::new("/nowhere.so"))] {
        let test = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "onnx::other_graphs_run_on_onnx_runtime_or_are_refused_with_a_hint"])
            .env(ROLE, role)
            .env("ORT_DYLIB_PATH", library)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&test.stdout);
        assert!(test.status.success() && said.contains("1 passed"), "{role}: {said}");
    }
}
