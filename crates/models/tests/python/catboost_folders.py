"""Writes the folders cb_* of tests/models as the real MLflow logs CatBoost: python catboost_folders.py tests/models.

Made with CatBoost 1.2.10, MLflow 3.17.2, pandas 3.0.6. In each expected.json what the folder's pyfunc answers.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import catboost as cb
import mlflow
import numpy as np
import pandas as pd

OUT = Path(sys.argv[1])
RNG = np.random.default_rng(5)
FEW = {"iterations": 5, "depth": 3, "verbose": 0, "thread_count": 1, "allow_writing_files": False, "learning_rate": 0.5, "random_seed": 1}
KEPT = ["MLmodel", "model.cb", "requirements.txt"]


def folder(name, model, rows, predict_proba=False, **saved):
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "model"
        signature = mlflow.models.infer_signature(rows, model.predict(rows))
        mlflow.catboost.save_model(model, made, signature=signature, pip_requirements=["mlflow==3.17.2", "catboost==1.2.10"], **saved)
        path = OUT / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        for file in KEPT:
            shutil.copy(made / file, path / file)
        answer = mlflow.pyfunc.load_model(str(made)).predict(rows)
    data = [[None if value != value else value for value in row] for row in rows.astype(object).to_numpy().tolist()]
    document = {"inputs": {"columns": list(rows), "data": data}, "pyfunc_predict": np.asarray(answer).tolist()}
    if predict_proba:
        document["predict_proba"] = model.predict_proba(rows).tolist()
    (path / "expected.json").write_text(json.dumps(document) + "\n")


def main():
    n = 240
    frame = pd.DataFrame({"age": RNG.normal(40, 9, n), "city": RNG.choice(["Köln", "Ulm", "Bonn", "Trier"], n), "rooms": RNG.integers(1, 7, n), "income": RNG.normal(size=n), "kind": RNG.choice(["old", "new"], n)})
    frame.loc[::9, "age"] = np.nan
    target = frame.income + frame.rooms / 3 + (frame.city == "Köln") - (frame.kind == "old")
    cats = ["city", "rooms", "kind"]
    rows = frame[:30].copy()
    rows.loc[:3, "city"] = "Jena"
    rows.loc[2:5, "rooms"] = 77
    model = cb.CatBoostClassifier(**FEW, cat_features=cats, max_ctr_complexity=2).fit(frame, np.where(target > 1.2, "yes", "no"))
    folder("cb_classifier", model, rows, predict_proba=True)
    # With combinations of categories and splits.
    model = cb.CatBoostRegressor(**{**FEW, "iterations": 9, "depth": 4}, cat_features=cats, max_ctr_complexity=4, model_size_reg=0, one_hot_max_size=1, loss_function="Poisson").fit(frame, np.abs(target))
    folder("cb_json", model, rows, format="json", pool=cb.Pool(frame, cat_features=cats))
    numbers = frame[["age", "income", "rooms"]].astype(float)
    model = cb.CatBoostClassifier(**FEW, grow_policy="Lossguide").fit(numbers, np.digitize(target, [0.5, 1.5]))
    folder("cb_leafwise", model, numbers[:30], predict_proba=True)
    texts = pd.DataFrame({"text": RNG.choice(["good and well", "bad and worse", "neither of both"], n), "x": frame.income})
    model = cb.CatBoostClassifier(**FEW, text_features=["text"]).fit(texts, target > 1)
    folder("cb_text", model, texts[:5])


main()
