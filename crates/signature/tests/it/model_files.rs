//! `MLmodel` files of real MLflow, read and written back.

use std::path::{Path, PathBuf};

use trainyard_signature::Error;
use trainyard_signature::model::{DataType, InputExample, MlModel, ParamSpec, Schema};

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

fn read(name: &str) -> MlModel {
    MlModel::read(models().join(name)).unwrap()
}

/// Every sample folder, by name.
fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(models())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() >= 15, "{names:?}");
    names
}

#[test]
fn every_sample_is_read_and_keeps_its_content_when_python_reads_it_back() {
    let folder = tempfile::tempdir().unwrap();
    for name in names() {
        let target = folder.path().join(&name);
        std::fs::create_dir(&target).unwrap();
        let model = read(&name);
        model.write(&target).unwrap();
        assert_eq!(MlModel::read(&target).unwrap(), model, "{name}");
    }
    // PyYAML sees the same content in both files, and MLflow the same model.
    let script = "
import os, sys, yaml
from mlflow.models import Model
theirs, ours = sys.argv[1:]
for name in sorted(os.listdir(ours)):
    a, b = (yaml.safe_load(open(os.path.join(d, name, 'MLmodel'))) for d in (theirs, ours))
    # Upstream leaves these two out when there is no signature; nothing else may differ.
    for key in ('is_signature_from_type_hint', 'type_hint_from_example'):
        a.setdefault(key, False)
    a.pop('prompts', None)
    # `code: null` and no `code` mean the same.
    for flavor in [*a['flavors'].values(), *b['flavors'].values()]:
        if flavor.get('code') is None:
            flavor.pop('code', None)
    assert a == b, (name, a, b)
    x, y = (Model.load(os.path.join(d, name)) for d in (theirs, ours))
    assert x.signature == y.signature, name
print('ok', len(os.listdir(ours)))
";
    let theirs = models();
    let out = trainyard_testkit::run_python(
        script,
        &[theirs.to_str().unwrap(), folder.path().to_str().unwrap()],
        &[],
    );
    assert_eq!(out.trim(), format!("ok {}", names().len()));
}

#[test]
fn flavors_are_typed() {
    let sklearn = read("sk_logreg_proba").flavors;
    assert_eq!(sklearn.names(), ["python_function", "sklearn"]);
    assert_eq!(sklearn.sklearn.unwrap().serialization_format.unwrap(), "skops");
    let pyfunc = sklearn.python_function.unwrap();
    assert_eq!(pyfunc.predict_fn.as_deref(), Some("predict_proba"));
    assert_eq!(pyfunc.env.unwrap().virtualenv.as_deref(), Some("python_env.yaml"));
    assert_eq!(read("onnx_rf").flavors.onnx.unwrap().data, "model.onnx");
    let xgboost = read("xgb_booster").flavors.xgboost.unwrap();
    assert_eq!(xgboost.model_class.as_deref(), Some("xgboost.core.Booster"));
    let lightgbm = read("lgbm_classifier").flavors.lightgbm.unwrap();
    assert_eq!(lightgbm.data, "model.skops");
    assert_eq!(lightgbm.skops_trusted_types.unwrap().len(), 4);
    let catboost = read("cb_classifier").flavors.catboost.unwrap();
    assert_eq!(catboost.model_type.as_deref(), Some("CatBoostClassifier"));
    assert_eq!(catboost.save_format.as_deref(), Some("cbm"));
}

#[test]
fn unknown_flavors_are_named_and_kept() {
    let text = "flavors:\n  pytorch: {model_data: data, pytorch_version: '2.0', code: null}\n  \
                python_function: {loader_module: mlflow.pytorch, env: conda.yaml}\n\
                model_uuid: 1e10\nrun_id: 0123456789\nsurprise: [1, {a: b}]\n";
    let model = MlModel::parse(text, Path::new("MLmodel")).unwrap();
    assert_eq!(model.flavors.names(), ["python_function", "pytorch"]);
    assert_eq!(
        model.flavors.python_function.as_ref().unwrap().env.as_ref().unwrap().conda.as_deref(),
        Some("conda.yaml")
    );
    // Text that looks like a number stays text.
    assert_eq!(model.model_uuid.as_deref(), Some("1e10"));
    assert_eq!(model.run_id.as_deref(), Some("0123456789"));
    let yaml = model.to_yaml().unwrap();
    assert_eq!(MlModel::parse(&yaml, Path::new("MLmodel")).unwrap(), model);
    let script = "import sys, yaml; print(yaml.safe_load(sys.argv[1])['run_id'] == '0123456789')";
    assert_eq!(trainyard_testkit::run_python(script, &[&yaml], &[]).trim(), "True");
}

#[test]
fn signatures_are_written_byte_for_byte_as_read() {
    for name in names() {
        let Some(signature) = read(&name).signature else { continue };
        let text = std::fs::read_to_string(models().join(&name).join("MLmodel")).unwrap();
        // The YAML folds long lines at spaces; without them the text is comparable.
        let squeeze = |text: &str| text.replace(char::is_whitespace, "");
        for part in [&signature.inputs, &signature.outputs].into_iter().flatten() {
            let json = part.to_json().unwrap();
            assert!(squeeze(&text).contains(&squeeze(&json)), "{name}: {json}");
            assert_eq!(Schema::from_json(&json).unwrap(), *part, "{name}");
        }
        if let Some(params) = &signature.params {
            let json = ParamSpec::list_to_json(params).unwrap();
            assert!(squeeze(&text).contains(&squeeze(&json)), "{name}: {json}");
        }
    }
}

#[test]
fn complex_types_are_read() {
    let inputs = read("pyfunc_complex").signature.unwrap().inputs.unwrap();
    assert_eq!(inputs.names(), ["arr", "obj", "mp", "any", "nested"]);
    let kinds: Vec<String> =
        inputs.columns().unwrap().iter().map(|column| column.data_type.to_string()).collect();
    assert_eq!(
        kinds,
        [
            "Array(double)",
            "{x: long (required), y: string (optional)}",
            "Map(str -> double)",
            "Any",
            "Array(Array(long))",
        ]
    );
    let params = read("pyfunc_paramschema").signature.unwrap().params.unwrap();
    assert_eq!(params.len(), 6);
    assert_eq!(params[5].data_type, DataType::Datetime);
    assert_eq!(params[4].shape.as_deref(), Some(&[-1][..]));
    let tensors = read("pyfunc_tensors").signature.unwrap().inputs.unwrap();
    let schema = tensors.arrow_schema();
    assert_eq!(schema.field(0).name(), "a");
    assert_eq!(schema.field(0).data_type().to_string(), "FixedSizeList(2 x non-null Float64)");
    assert_eq!(schema.field(1).data_type().to_string(), "Int64");
}

#[test]
fn bad_signatures_are_refused_with_the_place() {
    let deep = format!(
        "[{}{{\"type\": \"long\"}}{}]",
        "{\"type\": \"array\", \"items\": ".repeat(40),
        "}".repeat(40)
    );
    for (text, expected) in [
        ("{", "not JSON"),
        ("{}", "expected a JSON list"),
        ("[]", "at least one column"),
        (r#"[{"name": "a"}]"#, r#"no "type""#),
        (r#"[{"type": "int", "name": "a"}]"#, r#"column "a": unknown type "int""#),
        (r#"[{"type": "long", "name": "a"}, {"type": "long", "name": "a"}]"#, "twice"),
        (r#"[{"type": "long", "name": "a"}, {"type": "long"}]"#, "names for all"),
        (r#"[{"type": "long", "required": false}]"#, "cannot be optional"),
        (r#"[{"type": "long", "name": "a", "required": 1}]"#, "true or false"),
        (r#"[{"type": "array", "name": "a"}]"#, r#"no "items""#),
        (r#"[{"type": "object", "properties": {}}]"#, "at least one property"),
        (
            r#"[{"type": "object", "properties": {"x": {"type": "y"}}, "name": "o"}]"#,
            r#"property "x""#,
        ),
        (r#"[{"type": "tensor"}]"#, "tensor-spec"),
        (r#"[{"type": "tensor", "tensor-spec": {"dtype": "int8", "shape": [-2]}}]"#, "-2"),
        (
            r#"[{"type": "tensor", "tensor-spec": {"dtype": "int8", "shape": [-1]}}, {"type": "long"}]"#,
            "not both",
        ),
        (&deep, "nested"),
    ] {
        let error = Schema::from_json(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    for (text, expected) in [
        (r#"[{"type": "long", "default": 1}]"#, r#"no "name""#),
        (r#"[{"name": "k", "type": "long"}]"#, r#"param "k": no "default""#),
        (r#"[{"name": "k", "type": "binary", "default": 1}]"#, "cannot be"),
        (r#"[{"name": "k", "type": "long", "default": 1, "shape": [2]}]"#, "null or [-1]"),
        (
            r#"[{"name": "k", "type": "long", "default": 1}, {"name": "k", "type": "long", "default": 1}]"#,
            "twice",
        ),
    ] {
        let error = ParamSpec::list_from_json(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn bad_files_are_refused_with_the_path() {
    // Each level refers ten times to the one before it: 10^20 nodes if they were all made.
    let mut bomb = "metadata:\n  k0: &k0 [x, x]\n".to_owned();
    for level in 1..20 {
        let before = vec![format!("*k{}", level - 1); 10].join(", ");
        bomb.push_str(
            &["  k", &level.to_string(), ": &k", &level.to_string(), " [", &before, "]\n"].concat(),
        );
    }
    let deep = format!("metadata: {{x: {}1{}}}", "[".repeat(500), "]".repeat(500));
    for text in
        ["flavors: [", "flavors: 3", "- a", &bomb, &deep, "run_id: [1]", "signature: {inputs: '{'}"]
    {
        let error = MlModel::parse(text, Path::new("x/MLmodel")).unwrap_err();
        assert!(matches!(error, Error::File { .. }), "{error:?}");
        assert!(error.to_string().starts_with("x/MLmodel: "), "{error}");
    }
    let error = MlModel::read("/no/such/folder").unwrap_err();
    assert!(error.to_string().starts_with("/no/such/folder/MLmodel: "), "{error}");
}

#[test]
fn examples_become_request_bodies() {
    for name in ["sk_logreg", "sk_logreg_tensor", "pyfunc_params", "sk_pipeline", "onnx_rf"] {
        let mut model = read(name);
        let folder = models().join(name);
        let serving = InputExample::read(&folder, &model).unwrap().unwrap();
        // Without the serving file, as MLflow before 2.16 wrote folders.
        model.saved_input_example_info.as_mut().unwrap().serving_input_path = None;
        let rebuilt = InputExample::read(&folder, &model).unwrap().unwrap();
        let value = |example: InputExample| -> serde_json::Value {
            serde_json::from_str(&example.payload).unwrap()
        };
        assert_eq!(value(serving), value(rebuilt), "{name}");
    }
    let model = read("pyfunc_nosig");
    assert_eq!(InputExample::read(models().join("pyfunc_nosig"), &model).unwrap(), None);
}

#[test]
fn example_paths_stay_in_the_folder() {
    let mut model = read("sk_logreg");
    for path in ["../sk_pipeline/input_example.json", "/etc/passwd", "", "a\0b"] {
        model.saved_input_example_info.as_mut().unwrap().serving_input_path = Some(path.to_owned());
        let error = InputExample::read(models().join("sk_logreg"), &model).unwrap_err();
        assert!(error.to_string().contains("leaves the model folder"), "{error}");
    }
}
