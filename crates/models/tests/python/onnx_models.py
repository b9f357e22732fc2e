"""Writes ONNX models that converters make, and what ONNX Runtime answers on hard rows.

onnx_models.py FOLDER: for each model NAME.onnx and NAME.json with {"inputs", "outputs", "tolerance"}.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification, make_regression
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (AdaBoostClassifier, BaggingClassifier, ExtraTreesClassifier, ExtraTreesRegressor,
                              GradientBoostingClassifier, GradientBoostingRegressor, IsolationForest,
                              RandomForestClassifier, RandomForestRegressor, VotingClassifier)
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (ElasticNet, LinearRegression, LogisticRegression, Perceptron, Ridge, SGDClassifier)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (Binarizer, KBinsDiscretizer, LabelEncoder, MaxAbsScaler, MinMaxScaler, Normalizer,
                                   OneHotEncoder, OrdinalEncoder, PolynomialFeatures, RobustScaler, StandardScaler)
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

warnings.filterwarnings("ignore")
OUT = Path(sys.argv[1])
RNG = np.random.default_rng(0)


def hard_rows(model, base):
    """Random rows, and rows on split thresholds and one ulp beside them."""
    rows = [base[:40], RNG.normal(size=(40, base.shape[1]))]
    trees = []
    for part in ([model] + [step for _, step in getattr(model, "steps", [])]):
        estimators = getattr(part, "estimators_", [part])
        trees += [t.tree_ for t in np.ravel(np.array(estimators, dtype=object)) if hasattr(t, "tree_")]
    for tree in trees[:6]:
        for node in np.flatnonzero(tree.feature >= 0)[:12]:
            at = np.float32(tree.threshold[node])
            for value in (at, np.nextafter(at, np.float32(-np.inf)), np.nextafter(at, np.float32(np.inf))):
                row = base[int(RNG.integers(len(base)))].copy()
                row[tree.feature[node]] = value
                rows.append(row[None])
    return np.vstack(rows).astype(np.float32)


def write(name, onx, feeds, columns, tolerance=2e-5):
    session = ort.InferenceSession(onx.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    outputs = dict(zip(names, session.run(names, feeds)))
    to_list = lambda v: v.tolist() if isinstance(v, np.ndarray) else v
    (OUT / f"{name}.onnx").write_bytes(onx.SerializeToString())
    document = {"inputs": columns, "outputs": {k: to_list(v) for k, v in outputs.items()}, "tolerance": tolerance}
    (OUT / f"{name}.json").write_text(json.dumps(document))


def table(X):
    return {"columns": [str(i) for i in range(X.shape[1])], "data": X.tolist()}


def convert(name, model, X, double=False, zipmap=None, tolerance=2e-5, **extra):
    options = {} if zipmap is None else {"options": {id(model): {"zipmap": zipmap}}}
    kind = DoubleTensorType if double else FloatTensorType
    try:
        onx = to_onnx(model, initial_types=[("X", kind([None, X.shape[1]]))], **options, **extra)
        rows = hard_rows(model, X)
        if double:
            rows = rows.astype(np.float64)
        write(name, onx, {"X": rows}, table(rows.astype(np.float64)), tolerance)
    except Exception as error:  # what the converter or ONNX Runtime cannot do is no test of ours
        print(f"not converted: {name}: {type(error).__name__}: {error}"[:200], file=sys.stderr)


def classifiers(kind, X, y):
    models = {
        "logistic": LogisticRegression(max_iter=500), "sgd": SGDClassifier(loss="log_loss"), "perceptron": Perceptron(),
        "linear_svc": LinearSVC(), "lda": LinearDiscriminantAnalysis(), "gaussian_nb": GaussianNB(),
        "bernoulli_nb": BernoulliNB(), "tree": DecisionTreeClassifier(max_depth=6),
        "forest": RandomForestClassifier(n_estimators=20, max_depth=8), "extra_trees": ExtraTreesClassifier(n_estimators=12),
        "boosting": GradientBoostingClassifier(n_estimators=15), "adaboost": AdaBoostClassifier(n_estimators=8),
        "bagging": BaggingClassifier(n_estimators=5), "mlp": MLPClassifier(hidden_layer_sizes=(12, 7), max_iter=150),
        "svc": SVC(probability=True), "svc_linear": SVC(kernel="linear", probability=True),
        "svc_poly": SVC(kernel="poly", degree=2, probability=True), "svc_values": SVC(),
        "ovr": OneVsRestClassifier(LogisticRegression()),
        "voting": VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=3))], voting="soft"),
        "scaled": make_pipeline(StandardScaler(), LogisticRegression()),
        "pca": make_pipeline(PCA(3), LogisticRegression()),
        "poly": make_pipeline(PolynomialFeatures(2), LogisticRegression(max_iter=2000)),
        "select": make_pipeline(VarianceThreshold(), SelectKBest(k=3), RandomForestClassifier(n_estimators=5)),
        "min_max": make_pipeline(MinMaxScaler(), MultinomialNB()),
        "robust": make_pipeline(RobustScaler(), MaxAbsScaler(), Normalizer(), LogisticRegression()),
        "bins": make_pipeline(KBinsDiscretizer(4, encode="onehot-dense"), LogisticRegression()),
        "binarizer": make_pipeline(Binarizer(threshold=0.1), LogisticRegression()),
    }
    for name, model in models.items():
        model.fit(X, y)
        # One against one of values in f32 leaves labels on ties open, so tolerance cannot help there.
        convert(f"{kind}_{name}", model, X, zipmap=None if name in ("forest", "logistic") else False)
    convert(f"{kind}_forest_double", models["forest"], X, double=True, zipmap=False)
    convert(f"{kind}_forest_v3", models["forest"], X, zipmap=False, target_opset={"": 18, "ai.onnx.ml": 3})
    convert(f"{kind}_boosting_v5", models["boosting"], X, zipmap=False, target_opset={"": 21, "ai.onnx.ml": 5})


def regressors(X, y):
    models = {
        "linear": LinearRegression(), "ridge": Ridge(), "elastic": ElasticNet(), "tree": DecisionTreeRegressor(max_depth=7),
        "forest": RandomForestRegressor(n_estimators=15, max_depth=8), "extra": ExtraTreesRegressor(n_estimators=8, max_depth=9),
        "boosting": GradientBoostingRegressor(n_estimators=20), "svr": SVR(), "linear_svr": LinearSVR(),
        "svr_poly": SVR(kernel="poly", degree=3), "mlp": MLPRegressor(hidden_layer_sizes=(9,), max_iter=150),
    }
    for name, model in models.items():
        model.fit(X, y)
        convert(f"reg_{name}", model, X, tolerance=1e-4)
        convert(f"reg_{name}_double", model, X, double=True, tolerance=1e-4)
    two = np.column_stack([y, -2 * y + X[:, 0]])
    convert("reg_two_forest", RandomForestRegressor(n_estimators=6, max_depth=5).fit(X, two), X, tolerance=1e-4)
    convert("reg_two_linear", LinearRegression().fit(X, two), X, tolerance=1e-4)
    convert("kmeans", KMeans(4, n_init=2).fit(X), X, tolerance=1e-3)
    convert("svd", TruncatedSVD(2).fit(X), X)
    convert("isolation", IsolationForest(n_estimators=10).fit(X), X, tolerance=1e-4, target_opset={"": 15, "ai.onnx.ml": 3})


def mixed():
    n = 200
    frame = pd.DataFrame({"age": RNG.normal(40, 10, n).round(1), "income": RNG.normal(size=n), "city": RNG.choice(["a", "b", "ccc"], n),
                          "plan": RNG.choice(["x", "y"], n), "count": RNG.integers(0, 4, n)})
    frame.loc[::7, "age"] = np.nan
    y = np.where((frame.income + (frame.city == "a")) > 0.3, "yes", "no")
    numeric = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    types = [("age", FloatTensorType([None, 1])), ("income", FloatTensorType([None, 1])), ("city", StringTensorType([None, 1])),
             ("plan", StringTensorType([None, 1])), ("count", Int64TensorType([None, 1]))]
    rows = frame.iloc[:60].copy()
    rows.loc[3, "city"] = "unseen"
    feeds = {"age": rows[["age"]].to_numpy(np.float32), "income": rows[["income"]].to_numpy(np.float32), "city": rows[["city"]].to_numpy(object),
             "plan": rows[["plan"]].to_numpy(object), "count": rows[["count"]].to_numpy(np.int64)}
    data = rows.assign(age=rows.age.astype(np.float32), income=rows.income.astype(np.float32)).astype(object)
    columns = {"columns": list(rows), "data": [[None if v != v else v for v in row] for row in data.to_numpy().tolist()]}
    for name, last in {"logistic": LogisticRegression(), "forest": RandomForestClassifier(n_estimators=9)}.items():
        for dense in (True, False):
            encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=not dense)
            pre = ColumnTransformer([("n", numeric, ["age", "income"]), ("c", encoder, ["city", "plan"]), ("k", "passthrough", ["count"])])
            model = make_pipeline(pre, last).fit(frame, y)
            onx = to_onnx(model, initial_types=types, options={id(model.steps[-1][1]): {"zipmap": name == "forest"}})
            write(f"mixed_{name}_{dense}", onx, feeds, columns)
    ordinal = ColumnTransformer([("n", SimpleImputer(), ["age", "income"]), ("c", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["city", "plan"])])
    model = make_pipeline(ordinal, RandomForestClassifier(n_estimators=7)).fit(frame, y)
    kept = {k: v for k, v in feeds.items() if k != "count"}
    try:
        write("mixed_ordinal", to_onnx(model, initial_types=types[:4], options={"zipmap": False}), kept, columns)
    except Exception as error:
        print(f"not converted: mixed_ordinal: {error}"[:200], file=sys.stderr)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    X, y = make_classification(200, 5, n_informative=4, n_redundant=0, random_state=0)
    X = X.astype(np.float32)
    classifiers("two", X, y)
    X3, y3 = make_classification(240, 6, n_informative=5, n_redundant=0, n_classes=3, random_state=1)
    X3 = X3.astype(np.float32)
    classifiers("three", X3, y3)
    classifiers("text", X3, np.array(["low", "mid", "top"])[y3])
    XR, yr = make_regression(200, 5, noise=1.0, random_state=2)
    regressors(XR.astype(np.float32), yr)
    mixed()
    (OUT / "done").write_text("")


main()
