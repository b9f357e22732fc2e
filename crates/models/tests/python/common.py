"""Writes models of the real libraries as MLflow would, with what Python answers; put before each generator.

GENERATOR.py FOLDER: a model folder NAME (predict) and, where there is one, NAME.proba (predict_proba);
in each expected.json with {"inputs", "pyfunc_predict", "tolerance"}.
"""

import io
import json
import pickle
import sys
import warnings
from pathlib import Path

import cloudpickle
import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd
import skops.io
import xgboost as xgb
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import make_classification, make_regression
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import *
from sklearn.dummy import DummyRegressor
from sklearn.feature_selection import RFE, SelectKBest, SelectPercentile, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import *
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import *
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier

warnings.filterwarnings("ignore")
OUT = Path(sys.argv[1])
OUT.mkdir(parents=True, exist_ok=True)
RNG = np.random.default_rng(0)
FORMATS = ["skops", "cloudpickle", "joblib", "joblib-zlib", "joblib-gzip", 0, 1, 2, 3, 4, 5]
COUNT = 0


def plain(value):
    if isinstance(value, (pd.Series, pd.DataFrame)):
        value = value.to_numpy()
    return np.asarray(value).tolist()


def inputs(rows):
    if isinstance(rows, pd.DataFrame):
        data = [[None if v is None or v != v else v for v in row] for row in rows.astype(object).to_numpy().tolist()]
        return {"columns": list(rows), "data": data}
    return rows.tolist()


def folder(name, file, content, flavor, predict_fn, rows, answer, tolerance):
    global COUNT
    COUNT += 1
    path = OUT / name
    path.mkdir(parents=True, exist_ok=True)
    (path / file).write_bytes(content)
    loader = "mlflow." + next(iter(flavor))
    flavors = {**flavor, "python_function": {"loader_module": loader, "predict_fn": predict_fn, "model_path": file}}
    (path / "MLmodel").write_text(json.dumps({"flavors": flavors, "mlflow_version": "3.17.2"}))
    # Answers of several columns have a list for each.
    answer = answer if isinstance(answer, (dict, str)) else plain(answer)
    document = {"inputs": inputs(rows), "pyfunc_predict": answer, "tolerance": tolerance}
    if isinstance(rows, pd.DataFrame):
        document["singles"] = [name for name in rows if rows[name].dtype == np.float32]
    (path / "expected.json").write_text(json.dumps(document))


def dump(model, kind):
    if kind == "skops":
        return "model.skops", skops.io.dumps(model)
    if isinstance(kind, str) and kind.startswith("joblib"):
        file = io.BytesIO()
        joblib.dump(model, file, compress=0 if kind == "joblib" else (kind.split("-")[1], 3))
        return "model.joblib", file.getvalue()
    if kind == "cloudpickle":
        return "model.pkl", cloudpickle.dumps(model)
    return "model.pkl", pickle.dumps(model, protocol=kind)


def save(name, model, rows, kinds=("skops", "cloudpickle"), tolerance=1e-12):
    try:
        save_each(name, model, rows, kinds, tolerance)
    except Exception as error:  # rows that scikit-learn itself refuses are no test of ours
        print(f"not answered: {name}: {type(error).__name__}: {error}"[:160], file=sys.stderr)


def save_each(name, model, rows, kinds, tolerance):
    for kind in kinds:
        try:
            file, content = dump(model, kind)
        except Exception as error:  # what skops cannot write is no test of ours
            print(f"not written: {name} as {kind}: {type(error).__name__}: {error}"[:160], file=sys.stderr)
            continue
        flavor = {"sklearn": {"code": None, "pickled_model": file}}
        method = "predict" if hasattr(model, "predict") else "transform"
        answer = getattr(model, method)(rows)
        if hasattr(answer, "toarray"):
            answer = answer.toarray()
        folder(f"{name}-{kind}", file, content, flavor, method, rows, answer, tolerance)
        if kind == kinds[0] and hasattr(model, "predict_proba"):
            proba = model.predict_proba(rows)
            if not isinstance(proba, list):
                folder(f"{name}-{kind}.proba", file, content, flavor, "predict_proba", rows, proba, tolerance)
        if kind == kinds[0] and hasattr(model, "decision_function") and type(model).__module__.startswith("sklearn"):
            folder(f"{name}-{kind}.decision", file, content, flavor, "decision_function", rows, model.decision_function(rows), tolerance)


def save_method(name, model, method, rows, kinds=("skops", "cloudpickle"), tolerance=1e-12):
    """A model asked one method."""
    for kind in kinds:
        file, content = dump(model, kind)
        answer = getattr(model, method)(rows)
        if hasattr(answer, "toarray"):
            answer = answer.toarray()
        folder(f"{name}-{kind}", file, content, {"sklearn": {"code": None, "pickled_model": file}}, method, rows, answer, tolerance)


def trees_of(model):
    for part in [model] + [step for _, step in getattr(model, "steps", [])]:
        for tree in np.ravel(np.array(getattr(part, "estimators_", [part]), dtype=object)):
            if hasattr(tree, "tree_"):
                yield tree.tree_.feature, tree.tree_.threshold
        for iteration in getattr(part, "_predictors", []):
            for tree in iteration:
                nodes = tree.nodes[tree.nodes["is_leaf"] == 0]
                yield nodes["feature_idx"].astype(int), nodes["num_threshold"]


def hard_rows(model, X, missing=False, single=True):
    """Random rows, rows on thresholds and one ulp beside them, rows with missing values."""
    rows = [X[:30], RNG.normal(size=(30, X.shape[1]))]
    for features, thresholds in list(trees_of(model))[:5]:
        for feature, threshold in list(zip(features, thresholds))[:10]:
            if not 0 <= feature < X.shape[1]:  # steps before it can widen the input
                continue
            if not np.isfinite(np.float32(threshold)):
                continue
            at = np.float32(threshold) if single else np.float64(threshold)
            for value in (threshold, at, np.nextafter(at, type(at)(-np.inf)), np.nextafter(at, type(at)(np.inf))):
                row = X[int(RNG.integers(len(X)))].copy()
                row[feature] = value
                rows.append(row[None])
    rows = np.vstack(rows)
    if missing:
        holes = rows[:40].copy()
        holes[RNG.random(holes.shape) < 0.3] = np.nan
        rows = np.vstack([rows, holes])
    return rows


def done():
    (OUT / "done").write_text(str(COUNT))
