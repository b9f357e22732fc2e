"""Explanations: our engine beside shap and the libraries, one thread each.

    python run.py FOLDER [--binary PATH]

Makes the models once (FOLDER is kept), measures Python in this process and ours by
`cargo run --release -p trainyard-models --example explain`, one after the other, and prints a table.
Figures are microseconds of CPU a row, the first decile of the rounds.
"""

import argparse
import json
import os
import subprocess
import time
import warnings
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import cloudpickle
import lightgbm as lgb
import numpy as np
import shap
import xgboost as xgb
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

warnings.filterwarnings("ignore")
ROWS, COLUMNS = 20_000, 50
ROOT = Path(__file__).resolve().parents[2]


def models(X, y):
    yield "XGBoost 100x6", xgb.train({"objective": "binary:logistic", "max_depth": 6, "nthread": 1}, xgb.DMatrix(X, y), 100)
    yield "XGBoost 500x6", xgb.train({"objective": "binary:logistic", "max_depth": 6, "nthread": 1}, xgb.DMatrix(X, y), 500)
    yield "LightGBM 100x31", lgb.train({"objective": "binary", "num_leaves": 31, "num_threads": 1, "verbose": -1}, lgb.Dataset(X, y), 100)
    yield "HistGradientBoosting 100", HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=0).fit(X, y)
    yield "RandomForest 50, depth 12", RandomForestClassifier(50, max_depth=12, n_jobs=1, random_state=0).fit(X, y)


def write(folder, X, y):
    (folder / "rows.f32").write_bytes(X[:1000].tobytes())
    for name, model in models(X, y):
        path = folder / name
        path.mkdir(parents=True, exist_ok=True)
        flavors = {"python_function": {"loader_module": "mlflow", "predict_fn": "predict"}}
        if isinstance(model, xgb.Booster):
            (path / "model.ubj").write_bytes(bytes(model.save_raw("ubj")))
            flavors["xgboost"] = {"data": "model.ubj", "model_class": "xgboost.core.Booster"}
        elif isinstance(model, lgb.Booster):
            (path / "model.lgb").write_text(model.model_to_string())
            flavors["lightgbm"] = {"data": "model.lgb", "model_class": "lightgbm.basic.Booster"}
        else:
            (path / "model.pkl").write_bytes(cloudpickle.dumps(model))
            flavors["sklearn"] = {"pickled_model": "model.pkl"}
        (path / "MLmodel").write_text(json.dumps({"flavors": flavors}))
        (path / "python.pkl").write_bytes(cloudpickle.dumps(model))
        explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
        explainer.model.model_type = "internal"
        values = np.asarray(explainer.shap_values(X[:100], check_additivity=False), dtype=float)
        if values.ndim == 2:
            values = values[:, :, None]
        (path / "expected.json").write_text(json.dumps(values.transpose(0, 2, 1).ravel().tolist()))
    (folder / "done").write_text("")


def measure(call, rounds):
    call()
    cpu = []
    for _ in range(rounds):
        before = time.process_time_ns()
        call()
        cpu.append(time.process_time_ns() - before)
    return float(np.quantile(cpu, 0.1)) / 1000


def python_figures(path, X):
    model = cloudpickle.loads((path / "python.pkl").read_bytes())
    explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    explainer.model.model_type = "internal"
    calls = {"shap": lambda rows: explainer.shap_values(rows, check_additivity=False)}
    if isinstance(model, xgb.Booster):
        calls["library"] = lambda rows: model.predict(xgb.DMatrix(rows), pred_contribs=True)
    if isinstance(model, lgb.Booster):
        calls["library"] = lambda rows: model.predict(rows, pred_contrib=True, num_threads=1)
    for how, call in calls.items():
        yield how, measure(lambda: call(X[:1]), 20), measure(lambda: call(X[:1000]), 3) / 1000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--binary", help="the built example; cargo makes it otherwise")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    X, y = make_classification(ROWS, COLUMNS, n_informative=20, random_state=0)
    X = X.astype(np.float32)
    if not (arguments.folder / "done").exists():
        write(arguments.folder, X, y)
    command = [arguments.binary] if arguments.binary else ["cargo", "run", "--release", "-q", "-p", "trainyard-models", "--example", "explain", "--"]
    print("| model | implementation | 1 row | a row of 1000 | first |\n|---|---|---|---|---|")
    for path in sorted(path for path in arguments.folder.iterdir() if (path / "MLmodel").exists()):
        for how, single, many in python_figures(path, X):
            print(f"| {path.name} | {how} | {single:.1f} | {many:.2f} | |", flush=True)
        output = subprocess.run([*command, str(arguments.folder), path.name], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        ours = json.loads(output)
        print(f"| {path.name} | **Trainyard** | {ours['single']:.1f} | {ours['many']:.2f} | {ours['first']:.0f} |", flush=True)


main()
