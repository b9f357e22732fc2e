"""Records what NannyML says of seeded data sets, for the tests beside it.

    python -m venv nannyml && nannyml/bin/pip install -r ../../../../tests/requirements-nannyml.txt
    nannyml/bin/python record.py cases.json            # writes inputs and answers
    nannyml/bin/python record.py --check cases.json    # asks again, and compares with what was recorded

NannyML wants older numpy and pandas than the other tests' packages, so it has an environment of its own.
Its estimates are asked for the whole analysis data as one chunk. What it draws at random without a seed (the sampling
error of average precision) is left out. Inputs have few digits, so that files hold them exactly.
"""

import json
import logging
import os
import sys
import warnings

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

import numpy as np
import pandas as pd
import nannyml as nml

METRICS = ["roc_auc", "average_precision", "f1", "precision", "recall", "specificity", "accuracy"]
LOSSES = ["mae", "mape", "mse", "msle", "rmse", "rmsle"]


def number(value):
    value = float(value)
    return value if np.isfinite(value) else None


def figures(result, names, errors):
    row = result.filter(period="analysis").to_df().iloc[0]
    found = {}
    for name in names:
        found[name] = {
            "estimated": number(row[(name, "value")]),
            "realized": number(row[(name, "realized")]),
        }
        if name in errors:
            found[name]["sampling_error"] = number(row[(name, "sampling_error")])
    return found


def binary(seed, reference, analysis, distort=0.0, digits=6, shift=0.0, threshold=0.5):
    """Scores and labels; `distort` makes scores too sure of themselves, `shift` moves the analysis rows."""
    random = np.random.default_rng(seed)

    def table(rows, shift):
        logit = random.normal(shift, 1.5, rows)
        truth = (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)
        score = np.round(1 / (1 + np.exp(-logit * (1 + distort))), digits)
        return pd.DataFrame({"score": score, "predicted": (score >= threshold).astype(int), "truth": truth})

    tables = table(reference, 0.0), table(analysis, shift)
    estimator = nml.CBPE(
        problem_type="classification_binary", y_pred_proba="score", y_pred="predicted", y_true="truth",
        metrics=METRICS, chunk_number=1,
    )
    estimator.fit(tables[0])
    errors = [name for name in METRICS if name != "average_precision"]
    expected = figures(estimator.estimate(tables[1]), METRICS, errors)
    return tables, {"metrics": expected, "calibrated": bool(estimator.needs_calibration)}


def multiclass(seed, classes, reference, analysis, distort=0.0, shift=0.0):
    random = np.random.default_rng(seed)
    names = [f"class_{index}" for index in range(classes)]

    def table(rows, shift):
        logits = random.normal(0, 1.5, (rows, classes))
        logits[:, 0] += shift
        share = lambda logits: np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        drawn = (random.random((rows, 1)) > share(logits).cumsum(axis=1)).sum(axis=1).clip(0, classes - 1)
        said = np.round(share(logits * (1 + distort)), 9)
        table = pd.DataFrame(said, columns=names)
        table["predicted"] = [names[index] for index in said.argmax(axis=1)]
        table["truth"] = [names[index] for index in drawn]
        return table

    tables = table(reference, 0.0), table(analysis, shift)
    estimator = nml.CBPE(
        problem_type="classification_multiclass", y_pred_proba={name: name for name in names},
        y_pred="predicted", y_true="truth", metrics=METRICS, chunk_number=1,
    )
    estimator.fit(tables[0])
    errors = [name for name in METRICS if name != "average_precision"]
    expected = figures(estimator.estimate(tables[1]), METRICS, errors)
    calibrated = [type(estimator._calibrators[name]).__name__ != "NoopCalibrator" for name in names]
    return tables, {"metrics": expected, "calibrated": calibrated}


def loss(seed, reference, analysis, spread=1.0, shift=0.0):
    """A model whose error grows with `a`."""
    random = np.random.default_rng(seed)

    def table(rows, shift):
        a = np.round(random.random(rows) * 2 + shift, 4)
        b = np.round(random.normal(0, 1, rows), 4)
        predicted = np.round(20 + 2 * a + b, 4)
        truth = np.round(predicted + random.normal(0, 1, rows) * spread * (0.2 + a), 4)
        return pd.DataFrame({"a": a, "b": b, "predicted": predicted, "truth": truth})

    tables = table(reference, 0.0), table(analysis, shift)
    estimator = nml.DLE(
        feature_column_names=["a", "b"], y_pred="predicted", y_true="truth", metrics=LOSSES, chunk_number=1,
    )
    estimator.fit(tables[0])
    return tables, {"metrics": figures(estimator.estimate(tables[1]), LOSSES, LOSSES)}


def reconstruction(seed, columns, reference, analysis, broken=False, categories=0, missing=0.0):
    """Columns that go together; `broken` takes the analysis columns apart and leaves each as it was."""
    random = np.random.default_rng(seed)

    def table(rows):
        common = random.normal(0, 1, (rows, 2))
        weights = np.array([[1, 0.2], [0.8, -0.4], [0.1, 1], [-0.6, 0.7], [0.5, 0.5], [1, -1]])[:columns]
        values = common @ weights.T + random.normal(0, 0.3, (rows, columns))
        table = pd.DataFrame(np.round(values, 5), columns=[f"x{index}" for index in range(columns)])
        if missing:
            table = table.mask(random.random(table.shape) < missing)
        if categories:
            place = np.clip((common[:, 0] * 1.2 + categories / 2).astype(int), 0, categories - 1)
            table["kind"] = [f"kind_{index}" for index in place]
        return table

    tables = [table(reference), table(analysis)]
    if broken:
        for index, name in enumerate(tables[1]):
            tables[1][name] = tables[1][name].sample(frac=1, random_state=seed + index).to_numpy()
    if categories:
        tables[1].loc[0, "kind"] = "never seen"
    calculator = nml.DataReconstructionDriftCalculator(column_names=list(tables[0].columns), chunk_number=1)
    calculator.fit(tables[0])
    row = calculator.calculate(tables[1]).filter(period="analysis").to_df().iloc[0]
    before = calculator.result.filter(period="reference").to_df().iloc[0]
    return tables, {
        "components": int(calculator._pca.n_components_),
        "reference": number(before[("reconstruction_error", "value")]),
        "value": number(row[("reconstruction_error", "value")]),
        "sampling_error": number(row[("reconstruction_error", "sampling_error")]),
    }


CASES = {
    "binary_calibrated": (binary, dict(seed=1, reference=500, analysis=300)),
    "binary_too_sure": (binary, dict(seed=2, reference=500, analysis=300, distort=1.0)),
    "binary_too_careful": (binary, dict(seed=3, reference=500, analysis=300, distort=-0.6)),
    "binary_shifted": (binary, dict(seed=4, reference=600, analysis=300, distort=0.8, shift=1.0)),
    "binary_few_positive": (binary, dict(seed=5, reference=600, analysis=300, shift=-2.0, distort=0.5)),
    "binary_many_positive": (binary, dict(seed=6, reference=600, analysis=300, shift=2.0)),
    "binary_threshold": (binary, dict(seed=7, reference=500, analysis=250, threshold=0.8, distort=0.7)),
    "binary_few_rows": (binary, dict(seed=8, reference=120, analysis=40, distort=1.0)),
    "three_classes": (multiclass, dict(seed=16, classes=3, reference=500, analysis=300)),
    "three_classes_too_sure": (multiclass, dict(seed=12, classes=3, reference=500, analysis=300, distort=1.0)),
    "three_classes_shifted": (multiclass, dict(seed=13, classes=3, reference=500, analysis=300, distort=0.8, shift=1.5)),
    "four_classes": (multiclass, dict(seed=14, classes=4, reference=600, analysis=300, distort=0.5)),
    "five_classes_careful": (multiclass, dict(seed=15, classes=5, reference=600, analysis=300, distort=-0.5)),
    "loss_even": (loss, dict(seed=21, reference=600, analysis=300, spread=0.5)),
    "loss_shifted": (loss, dict(seed=22, reference=600, analysis=300, shift=0.8)),
    "loss_small": (loss, dict(seed=23, reference=300, analysis=100, spread=0.1)),
    "loss_large": (loss, dict(seed=24, reference=600, analysis=200, spread=2.0, shift=-0.5)),
    "columns_same": (reconstruction, dict(seed=31, columns=4, reference=400, analysis=200)),
    "columns_broken": (reconstruction, dict(seed=32, columns=4, reference=400, analysis=200, broken=True)),
    "columns_six": (reconstruction, dict(seed=33, columns=6, reference=400, analysis=200)),
    "columns_missing": (reconstruction, dict(seed=34, columns=5, reference=400, analysis=200, missing=0.1)),
    "columns_with_labels": (reconstruction, dict(seed=35, columns=4, reference=400, analysis=200, categories=4)),
    "columns_all": (reconstruction, dict(seed=36, columns=6, reference=400, analysis=200, categories=3, missing=0.05, broken=True)),
}


def columns(table):
    plain = lambda value: None if value is None or value != value else value
    return {name: [plain(value) for value in table[name].tolist()] for name in table}


def record():
    cases = {}
    for name, (make, arguments) in CASES.items():
        tables, expected = make(**arguments)
        cases[name] = {
            "kind": make.__name__,
            "reference": columns(tables[0]),
            "analysis": columns(tables[1]),
            "expected": expected,
        }
    return cases


def differences(found, recorded, place=""):
    if isinstance(found, dict):
        for key in found:
            yield from differences(found[key], recorded.get(key), f"{place}.{key}")
    elif isinstance(found, list) and isinstance(recorded, list) and len(found) == len(recorded):
        for index, (one, other) in enumerate(zip(found, recorded)):
            yield from differences(one, other, f"{place}[{index}]")
    elif isinstance(found, float) and isinstance(recorded, float):
        if abs(found - recorded) > 1e-9 * max(abs(found), abs(recorded)):
            yield f"{place}: {found} now, {recorded} recorded"
    elif found != recorded:
        yield f"{place}: {found} now, {recorded} recorded"


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        with open(sys.argv[2]) as file:
            differing = list(differences(record(), json.load(file)))
        print("\n".join(differing))
        sys.exit(1 if differing else 0)
    with open(sys.argv[1], "w") as file:
        json.dump(record(), file, separators=(",", ":"))
        file.write("\n")
