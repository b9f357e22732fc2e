//! What columns give to answers, against the real shap and the libraries' own.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use serde_json::{Value, json};
use trainyard_models::{Error, Explained, Prediction, load};

use crate::estimators::made;
use crate::support::{difference, inputs, json as read_json, number};

/// All numbers of nested lists.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![number(other).unwrap()],
    }
}

fn compare(what: &str, actual: &[f64], expected: &[f64], tolerance: f64) -> Result<(), String> {
    if actual.len() != expected.len() {
        return Err(format!("{} of {what} where {} are expected", actual.len(), expected.len()));
    }
    let same = |x: f64, y: f64| (x - y).abs() <= tolerance * y.abs().max(1.0);
    let wrong = actual.iter().zip(expected).find(|(x, y)| !same(**x, **y));
    wrong.map_or(Ok(()), |(x, y)| Err(format!("{what}: {x}, expected {y}")))
}

/// Base and contributions are those of shap, and add up to the prediction.
fn check(path: &Path) -> Result<(), String> {
    let told = read_json(&path.join("shap.json"));
    let expected = read_json(&path.join("expected.json"));
    let background: Option<RecordBatch> = (!told["background"].is_null())
        .then(|| inputs(&json!({ "inputs": told["background"].clone() })));
    let model = load(path).map_err(|error| error.to_string())?;
    let input = inputs(&expected);
    let explain = |rows: &RecordBatch| {
        let explanation = model.predictor.explain(rows, background.as_ref());
        explanation.map_err(|error| error.to_string())
    };
    let explanation = explain(&input)?;
    let tolerance = |name: &str| told[name].as_f64().unwrap();
    if json!(explanation.columns) != told["columns"] {
        return Err(format!("columns {:?}", explanation.columns));
    }
    compare("base", &explanation.base, &numbers(&told["base"]), tolerance("base_tolerance"))?;
    let values = numbers(&told["values"]);
    compare("contributions", &explanation.contributions, &values, tolerance("tolerance"))?;
    let row = input.num_rows() / 2;
    let width = explanation.base.len() * explanation.columns.len();
    let alone = explain(&input.slice(row, 1))?.contributions;
    compare("one row", &alone, &explanation.contributions[row * width..][..width], 1e-12)?;
    if explanation.explained != Explained::Prediction {
        return Ok(());
    }
    let sums: ArrayRef = Arc::new(Float64Array::from(explanation.values()));
    let sums = match explanation.outputs.len() {
        1 => Prediction::Column(sums),
        width => Prediction::Matrix { values: sums, width },
    };
    // XGBoost predicts in 32 bits.
    let tolerance = expected["tolerance"].as_f64().unwrap().max(1e-9);
    difference(&sums, &expected["pyfunc_predict"], tolerance)
}

#[test]
fn contributions_are_those_of_shap() {
    let models = made(include_str!("../python/explained.py"), "explained");
    let told: Vec<_> = models.iter().filter(|path| path.join("shap.json").exists()).collect();
    assert!(told.len() >= 30, "only {} models were explained", told.len());
    let failures: Vec<String> = told
        .iter()
        .filter_map(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            check(path).err().map(|reason| format!("{name}: {reason}"))
        })
        .collect();
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));

    // What nothing exact is known of is refused by name.
    let refused: Vec<_> =
        models.iter().filter(|path| path.to_string_lossy().contains("/refused_")).collect();
    assert_eq!(refused.len(), 3);
    for path in refused {
        let input = inputs(&read_json(&path.join("expected.json")));
        let error = load(path).unwrap().predictor.explain(&input, None).unwrap_err();
        let Error::Unsupported { what, .. } = &error else { panic!("{error:?}") };
        let names = ["MLPRegressor", "PCA", "KNeighborsRegressor"];
        assert!(names.iter().any(|name| what.contains(name)), "{what}");
    }
}

#[test]
fn outputs_have_the_names_of_classes() {
    let of = |name: &str| {
        let path = crate::support::models().join(name);
        let input = inputs(&read_json(&path.join("expected.json")));
        load(&path).unwrap().predictor.explain(&input, None).unwrap()
    };
    let forest = of("sk_rf");
    assert_eq!(forest.explained, Explained::Probability);
    assert_eq!(forest.outputs.len(), forest.base.len());
    for row in forest.values().chunks(forest.base.len()) {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{row:?}");
    }
    let sizes = forest.mean_sizes();
    assert_eq!(sizes.len(), forest.columns.len());
    assert!(sizes.iter().all(|&size| size >= 0.0) && sizes.iter().any(|&size| size > 0.0));
    assert_eq!(of("sk_logreg").explained, Explained::Margin);
    let leafwise = of("cb_leafwise");
    assert_eq!(leafwise.explained, Explained::Margin);
    assert_eq!(leafwise.outputs, ["0", "1", "2"]);
}

#[test]
fn categories_of_catboost_are_not_explained() {
    let path = crate::support::models().join("cb_classifier");
    let input = inputs(&read_json(&path.join("expected.json")));
    let error = load(&path).unwrap().predictor.explain(&input, None).unwrap_err();
    let Error::Unsupported { what, .. } = &error else { panic!("{error:?}") };
    assert!(what.contains("categories"), "{what}");
}
