"""Small models of whatever versions are installed, in one file: run once for each version that is kept.

old_versions.py FILE.gz: a line of JSON, {"versions": {...}, "models": [{"name", "flavor", "file", "start", "length", "predict_fn", "inputs",
"pyfunc_predict", "tolerance"}]}, then the bytes of all model files, of which each model has its start and length.
Made with scikit-learn 1.0.2 (without skops) and 1.2.2 to 1.8.0, XGBoost 1.6 to 3.0 and LightGBM 3.3 to 4.6; the files are in tests/models/old.
"""

import gzip
import importlib
import json
import pickle
import sys
import warnings

import cloudpickle
import numpy as np
import pandas as pd
import sklearn

try:
    import skops.io
except ImportError:
    skops = None
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import *
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest, VarianceThreshold
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import *
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import *
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

warnings.filterwarnings("ignore")
RNG = np.random.default_rng(7)
MODELS = []
BYTES = bytearray()


def plain(value):
    return np.asarray(value).tolist()


def inputs(rows):
    if isinstance(rows, pd.DataFrame):
        data = [[None if v is None or v != v else v for v in row] for row in rows.astype(object).to_numpy().tolist()]
        return {"columns": list(rows), "data": data}
    return np.round(rows, 12).tolist()


def keep(name, flavor, file, content, predict_fn, rows, answer, tolerance):
    MODELS.append({"name": name, "flavor": flavor, "file": file, "start": len(BYTES), "length": len(content), "predict_fn": predict_fn,
                   "inputs": inputs(rows), "pyfunc_predict": plain(answer), "tolerance": tolerance})
    BYTES.extend(content)




def add(name, model, X, y, rows, tolerance=1e-12):
    try:
        model.fit(X, y)
        method = "predict" if hasattr(model, "predict") else "transform"
        answers = {method: getattr(model, method)(rows if name.startswith("text") is False else rows["text"].tolist())}
    except Exception as error:  # what a version cannot fit is no model of it
        print(f"not fitted: {name}: {type(error).__name__}: {error}"[:150], file=sys.stderr)
        return
    if hasattr(model, "predict_proba"):
        answers["predict_proba"] = model.predict_proba(rows if name.startswith("text") is False else rows["text"].tolist())
    for kind, dumps in {"pkl": cloudpickle.dumps, **({"skops": skops.io.dumps} if skops else {})}.items():
        try:
            content = dumps(model)
        except Exception as error:
            print(f"not written: {name} as {kind}: {type(error).__name__}: {error}"[:150], file=sys.stderr)
            continue
        for method, answer in answers.items():
            if method == "predict_proba" and skops and (kind == "pkl") == (len(MODELS) % 2 == 0):
                continue  # one of the two formats is enough
            if isinstance(answer, list):
                continue
            answer = answer.toarray() if hasattr(answer, "toarray") else answer
            keep(f"{name}.{kind}.{method}", {"sklearn": {"pickled_model": f"model.{kind}"}}, f"model.{kind}", content, method, rows, answer, tolerance)


def numbers():
    X = RNG.normal(size=(60, 4)).round(3)
    score = X @ np.array([1.0, -2.0, 0.5, 1.5]) + RNG.normal(size=60) * 0.3
    y, y3 = (score > 0).astype(int), np.digitize(score, [-1, 1])
    text = np.array(["low", "mid", "top"])[y3]
    rows = X[:12]
    add("logistic2", LogisticRegression(), X, y, rows)
    add("logistic3", LogisticRegression(), X, text, rows)
    add("logistic_ovr", LogisticRegression(solver="liblinear"), X, y, rows)
    if "multi_class" in LogisticRegression().get_params():
        add("logistic_multi_ovr", LogisticRegression(multi_class="ovr"), X, y3, rows)
        add("logistic_multinomial2", LogisticRegression(multi_class="multinomial"), X, y, rows)
    for name, model in {"linear": LinearRegression(), "ridge": Ridge(), "lasso": Lasso(0.1), "elastic": ElasticNet(0.1), "svr": SVR(), "knn_reg": KNeighborsRegressor(3), "tree_reg": DecisionTreeRegressor(max_depth=3), "forest_reg": RandomForestRegressor(3, max_depth=3),
                        "boosting_reg": GradientBoostingRegressor(n_estimators=3, max_depth=2), "hist_reg": HistGradientBoostingRegressor(max_iter=3, max_depth=2), "adaboost_reg": AdaBoostRegressor(n_estimators=3), "mlp_reg": MLPRegressor(hidden_layer_sizes=(3,), max_iter=20),
                        "stacking_reg": StackingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor(max_depth=2))], cv=2), "voting_reg": VotingRegressor([("a", Ridge()), ("b", LinearRegression())]), "multi_reg": MultiOutputRegressor(Ridge()), "bagging_reg": BaggingRegressor(n_estimators=2, max_samples=0.5)}.items():
        add(name, model, X, np.column_stack([score, -score]) if name == "multi_reg" else score, rows, 1e-11)
    classifiers = {"ridge_class": RidgeClassifier(), "sgd": SGDClassifier(loss="log_loss" if skops else "log"), "perceptron": Perceptron(), "linear_svc": LinearSVC(), "svc": SVC(), "svc_proba": SVC(probability=True), "nu_svc": NuSVC(nu=0.2), "gaussian": GaussianNB(),
                   "bernoulli": BernoulliNB(), "multinomial": make_pipeline(MinMaxScaler(), MultinomialNB()), "knn": KNeighborsClassifier(3), "mlp": MLPClassifier((3,), max_iter=20), "tree": DecisionTreeClassifier(max_depth=3), "forest": RandomForestClassifier(3, max_depth=3),
                   "extra": ExtraTreesClassifier(3, max_depth=3), "boosting": GradientBoostingClassifier(n_estimators=2, max_depth=2), "hist": HistGradientBoostingClassifier(max_iter=3, max_depth=2), "adaboost": AdaBoostClassifier(n_estimators=3, random_state=0),
                   "bagging": BaggingClassifier(n_estimators=2, max_samples=0.5), "voting": VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"), "stacking": StackingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], cv=2), "calibrated": CalibratedClassifierCV(LinearSVC(), cv=2),
                   "isotonic": CalibratedClassifierCV(GaussianNB(), cv=2, method="isotonic"), "ovr": OneVsRestClassifier(LogisticRegression()), "ovo": OneVsOneClassifier(LogisticRegression()), "lda": LinearDiscriminantAnalysis(),
                   "pipeline": make_pipeline(StandardScaler(), PCA(2), LogisticRegression()), "poly": make_pipeline(PolynomialFeatures(2), RobustScaler(), LogisticRegression()), "power": make_pipeline(PowerTransformer(), QuantileTransformer(n_quantiles=9), LogisticRegression()),
                   "bins": make_pipeline(KBinsDiscretizer(3), LogisticRegression()), "select": make_pipeline(VarianceThreshold(), SelectKBest(k=2), LogisticRegression()), "select_model": make_pipeline(SelectFromModel(DecisionTreeClassifier(max_depth=3)), GaussianNB()),
                   "union": make_pipeline(FeatureUnion([("a", MaxAbsScaler()), ("b", TruncatedSVD(2))]), Normalizer(), LogisticRegression()), "function": make_pipeline(MinMaxScaler(), FunctionTransformer(np.log1p), LogisticRegression()), "ridge_cv": RidgeClassifierCV()}
    for name, model in classifiers.items():
        add(name, model, X, y3, rows, 1e-9 if "svc" in name else 1e-11)
    for name in ("sgd", "svc_proba", "forest", "boosting", "hist", "adaboost", "mlp", "calibrated", "lda", "stacking"):
        add(f"{name}2", classifiers[name], X, np.array(["no", "yes"])[y], rows, 1e-9 if "svc" in name else 1e-11)
    for algorithm in ("SAMME", "SAMME.R"):
        try:
            model = AdaBoostClassifier(n_estimators=4, algorithm=algorithm, random_state=1)
        except TypeError:
            continue
        add(f"adaboost_{algorithm}", model, X, y3, rows, 1e-11)
        add(f"adaboost2_{algorithm}", model, X, y, rows, 1e-11)
    add("boosting_exponential", GradientBoostingClassifier(n_estimators=2, max_depth=2, loss="exponential"), X, y, rows)
    add("multi", MultiOutputClassifier(LogisticRegression()), X, np.column_stack([y, y3]), rows)
    add("forest_multi", RandomForestClassifier(2, max_depth=2), X, np.column_stack([y, y3]), rows)
    add("kmeans", KMeans(3, n_init=1), X, None, rows)
    add("isolation", IsolationForest(n_estimators=3, max_samples=20), X, None, rows)
    holes = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
    add("missing_hist", HistGradientBoostingClassifier(max_iter=3, max_depth=2), holes, y3, holes[:12])
    add("missing_tree", DecisionTreeClassifier(max_depth=3), holes, y3, holes[:12])
    add("missing_forest", RandomForestClassifier(2, max_depth=3), holes, y3, holes[:12])
    add("missing_knn", make_pipeline(KNNImputer(n_neighbors=2, add_indicator=True), LogisticRegression()), holes, y, holes[:12], 1e-10)
    coded = X.copy()
    coded[:, 1] = RNG.integers(0, 5, 60)
    hard = coded[:12].copy()
    hard[0, 1], hard[1, 1] = np.nan, 7
    add("hist_categories", HistGradientBoostingClassifier(max_iter=3, categorical_features=[1], min_samples_leaf=3), coded, y, hard)


def columns():
    n = 60
    frame = pd.DataFrame({"age": RNG.normal(40, 9, n).round(1), "city": RNG.choice(["a", "b", "c"], n), "plan": RNG.choice(["x", "y"], n), "count": RNG.integers(0, 4, n)})
    frame["city"], frame["plan"] = frame["city"].astype(object), frame["plan"].astype(object)
    y = np.where(frame.age + 5 * (frame.city == "a") > 42, "yes", "no")
    holes = frame.copy()
    holes.loc[::6, "age"] = np.nan
    rows = holes.iloc[:12].copy()
    rows.loc[2, "city"] = "unseen"
    encoders = {"one_hot": OneHotEncoder(handle_unknown="ignore"), **({"rare": OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=15)} if skops else {}), "drop": OneHotEncoder(drop="if_binary", handle_unknown="ignore"),
                "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)}
    try:
        encoders["target"] = importlib.import_module("sklearn.preprocessing").TargetEncoder()
    except AttributeError:  # since 1.3
        pass
    for name, encoder in encoders.items():
        pre = ColumnTransformer([("n", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["age"]), ("c", encoder, ["city", "plan"])], remainder="passthrough")
        add(f"columns_{name}", make_pipeline(pre, LogisticRegression()), holes, y, rows, 1e-10)
    pre = ColumnTransformer([("n", "passthrough", ["age"]), ("c", OneHotEncoder(handle_unknown="ignore"), ["city"])])
    add("columns_forest", make_pipeline(pre, RandomForestClassifier(2, max_depth=3)), frame, y, frame.iloc[:12])
    documents = [" ".join(RNG.choice("the quick brown fox jumps over lazy dog".split(), 6)) for _ in range(40)]
    target = np.array(["dog" in d for d in documents])
    some = pd.DataFrame({"text": documents[:10] + ["unseen words"]})
    add("text_tfidf", make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression()), documents, target, some)
    add("text_counts", make_pipeline(CountVectorizer(), MultinomialNB()), documents, target, some)
    add("text_forest", make_pipeline(TfidfVectorizer(), LinearSVC()), documents, target, some)


def boosters():
    X = RNG.normal(size=(80, 4)).round(3)
    score = X @ np.array([1.0, -2.0, 0.5, 1.5])
    y, y3 = (score > 0).astype(int), np.digitize(score, [-1, 1])
    rows = np.vstack([X[:10], np.where(RNG.random((4, 4)) < 0.4, np.nan, X[:4])])
    try:
        import xgboost as xgb
    except ImportError:
        xgb = None
    if xgb:
        for name, parameters, target in [("binary", {"objective": "binary:logistic"}, y), ("square", {}, score), ("multi", {"objective": "multi:softprob", "num_class": 3}, y3), ("dart", {"booster": "dart", "rate_drop": 0.4}, score),
                                         ("linear", {"booster": "gblinear"}, score), ("poisson", {"objective": "count:poisson"}, np.abs(score).round()), ("base", {"objective": "binary:logistic", "base_score": 0.3}, y)]:
            booster = xgb.train({"max_depth": 2, **parameters}, xgb.DMatrix(X, target), 4)
            for kind in ("ubj", "json"):
                flavor = {"xgboost": {"data": f"model.{kind}", "model_class": "xgboost.core.Booster"}}
                keep(f"xgb_{name}.{kind}", flavor, f"model.{kind}", bytes(booster.save_raw(kind)), "predict", rows, booster.predict(xgb.DMatrix(rows)), 2e-6)
        for name, model, target in [("classifier", xgb.XGBClassifier(n_estimators=3, max_depth=2), y3), ("classifier2", xgb.XGBClassifier(n_estimators=3, max_depth=2), y), ("regressor", xgb.XGBRegressor(n_estimators=3, max_depth=2), score)]:
            add(f"xgb_{name}", model, X, target, rows, 2e-6)
        model = xgb.XGBRegressor(n_estimators=40, max_depth=2, learning_rate=1.0, early_stopping_rounds=2).fit(X, score, eval_set=[(X[:20] + 0.5, score[:20])], verbose=False)
        flavor = {"xgboost": {"data": "model.ubj", "model_class": "xgboost.sklearn.XGBRegressor"}}
        keep("xgb_early.ubj", flavor, "model.ubj", bytes(model.get_booster().save_raw("ubj")), "predict", rows, model.predict(rows), 2e-6)
    try:
        import lightgbm as lgb
    except ImportError:
        return
    for name, parameters, target in [("binary", {"objective": "binary"}, y), ("l2", {}, score), ("multi", {"objective": "multiclass", "num_class": 3}, y3), ("linear", {"linear_tree": True}, score), ("rf", {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}, score),
                                     ("zero", {"zero_as_missing": True}, score), ("dart", {"boosting": "dart"}, score)]:
        settings = {"verbose": -1, "num_leaves": 4, "num_threads": 1, "min_data_in_leaf": 4, **parameters}
        booster = lgb.train(settings, lgb.Dataset(X, target, params=settings), 4)
        keep(f"lgb_{name}", {"lightgbm": {"data": "model.lgb", "model_class": "lightgbm.basic.Booster"}}, "model.lgb", booster.model_to_string().encode(), "predict", rows, booster.predict(rows), 1e-12)
    for name, model, target in [("classifier", lgb.LGBMClassifier(n_estimators=3, num_leaves=4, verbose=-1, n_jobs=1), np.array(["a", "b", "c"])[y3]), ("classifier2", lgb.LGBMClassifier(n_estimators=3, num_leaves=4, verbose=-1, n_jobs=1), y), ("regressor", lgb.LGBMRegressor(n_estimators=3, num_leaves=4, verbose=-1, n_jobs=1), score)]:
        add(f"lgb_{name}", model, X, target, rows)


numbers()
columns()
boosters()
versions = {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "skops": skops and skops.__version__}
for package in ("xgboost", "lightgbm"):
    try:
        versions[package] = importlib.import_module(package).__version__
    except ImportError:
        pass
with gzip.GzipFile(sys.argv[1], "wb", mtime=0) as file:
    file.write(json.dumps({"versions": versions, "models": MODELS}, separators=(",", ":")).encode() + b"\n" + BYTES)
print(versions, len(MODELS))
