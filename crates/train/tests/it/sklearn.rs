//! Splits, metrics and models against the real scikit-learn on its own data sets.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, StringArray};
use serde_json::json;
use tempfile::TempDir;
use trainyard_train::{
    Fitted, FittedModel, Metrics, Predictions, Probabilities, Task, TrainConfig, evaluate, fit,
    split,
};

use crate::support::{config, python_json, read};

/// A data set of scikit-learn's as a CSV file with the column `target`.
struct DataSet {
    _folder: TempDir,
    path: PathBuf,
}

impl DataSet {
    fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("{name}.csv"));
        let script = "
import sys, sklearn.datasets as d
data = getattr(d, f'load_{sys.argv[1]}')(as_frame=True)
table = data.frame.copy()
if sys.argv[1] in ('wine', 'breast_cancer', 'iris'):
    table['target'] = data.target_names[data.target]
table.to_csv(sys.argv[2], index=False)
print('null')";
        python_json(script, &[name, &path.display().to_string()]);
        Self { _folder: folder, path }
    }

    /// What Python says about its own training on the same split; `x`, `y`, `xt`, `yt` are its parts
    /// in 32-bit precision, as ours.
    fn python(&self, config: &TrainConfig, script: &str) -> serde_json::Value {
        let stratify = if config.stratify == Some(false) { "None" } else { "table['target']" };
        let prepare = format!(
            "
import sys, json, time, numpy as np, pandas as pd
from sklearn.model_selection import train_test_split
table = pd.read_csv(sys.argv[1])
train, holdout = train_test_split(table, test_size={}, random_state={}, stratify={stratify})
part = lambda t: (t.drop(columns='target').to_numpy().astype('float32').astype(float), t['target'])
x, y = part(train); xt, yt = part(holdout)
",
            config.test_size, config.seed
        );
        python_json(&format!("{prepare}{script}"), &[&self.path.display().to_string()])
    }

    fn fit(&self, config: &TrainConfig) -> (FittedModel, Metrics) {
        let table = read(&self.path);
        let split = split(&table, config).unwrap();
        let model = fit(&split, config, &|_, _| true).unwrap();
        let predictions = model.predict(&split.holdout).unwrap();
        let truth = split.holdout.columns().last().unwrap();
        let metrics = evaluate(split.task, truth, &predictions, None).unwrap();
        (model, metrics)
    }
}

fn floats(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let scale = expected.abs().max(1.0);
        assert!(
            (found - expected).abs() <= tolerance * scale,
            "{what} {index}: {found} instead of {expected}"
        );
    }
}

#[test]
fn holdouts_are_scikit_learns() {
    for (name, seed, test_size, stratify) in [
        ("wine", 42, 0.2, true),
        ("wine", 0, 0.37, true),
        ("breast_cancer", 7, 0.25, true),
        ("iris", 123_456_789, 0.1, true),
        ("diabetes", 1, 0.2, false),
    ] {
        let data = DataSet::new(name);
        let config = config(json!({
            "test_size": test_size, "seed": seed, "stratify": stratify,
        }));
        let ours = split(&read(&data.path), &config).unwrap();
        let theirs = data.python(
            &config,
            "print(json.dumps([train.iloc[:, 0].tolist(), holdout.iloc[:, 0].tolist()]))",
        );
        for (part, expected) in [(&ours.train, &theirs[0]), (&ours.holdout, &theirs[1])] {
            let column =
                arrow_cast::cast(part.column(0), &arrow_schema::DataType::Float64).unwrap();
            let column = arrow_array::cast::AsArray::as_primitive::<arrow_array::types::Float64Type>(
                &column,
            );
            // pandas reads the last digits of a long decimal fraction differently.
            assert_close(column.values(), &floats(expected), 1e-14, &format!("{name} {seed}"));
        }
    }
}

#[test]
fn metrics_equal_scikit_learns_on_random_cases() {
    let script = r#"
import json, warnings, numpy as np
from sklearn import metrics as m
warnings.simplefilter("ignore")
random = np.random.default_rng(5)
cases = []
def add(task, truth, predicted, proba, classes, values):
    values = {k: float(v) for k, v in values.items() if np.isfinite(v)}
    cases.append(dict(task=task, truth=truth, predicted=predicted, classes=classes,
                      positive="c1" if classes and len(classes) == 2 else None,
                      probabilities=None if proba is None else proba.ravel().tolist(), values=values))
for index in range(120):
    k = int(random.integers(2, 6)); n = int(random.integers(2, 60))
    classes = [f"c{i}" for i in range(k)]
    truth = random.choice(classes, n)
    # some classes never predicted, some never true
    predicted = random.choice(classes[: int(random.integers(1, k + 1))], n)
    proba = random.dirichlet(np.ones(k) * random.choice([0.1, 1.0]), n)
    if index % 3 == 0:
        proba = np.round(proba, 1); proba[:, -1] = 1 - proba[:, :-1].sum(axis=1); proba = np.clip(proba, 0, 1)
    values = {"accuracy": m.accuracy_score(truth, predicted)}
    for average in ("macro", "weighted"):
        for name in ("precision", "recall", "f1"):
            score = getattr(m, f"{name}_score")
            values[f"{name}_{average}"] = score(truth, predicted, average=average, zero_division=0)
    values["log_loss"] = m.log_loss(truth, proba, labels=classes)
    if k == 2:
        if "c1" in truth or "c1" in predicted:
            for name in ("precision", "recall", "f1"):
                score = getattr(m, f"{name}_score")
                values[name] = score(truth, predicted, pos_label="c1", zero_division=0)
        if "c1" in truth:
            values["average_precision"] = m.average_precision_score(truth == "c1", proba[:, 1])
        values["brier"] = m.brier_score_loss(truth == "c1", proba[:, 1], pos_label=True)
    if len(set(truth)) == k:
        if k == 2:
            values["roc_auc"] = m.roc_auc_score(truth == "c1", proba[:, 1])
        elif np.allclose(proba.sum(axis=1), 1):
            values["roc_auc"] = m.roc_auc_score(truth, proba, multi_class="ovr", labels=classes)
    add("classification", truth.tolist(), predicted.tolist(), proba, classes, values)
for index in range(60):
    n = int(random.integers(1, 50))
    truth = random.normal(0, 10.0 ** random.integers(-3, 6), n)
    if index % 5 == 0: truth = np.round(truth)
    if index % 7 == 0: truth[:] = 3.0
    predicted = truth + random.normal(0, 1, n) * (index % 11 != 0)
    values = {"rmse": m.root_mean_squared_error(truth, predicted), "mae": m.mean_absolute_error(truth, predicted),
              "r2": m.r2_score(truth, predicted), "mape": m.mean_absolute_percentage_error(truth, predicted)}
    add("regression", truth.tolist(), predicted.tolist(), None, None, values)
print(json.dumps(cases))
"#;
    let cases = python_json(script, &[]);
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 180);
    for (index, case) in cases.iter().enumerate() {
        let (task, values): (Task, fn(&serde_json::Value) -> ArrayRef) =
            if case["task"] == "classification" {
                (Task::Classification, |values| {
                    let values = values.as_array().unwrap().iter().map(|value| value.as_str());
                    Arc::new(values.collect::<StringArray>())
                })
            } else {
                (Task::Regression, |values| Arc::new(Float64Array::from(floats(values))))
            };
        let probabilities = case["classes"].as_array().map(|classes| Probabilities {
            classes: classes.iter().map(|class| class.as_str().unwrap().to_owned()).collect(),
            values: floats(&case["probabilities"]),
            epsilon: f64::EPSILON,
        });
        let predictions = Predictions { values: values(&case["predicted"]), probabilities };
        let positive = case["positive"].as_str();
        let mut metrics = evaluate(task, &values(&case["truth"]), &predictions, positive).unwrap();
        let expected = case["values"].as_object().unwrap();
        for (name, expected) in expected {
            let (found, expected) = (metrics.remove(name).unwrap(), expected.as_f64().unwrap());
            let tolerance = 1e-12 * expected.abs().max(1.0);
            assert!(
                (found - expected).abs() <= tolerance,
                "case {index} {name}: {found} {expected}"
            );
        }
        // Where scikit-learn refuses rounded probabilities for the area, ours is still defined.
        metrics.remove("roc_auc");
        assert!(metrics.is_empty(), "case {index}: {metrics:?} are not in {expected:?}");
    }
}

#[test]
fn linear_regression_equals_scikit_learns() {
    let data = DataSet::new("diabetes");
    for fit_intercept in [true, false] {
        let config = config(json!({
            "algorithm": "linear_regression", "stratify": false,
            "params": {"fit_intercept": fit_intercept},
        }));
        let (model, metrics) = data.fit(&config);
        let theirs = data.python(
            &config,
            &format!(
                "
from sklearn.linear_model import LinearRegression
from sklearn.metrics import *
model = LinearRegression(fit_intercept={}).fit(x, y)
p = model.predict(xt)
print(json.dumps([model.coef_.tolist(), [float(model.intercept_)], [mean_absolute_error(yt, p),
    mean_absolute_percentage_error(yt, p), r2_score(yt, p), root_mean_squared_error(yt, p)]]))",
                if fit_intercept { "True" } else { "False" }
            ),
        );
        let Fitted::Linear(linear) = &model.fitted else { panic!("not linear") };
        assert_close(&linear.coefficients[0], &floats(&theirs[0]), 1e-9, "coefficient");
        assert_close(&linear.intercepts, &floats(&theirs[1]), 1e-9, "intercept");
        let metrics: Vec<f64> = metrics.into_values().collect();
        assert_close(&metrics, &floats(&theirs[2]), 1e-9, "metric");
    }
}

#[test]
fn logistic_regression_equals_scikit_learns() {
    for (name, params, python) in [
        ("iris", json!({"tol": 1e-10, "max_iter": 10000}), ""),
        (
            "iris",
            json!({"tol": 1e-10, "max_iter": 10000, "C": 0.01, "fit_intercept": false}),
            "C=0.01, fit_intercept=False,",
        ),
        (
            "wine",
            json!({"tol": 1e-8, "max_iter": 100000, "class_weight": "balanced"}),
            "class_weight='balanced',",
        ),
        ("breast_cancer", json!({"tol": 1e-8, "max_iter": 100000, "C": 0.5}), "C=0.5,"),
    ] {
        let data = DataSet::new(name);
        let config = config(json!({"algorithm": "logistic_regression", "params": params}));
        let (model, metrics) = data.fit(&config);
        assert!(model.warnings.is_empty(), "{:?}", model.warnings);
        // Newton's method finds scikit-learn's own optimum where its L-BFGS stops early.
        let solver = if name == "iris" { "lbfgs" } else { "newton-cg" };
        let theirs = data.python(
            &config,
            &format!(
                "
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import *
model = LogisticRegression({python} solver='{solver}', tol=1e-9, max_iter=100000).fit(x, y)
p = model.predict_proba(xt)
print(json.dumps([model.coef_.ravel().tolist(), np.ravel(model.intercept_).tolist(),
    [accuracy_score(yt, model.predict(xt)), log_loss(yt, p)]]))"
            ),
        );
        let Fitted::Linear(linear) = &model.fitted else { panic!("not linear") };
        let first = usize::from(linear.intercepts.len() == 2);
        let coefficients: Vec<f64> = linear.coefficients[first..].concat();
        let what = format!("{name} coefficient");
        assert_close(&coefficients, &floats(&theirs[0]), 1e-4, &what);
        if params["fit_intercept"] != json!(false) {
            let what = format!("{name} intercept");
            assert_close(&linear.intercepts[first..], &floats(&theirs[1]), 1e-3, &what);
        }
        let ours = [metrics["accuracy"], metrics["log_loss"]];
        assert_close(&ours, &floats(&theirs[2]), 1e-5, "metric");
    }
}

#[test]
fn default_logistic_regression_is_as_good_as_scikit_learns() {
    // Raw features of very different sizes: both stop after 100 steps with a warning.
    let data = DataSet::new("breast_cancer");
    let config = config(json!({"algorithm": "logistic_regression"}));
    let (model, metrics) = data.fit(&config);
    assert!(
        model.warnings.iter().all(|warning| warning.contains("max_iter")),
        "{:?}",
        model.warnings
    );
    let theirs = data.python(
        &config,
        "
import warnings; warnings.simplefilter('ignore')
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
model = LogisticRegression().fit(x, y)
print(json.dumps(log_loss(yt, model.predict_proba(xt))))",
    );
    assert!(metrics["log_loss"] < theirs.as_f64().unwrap() + 0.02, "{metrics:?} {theirs}");
}

#[test]
fn forests_are_as_good_as_scikit_learns_across_seeds() {
    const SEEDS: u32 = 8;
    for (name, metric, params, python) in [
        ("wine", "log_loss", json!({}), "Classifier("),
        (
            "breast_cancer",
            "log_loss",
            json!({"criterion": "entropy"}),
            "Classifier(criterion='entropy',",
        ),
        (
            "breast_cancer",
            "accuracy",
            json!({"max_depth": 3, "class_weight": "balanced"}),
            "Classifier(max_depth=3, class_weight='balanced',",
        ),
        (
            "iris",
            "accuracy",
            json!({"min_samples_leaf": 5, "max_features": 1.0}),
            "Classifier(min_samples_leaf=5, max_features=1.0,",
        ),
        ("diabetes", "r2", json!({}), "Regressor("),
        (
            "diabetes",
            "rmse",
            json!({"max_features": 0.3, "min_samples_leaf": 3}),
            "Regressor(max_features=0.3, min_samples_leaf=3,",
        ),
    ] {
        let data = DataSet::new(name);
        // Different forests on the same split: the holdout's luck is the same for both.
        let base = config(json!({"params": params, "seed": 3, "test_size": 0.3,
            "stratify": name != "diabetes"}));
        let table = read(&data.path);
        let parts = split(&table, &base).unwrap();
        let truth = parts.holdout.columns().last().unwrap();
        let ours: Vec<f64> = (0..SEEDS)
            .map(|seed| {
                let config = TrainConfig { seed, ..base.clone() };
                let model = fit(&parts, &config, &|_, _| true).unwrap();
                let predictions = model.predict(&parts.holdout).unwrap();
                evaluate(parts.task, truth, &predictions, None).unwrap()[metric]
            })
            .collect();
        let theirs = data.python(
            &base,
            &format!(
                "
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn import metrics as m
def score(model):
    p = model.predict(xt)
    if '{metric}' == 'log_loss': return m.log_loss(yt, model.predict_proba(xt))
    return {{'accuracy': m.accuracy_score, 'r2': m.r2_score, 'rmse': m.root_mean_squared_error}}['{metric}'](yt, p)
print(json.dumps([float(score(RandomForest{python} random_state=seed).fit(x, y))) for seed in range({SEEDS})]))"
            ),
        );
        let theirs = floats(&theirs);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let spread = |values: &[f64]| {
            let mean = mean(values);
            values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (values.len() - 1) as f64
        };
        let error = ((spread(&ours) + spread(&theirs)) / f64::from(SEEDS)).sqrt();
        let distance = (mean(&ours) - mean(&theirs)).abs();
        // Four standard errors, and never less than a rounding of the score.
        assert!(
            distance <= 4.0 * error + 5e-3 * mean(&theirs).abs().max(0.1),
            "{name} {metric}: {ours:?} against {theirs:?}"
        );
    }
}

#[test]
fn importances_are_near_scikit_learns() {
    let data = DataSet::new("wine");
    let config = config(json!({"params": {"n_estimators": 500}}));
    let (model, _) = data.fit(&config);
    let theirs = data.python(
        &config,
        "
from sklearn.ensemble import RandomForestClassifier
model = RandomForestClassifier(500, random_state=1).fit(x, y)
print(json.dumps(dict(zip(table.columns[:-1], model.feature_importances_.tolist()))))",
    );
    let ours = model.importances();
    assert!((ours.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-9);
    for (name, weight) in ours {
        let expected = theirs[&name].as_f64().unwrap();
        assert!((weight - expected).abs() < 0.03, "{name}: {weight} instead of {expected}");
    }
}
