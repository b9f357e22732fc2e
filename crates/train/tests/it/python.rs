//! Exported models of every kind: the real `mlflow.pyfunc` on onnxruntime predicts what ours does.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Float64Type;
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_cast::cast;
use arrow_schema::DataType;
use serde_json::json;
use trainyard_mlflow::artifacts::download_tree;
use trainyard_train::{DataSource, TrainConfig, predict, split, train};

use crate::support::{Store, config, python_json, quiet};

/// 300 rows with columns of every kind, some values missing, and targets of every kind that depend
/// on them. Values lie on a grid, so that many rows are exactly on a threshold.
fn table() -> RecordBatch {
    let mut state = 1_u64;
    let mut draw = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let rows = 300;
    let size: Vec<f64> = (0..rows).map(|_| draw(97) as f64 * 0.1).collect();
    let rooms: Vec<i64> = (0..rows).map(|_| draw(6) as i64).collect();
    let new: Vec<bool> = (0..rows).map(|_| draw(3) == 0).collect();
    let city: Vec<&str> =
        (0..rows).map(|_| ["Ulm", "Bonn", "K\u{f6}ln"][draw(3) as usize]).collect();
    let noise: Vec<f64> = (0..rows).map(|_| draw(100) as f64 / 50.0).collect();
    let price: Vec<f64> = (0..rows)
        .map(|i| {
            let place = if city[i] == "Ulm" { 3.0 } else { 0.0 };
            size[i] + rooms[i] as f64 + place + if new[i] { 2.0 } else { 0.0 } + noise[i]
        })
        .collect();
    let band = |price: &f64| {
        if *price < 6.0 {
            "low"
        } else if *price < 11.0 {
            "middle"
        } else {
            "high"
        }
    };
    let gap = |i: usize, every: usize| i.is_multiple_of(every);
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "size",
            Arc::new((0..rows).map(|i| (!gap(i, 11)).then_some(size[i])).collect::<Float64Array>()),
        ),
        ("rooms", Arc::new(Int64Array::from(rooms.clone()))),
        ("floors", Arc::new(Int64Array::from_iter_values(rooms.iter().map(|rooms| rooms / 2)))),
        ("new", Arc::new(BooleanArray::from(new))),
        (
            "city",
            Arc::new((0..rows).map(|i| (!gap(i, 13)).then_some(city[i])).collect::<StringArray>()),
        ),
        ("label", Arc::new(Float64Array::from(noise.clone()))),
        ("price", Arc::new(Float64Array::from(price.clone()))),
        ("band", Arc::new(price.iter().map(|price| Some(band(price))).collect::<StringArray>())),
        ("dear", Arc::new(price.iter().map(|price| Some(*price > 9.0)).collect::<BooleanArray>())),
        (
            "stars",
            Arc::new(Int64Array::from_iter_values(price.iter().map(|price| *price as i64 / 4 - 1))),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// One model: what is trained, and whether the numbers are bit-equal.
struct Case {
    config: TrainConfig,
    exact: bool,
}

fn cases() -> Vec<Case> {
    let case = |exact: bool, value: serde_json::Value| Case { config: config(value), exact };
    let forest = json!({"n_estimators": 30, "max_depth": 6});
    let all = ["size", "rooms", "new", "city", "label"];
    vec![
        // Numbers alone: one matrix. Text labels, several classes, missing values.
        case(
            true,
            json!({"target": "band", "features": ["size", "rooms", "label"], "params": forest}),
        ),
        // Whole numbers alone: a matrix of integers.
        case(true, json!({"target": "band", "features": ["rooms", "floors"], "params": forest})),
        // Columns of every kind, one of them called as an output; two classes as booleans.
        case(true, json!({"target": "dear", "features": all, "params": forest})),
        case(
            true,
            json!({"target": "stars", "features": all, "categorical": ["rooms"], "params": forest}),
        ),
        case(true, json!({"target": "band", "features": ["city"], "params": forest})),
        case(
            false,
            json!({"target": "price", "features": all, "task": "regression", "params": forest}),
        ),
        case(false, json!({"target": "price", "features": all, "algorithm": "linear_regression"})),
        case(
            false,
            json!({"target": "price", "features": ["size", "label"], "algorithm": "linear_regression"}),
        ),
        case(false, json!({"target": "band", "features": all, "algorithm": "logistic_regression"})),
        case(false, json!({"target": "dear", "features": all, "algorithm": "logistic_regression"})),
        case(
            false,
            json!({"target": "stars", "features": ["size", "rooms"], "algorithm": "logistic_regression",
            "params": {"standardize": true}}),
        ),
        case(
            true,
            json!({"target": "band", "features": ["new"], "missing": "refuse", "params": forest}),
        ),
    ]
}

const PREDICT: &str = r#"
import sys, json, warnings, mlflow, pandas as pd
warnings.simplefilter("ignore")
mlflow.set_tracking_uri(sys.argv[1])
answers = []
for uri, path in zip(sys.argv[2::2], sys.argv[3::2]):
    model = mlflow.pyfunc.load_model(uri)
    table = pd.read_parquet(path)
    names = [spec.name for spec in model.metadata.signature.inputs]
    assert len(model.predict(model.input_example)) == 5, uri
    answer = model.predict(table[names])
    assert list(answer.columns) == [spec.name for spec in model.metadata.signature.outputs], uri
    answers.append({name: answer[name].tolist() for name in answer.columns})
print(json.dumps(answers))
"#;

#[tokio::test]
async fn pyfunc_predicts_what_we_predict() {
    let store = Store::new();
    let tracking = &store.tracking;
    let table = table();
    let source = DataSource::new("houses.csv");
    let mut arguments = vec![store.uri.clone()];
    let mut expected = Vec::new();
    for (index, case) in cases().into_iter().enumerate() {
        let outcome = train(tracking, &case.config, &table, &source, &quiet).await.unwrap();
        let parts = split(&table, &case.config).unwrap();
        let path = store.folder.path().join(format!("{index}.parquet"));
        trainyard_data::write_parquet(&path, &parts.holdout).unwrap();
        let model_id = outcome.model_id.unwrap();
        let uri = tracking.logged_models.get(&model_id).await.unwrap().info.artifact_uri;
        let folder = store.folder.path().join(format!("model-{index}"));
        download_tree(&*tracking.artifacts, &uri, &folder).await.unwrap();
        let model = trainyard_models::load(&folder).unwrap();
        let ours = predict(&model, &parts.holdout, &parts.classes()).unwrap();
        arguments.extend([outcome.model_uri, path.display().to_string()]);
        expected.push((case, ours, parts));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let answers = python_json(PREDICT, &arguments);
    for ((case, ours, parts), answer) in expected.iter().zip(answers.as_array().unwrap()) {
        let what = format!("{} from {:?}", case.config.target, case.config.features);
        let of = |name: &str| answer[name].as_array().unwrap_or_else(|| panic!("{what}: {answer}"));
        let Some(probabilities) = &ours.probabilities else {
            let values = cast(&ours.values, &DataType::Float64).unwrap();
            let values = values.as_primitive::<Float64Type>();
            for (ours, theirs) in values.values().iter().zip(of("variable")) {
                let theirs = theirs.as_f64().unwrap();
                assert!(
                    (ours - theirs).abs() < 2e-6 * theirs.abs().max(1.0),
                    "{what}: {ours} {theirs}"
                );
            }
            continue;
        };
        // The column called `label` takes the name away from the output.
        let in_columns = case.config.features.as_ref().unwrap().iter().any(|f| f == "label")
            && answer.get("label_").is_some();
        let labels = of(if in_columns { "label_" } else { "label" });
        let texts = cast(&ours.values, &DataType::Utf8).unwrap();
        let texts = texts.as_string::<i32>();
        assert_eq!(texts.len(), labels.len());
        for (ours, theirs) in texts.iter().flatten().zip(labels) {
            let theirs = theirs.as_str().map_or_else(|| theirs.to_string(), str::to_owned);
            assert_eq!(ours, theirs, "{what}");
        }
        assert_eq!(probabilities.classes, parts.classes(), "{what}");
        let width = probabilities.classes.len();
        for (class, name) in probabilities.classes.iter().enumerate() {
            for (row, theirs) in of(&format!("probability_{name}")).iter().enumerate() {
                let (ours, theirs) =
                    (probabilities.values[row * width + class], theirs.as_f64().unwrap());
                let tolerance = if case.exact { 0.0 } else { 1e-6 };
                assert!((ours - theirs).abs() <= tolerance, "{what} row {row}: {ours} {theirs}");
            }
        }
    }
}
