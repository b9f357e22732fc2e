//! Metrics are scikit-learn's, on random tables: the real package computes them.

use serde_json::Value;
use trainyard_quality::metrics::Judged;
use trainyard_quality::quality;

use crate::support::{labels, numbers, probabilities, same};

/// Random tables with the metrics of scikit-learn, as JSON lines.
const TABLES: &str = r#"
import json, warnings
import numpy as np
from sklearn import metrics as m
from sklearn.calibration import calibration_curve
warnings.filterwarnings("ignore")

def classes(seed):
    random = np.random.default_rng(seed)
    rows, count = int(random.integers(20, 400)), int(random.integers(2, 5))
    names = [f"class_{index}" for index in range(count)]
    said = random.dirichlet(np.ones(count) * random.choice([0.3, 1, 3]), rows)
    if random.random() < 0.5:
        said = np.round(said * 20) / 20 + 1e-3
        said = said / said.sum(axis=1, keepdims=True)
    truth = np.array([random.choice(count, p=row) for row in said])
    truth[:count] = np.arange(count)
    predicted = said.argmax(axis=1)
    expected = {"accuracy": m.accuracy_score(truth, predicted)}
    for average in ["macro", "weighted"]:
        found = m.precision_recall_fscore_support(truth, predicted, average=average, zero_division=0)
        for name, value in zip(["precision", "recall", "f1"], found):
            expected[f"{name}_{average}"] = value
    of_class = m.precision_recall_fscore_support(truth, predicted, labels=range(count), zero_division=0)
    expected["log_loss"] = m.log_loss(truth, said, labels=range(count))
    one = (truth == 1).astype(int)
    expected["average_precision"] = m.average_precision_score(one, said[:, 1])
    expected["brier"] = m.brier_score_loss(one, said[:, 1])
    expected["precision"], expected["recall"], expected["f1"] = [float(values[1]) for values in of_class[:3]]
    scores = said[:, 1] if count == 2 else said
    expected["roc_auc"] = m.roc_auc_score(truth, scores, multi_class="ovr", average="macro", labels=range(count))
    true_share, mean = calibration_curve(one, said[:, 1], n_bins=10)
    table = {name: said[:, index].tolist() for index, name in enumerate(names)}
    table["truth"] = [names[index] for index in truth]
    table["predicted"] = [names[index] for index in predicted]
    return {
        "kind": "classes", "names": names, "table": table,
        "expected": {name: float(value) for name, value in expected.items()},
        "of_class": [values.tolist() for values in of_class],
        "curve": [mean.tolist(), true_share.tolist()],
        "confusion": m.confusion_matrix(truth, predicted, labels=range(count)).tolist(),
    }

def quantities(seed):
    random = np.random.default_rng(seed)
    rows = int(random.integers(2, 400))
    truth = random.normal(random.choice([0, 100]), 10, rows)
    predicted = truth + random.normal(1, random.choice([0.1, 20]), rows)
    expected = {
        "mae": m.mean_absolute_error(truth, predicted),
        "rmse": m.root_mean_squared_error(truth, predicted),
        "r2": m.r2_score(truth, predicted),
        "mape": m.mean_absolute_percentage_error(truth, predicted),
        "bias": float(np.mean(predicted - truth)),
    }
    table = {"truth": truth.tolist(), "predicted": predicted.tolist()}
    return {"kind": "quantities", "table": table, "expected": expected}

for seed in range(20):
    print(json.dumps(classes(seed)))
    print(json.dumps(quantities(seed)))
"#;

/// What sums in another order differ by.
const TOLERANCE: f64 = 1e-12;

#[test]
fn metrics_of_random_tables_are_scikit_learns() {
    let mut tables = 0;
    for line in trainyard_testkit::run_python(TABLES, &[], &[]).lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        if case["kind"] == "classes" {
            check_classes(&case);
        } else {
            check_quantities(&case);
        }
        tables += 1;
    }
    assert_eq!(tables, 40);
}

fn check_classes(case: &Value) {
    let table = &case["table"];
    let names: Vec<String> =
        case["names"].as_array().unwrap().iter().map(|n| n.as_str().unwrap().to_owned()).collect();
    let known = probabilities(table, &names);
    let judged = Judged::Classes {
        truth: &labels(table, "truth"),
        predicted: &labels(table, "predicted"),
        probabilities: Some(&known),
        positive: Some("class_1"),
    };
    let found = quality(&judged).unwrap();
    check(&found.metrics, &case["expected"]);
    assert_eq!(Value::from(found.confusion.unwrap().counts), case["confusion"]);
    for (place, class) in found.classes.iter().enumerate() {
        let score = class.score;
        let figures = [score.precision, score.recall, score.f1, score.support as f64];
        for (figure, expected) in figures.into_iter().zip(case["of_class"].as_array().unwrap()) {
            same(&class.label, figure, &expected[place], TOLERANCE);
        }
    }
    for (place, point) in found.calibration.iter().enumerate() {
        same("said", point.said, &case["curve"][0][place], TOLERANCE);
        same("true", point.true_share, &case["curve"][1][place], TOLERANCE);
    }
    assert_eq!(found.calibration.len(), case["curve"][0].as_array().unwrap().len());
}

fn check_quantities(case: &Value) {
    let (truth, predicted) =
        (numbers(&case["table"], "truth"), numbers(&case["table"], "predicted"));
    let found = quality(&Judged::Quantities { truth: &truth, predicted: &predicted }).unwrap();
    check(&found.metrics, &case["expected"]);
    assert_eq!(found.deciles.iter().map(|part| part.rows).sum::<usize>(), truth.len());
}

fn check(found: &[trainyard_quality::Measured], expected: &Value) {
    let expected = expected.as_object().unwrap();
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for measured in found {
        same(measured.metric, measured.value, &expected[measured.metric], TOLERANCE);
        if let Some((low, high)) = measured.interval {
            assert!(low <= high, "{measured:?}");
        }
    }
}
