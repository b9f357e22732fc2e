//! Model folders as MLflow wrote them, with the predictions of Python beside them.

use trainyard_models::{Error, Format, catboost_class, load, load_bytes, load_probabilities};

use crate::support::{batch, difference, inputs, json, models};

fn check(name: &str, tolerance: f64) {
    let folder = models().join(name);
    let model = load(&folder).unwrap_or_else(|error| panic!("{name}: {error}"));
    let expected = json(&folder.join("expected.json"));
    let input = inputs(&expected);
    let prediction =
        model.predictor.predict(&input).unwrap_or_else(|error| panic!("{name}: {error}"));
    difference(&prediction, &expected["pyfunc_predict"], tolerance)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let one = input.slice(1, 1);
    assert!(model.predictor.predict(&one).is_ok(), "{name}: one row");
    assert!(model.predictor.size_bytes() > 0);
}

#[test]
fn classifiers_say_how_probable_each_class_is_as_in_python() {
    for (name, answers) in [
        ("sk_logreg", "predict_proba"),
        ("xgb_classifier", "predict_proba"),
        ("xgb_booster", "pyfunc_predict"),
        ("cb_classifier", "predict_proba"),
        ("cb_leafwise", "predict_proba"),
    ] {
        let folder = models().join(name);
        let expected = json(&folder.join("expected.json"));
        let model = load_probabilities(&folder).unwrap_or_else(|error| panic!("{name}: {error}"));
        let prediction = model.predictor.predict(&inputs(&expected)).unwrap();
        difference(&prediction, &expected[answers], 1e-6)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn onnx_models_answer_as_in_python() {
    check("onnx_rf", 1e-6);
    check("onnx_rf_nozipmap", 1e-6);
}

#[test]
fn graphs_that_answer_probabilities_are_not_asked_for_them() {
    for (name, answers) in [("onnx_rf", true), ("onnx_rf_nozipmap", true), ("sk_logreg", false)] {
        let model = load(&models().join(name)).unwrap();
        assert_eq!(model.predictor.answers_probabilities(), answers, "{name}");
        assert_eq!(load_probabilities(&models().join(name)).is_err(), answers, "{name}");
    }
}

#[test]
fn scikit_learn_models_answer_as_in_python() {
    for name in [
        "sk_logreg",
        "sk_logreg_cloudpickle",
        "sk_logreg_proba",
        "sk_logreg_tensor",
        "sk_rf",
        "sk_hgb",
        "sk_pipeline",
    ] {
        check(name, 1e-12);
    }
}

/// As MLflow's flavor writes it: with a formula, whose columns are found by name.
#[test]
fn results_of_statsmodels_answer_as_in_python() {
    check("sm_logit", 1e-12);
    let folder = models().join("sm_logit");
    let model = load(&folder).unwrap();
    let expected = json(&folder.join("expected.json"));
    let input = inputs(&expected);
    let other_order = input.project(&[2, 0, 1]).unwrap();
    let prediction = model.predictor.predict(&other_order).unwrap();
    difference(&prediction, &expected["pyfunc_predict"], 1e-12).unwrap();
    let error = model.predictor.predict(&input.project(&[0, 1]).unwrap()).unwrap_err().to_string();
    assert!(error.contains("\"income\""), "{error}");
    // A town that training had not.
    let towns: arrow_array::ArrayRef =
        std::sync::Arc::new(arrow_array::StringArray::from(vec!["Oslo"; input.num_rows()]));
    let mut columns = input.columns().to_vec();
    columns[1] = towns;
    let unseen = arrow_array::RecordBatch::try_new(input.schema(), columns).unwrap();
    let error = model.predictor.predict(&unseen).unwrap_err().to_string();
    assert!(error.contains("C(town), row 0"), "{error}");
}

#[test]
fn boosters_answer_as_in_python() {
    check("xgb_booster", 1e-6);
    check("xgb_classifier", 0.0);
    check("lgbm_booster", 1e-12);
    check("lgbm_classifier", 0.0);
    check("cb_classifier", 0.0);
    check("cb_json", 1e-12);
    check("cb_leafwise", 0.0);
}

/// A file without its folder is of the class of its loss.
#[test]
fn a_file_of_catboost_alone_answers_as_its_folder() {
    for (name, class) in [("cb_classifier", "CatBoostClassifier"), ("cb_json", "CatBoostRegressor")]
    {
        let folder = models().join(name);
        let bytes = std::fs::read(folder.join("model.cb")).unwrap();
        assert_eq!(catboost_class(&bytes).unwrap(), class);
        let expected = json(&folder.join("expected.json"));
        let answer = load_bytes(&bytes, Format::Catboost).unwrap().predict(&inputs(&expected));
        difference(&answer.unwrap(), &expected["pyfunc_predict"], 1e-12).unwrap();
    }
}

/// Columns go by their names; what CatBoost takes for no category is refused, as there.
#[test]
fn rows_of_catboost_are_held_to_its_training() {
    let folder = models().join("cb_classifier");
    let model = load(&folder).unwrap().predictor;
    let expected = json(&folder.join("expected.json"));
    let input = inputs(&expected);
    let turned = input.project(&[4, 2, 0, 1, 3]).unwrap();
    difference(&model.predict(&turned).unwrap(), &expected["pyfunc_predict"], 0.0).unwrap();
    let refused = |names: [&str; 5], rooms: serde_json::Value, city: Option<&str>| {
        let names = names.map(str::to_owned);
        let row = serde_json::json!([41.5, city, rooms, 0.5, "old"]);
        let other = serde_json::json!([41.5, "Ulm", rooms, 0.5, "old"]);
        model.predict(&batch(&names, &[row, other])).unwrap_err().to_string()
    };
    let names = ["age", "city", "rooms", "income", "kind"];
    let whole = refused(names, serde_json::json!(3.0), Some("Bonn"));
    assert!(whole.contains("\"rooms\"") && whole.contains("Float64"), "{whole}");
    let missing = refused(names, serde_json::json!(3), None);
    assert!(missing.contains("\"city\"") && missing.contains("a missing value"), "{missing}");
    let unnamed = ["age", "city", "rooms", "wage", "kind"];
    let other = refused(unnamed, serde_json::json!(3), Some("Bonn"));
    assert!(other.contains("\"income\"") && other.contains("\"wage\""), "{other}");
}

#[test]
fn what_catboost_makes_of_texts_is_refused_by_name() {
    match load(&models().join("cb_text")) {
        Err(Error::Unsupported { what, hint }) => {
            assert!(what.contains("text feature \"text\""), "{what}");
            assert!(hint.contains("Python workers"), "{hint}");
        }
        other => panic!("{other:?}"),
    }
}

/// What a version of XGBoost changed is as in the version that wrote the file: expectiles ascend, quantiles
/// are sorted since 3.4.
#[test]
fn several_levels_of_xgboost_answer_as_in_python_to_the_bit() {
    for version in ["3_3", "3_4"] {
        check(&format!("xgb_{version}_quantiles"), 0.0);
        check(&format!("xgb_{version}_expectiles"), 0.0);
        check(&format!("xgb_{version}_dart"), 0.0);
    }
    check("xgb_3_4_quantiles_one", 0.0);
    check("xgb_3_4_expectiles_one", 0.0);
}

/// What depends on the processor that scikit-learn runs on is refused, not approximated.
#[test]
fn what_cannot_be_equal_is_refused_by_name() {
    for (file, named) in [
        ("boosting_init_logistic.pkl", "init=LogisticRegression"),
        ("knn_imputer_ties.pkl", "equally near rows"),
    ] {
        let bytes = std::fs::read(models().join("refused").join(file)).unwrap();
        match load_bytes(&bytes, Format::Estimator) {
            Err(Error::Unsupported { what, hint }) => {
                assert!(what.contains(named), "{what}");
                assert!(hint.contains("Python workers"), "{hint}");
            }
            other => panic!("{file}: {other:?}"),
        }
    }
}

/// Pipes, devices and links that lead out, as the model file or as `MLmodel`.
#[cfg(unix)]
#[test]
fn what_is_no_file_of_the_folder_is_not_read() {
    use std::os::unix::fs::symlink;

    let original = models().join("sk_logreg_cloudpickle");
    for file in ["MLmodel", "model.pkl"] {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("model");
        std::fs::create_dir(&folder).unwrap();
        let place = folder.join(file);
        for other in ["MLmodel", "model.pkl"] {
            std::fs::copy(original.join(other), folder.join(other)).unwrap();
            std::fs::copy(original.join(other), scratch.path().join(other)).unwrap();
        }
        assert!(load(&folder).is_ok());
        std::fs::remove_file(&place).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&place).status().unwrap();
        assert!(made.success());
        assert!(load(&folder).is_err(), "{file} is a pipe");
        for target in ["/dev/zero", "../MLmodel", "../model.pkl", "nowhere"] {
            std::fs::remove_file(&place).unwrap();
            symlink(target, &place).unwrap();
            assert!(load(&folder).is_err(), "{file} leads to {target}");
        }
    }
}

/// A signature of text before a model of numbers would be a healthy server that refuses each request.
#[test]
fn text_for_a_model_of_numbers_is_found_when_it_is_loaded() {
    let scratch = tempfile::tempdir().unwrap();
    let original = models().join("sk_logreg");
    std::fs::copy(original.join("model.skops"), scratch.path().join("model.skops")).unwrap();
    let mlmodel = std::fs::read_to_string(original.join("MLmodel")).unwrap();
    let text = mlmodel.replacen("\"type\": \"double\"", "\"type\": \"string\"", 1);
    assert_ne!(text, mlmodel);
    std::fs::write(scratch.path().join("MLmodel"), text).unwrap();
    match load(scratch.path()) {
        Err(Error::Unsupported { what, .. }) => assert!(what.contains("sepal length"), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn python_models_are_refused_with_a_hint() {
    for name in ["pyfunc_params", "pyfunc_types", "pyfunc_nosig"] {
        match load(&models().join(name)) {
            Err(Error::Unsupported { what, hint }) => {
                assert!(what.contains("python_function"), "{what}");
                assert!(hint.contains("Python workers"), "{hint}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}
