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

from catboost_table import CATEGORIES, FEW, asked, table

OUT = Path(sys.argv[1])
RNG = np.random.default_rng(5)
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
    frame, target = table(RNG, RNG.integers)
    rows = asked(frame)
    model = cb.CatBoostClassifier(**FEW, cat_features=CATEGORIES, max_ctr_complexity=2).fit(frame, np.where(target > 1.2, "yes", "no"))
    folder("cb_classifier", model, rows, predict_proba=True)
    # With combinations of categories and splits.
    model = cb.CatBoostRegressor(**{**FEW, "iterations": 9, "depth": 4}, cat_features=CATEGORIES, max_ctr_complexity=4, model_size_reg=0, one_hot_max_size=1, loss_function="Poisson").fit(frame, np.abs(target))
    folder("cb_json", model, rows, format="json", pool=cb.Pool(frame, cat_features=CATEGORIES))
    numbers = frame[["age", "income", "rooms"]].astype(float)
    model = cb.CatBoostClassifier(**FEW, grow_policy="Lossguide").fit(numbers, np.digitize(target, [0.5, 1.5]))
    folder("cb_leafwise", model, numbers[:30], predict_proba=True)
    texts = pd.DataFrame({"text": RNG.choice(["good and well", "bad and worse", "neither of both"], len(frame)), "x": frame.income})
    model = cb.CatBoostClassifier(**FEW, text_features=["text"]).fit(texts, target > 1)
    folder("cb_text", model, texts[:5])


main()
