"""XGBoost and LightGBM of whatever version is installed: objectives by boosters by kinds of data, in each format it writes.

old_boosters.py FILE.gz [SHARE]: as old_versions.py writes it; one model of so many, all of them if no number is given (the long
sweep: `cargo run --release -p trainyard-models --example compare FILE.gz FOLDER` holds them against their answers). "refused" stands
for the answer where a file is refused by name. The files in tests/models/old are of the share 40, made with XGBoost 0.90 and LightGBM
3.3.5, 1.0.2 and 2.3.1, 1.2.1 and 3.0.0, 1.3.3 and 3.3.5, 1.5.2 and 2.2.3, 1.6.2 and 3.3.2, 2.1.4 and 4.0.0, 3.0.5 and 4.3.0, 3.4.1 and 4.5.0.
"""

import gzip
import io
import itertools
import json
import pickle
import sys
import tempfile
import warnings
from pathlib import Path

import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.filterwarnings("ignore")
if hasattr(xgb, "set_config"):
    xgb.set_config(verbosity=0)
RNG = np.random.RandomState(7)
SHARE = int(sys.argv[2]) if len(sys.argv) > 2 else 1
MODELS = []
BYTES = bytearray()
SEEN = 0
XGB = tuple(int(part) for part in xgb.__version__.split(".")[:2])
LGB = tuple(int(part) for part in lgb.__version__.split(".")[:2])


def keep(name, flavor, file, content, rows, answer, tolerance, method="predict"):
    if isinstance(rows, pd.DataFrame):
        data = [[None if v is None or v != v else v for v in row] for row in rows.astype(object).values.tolist()]
        rows = {"columns": [str(name) for name in rows], "data": data}
    else:
        rows = np.asarray(rows).tolist()
    answer = answer if isinstance(answer, str) else np.asarray(answer).tolist()
    MODELS.append({"name": name, "flavor": flavor, "file": file, "start": len(BYTES), "length": len(content), "predict_fn": method, "inputs": rows,
                   "pyfunc_predict": answer, "tolerance": tolerance})
    BYTES.extend(content)


# What versions wrote and read in ways of their own.
ALWAYS = {"xgb_binary_logitraw_base_numbers", "xgb_multi_softprob_forest_numbers", "xgb_frame", "xgb_class_text", "xgb_class_gaps", "xgb_class_missing", "xgb_class_forest", "xgb_class_named", "xgb_class_stopped_forest", "lgb_frame_text", "lgb_cross_entropy_gbdt_numbers"}


def drawn(name):
    """Whether this model is one of those that are kept."""
    global SEEN
    SEEN += 1
    return SEEN % SHARE == 0 or name in ALWAYS


def attempt(name, make):
    """What a version cannot train, write or ask is no model of it. Before 1.0 dart dropped trees at random in predictions as well."""
    if not drawn(name) or XGB < (1, 0) and name.startswith("xgb") and "dart" in name:
        return
    try:
        make()
    except Exception as error:
        print(f"not made: {name}: {type(error).__name__}: {error}"[:170].replace("\n", " "), file=sys.stderr)


def saved(model, file):
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / file
        model.save_model(str(path))
        return path.read_bytes()


def table(rows=120):
    X = np.round(RNG.normal(size=(rows, 5)), 3)
    score = X @ np.array([1.0, -2.0, 0.5, 1.5, 0.0]) + 0.2 * RNG.normal(size=rows)
    return X, score


X, SCORE = table()
HOLES = np.where(RNG.uniform(size=X.shape) < 0.25, np.nan, X)
CODES = X.copy()
CODES[:, 1], CODES[:, 3] = RNG.randint(0, 9, len(X)), RNG.randint(0, 3, len(X))
Y, Y3 = (SCORE > 0).astype(int), np.digitize(SCORE, [-1.5, 1.5])
POSITIVE = np.abs(SCORE) + 0.1
DATA = {"numbers": X, "holes": HOLES, "codes": CODES}
GROUPS = [12] * 10

XGB_TARGETS = {
    "reg:squarederror": SCORE, "reg:squaredlogerror": POSITIVE, "reg:logistic": Y * 0.8 + 0.1, "reg:pseudohubererror": SCORE, "reg:absoluteerror": SCORE, "reg:quantileerror": SCORE, "reg:expectileerror": SCORE,
    "binary:logistic": Y, "binary:logitraw": Y, "binary:hinge": Y, "count:poisson": np.round(POSITIVE), "survival:cox": POSITIVE, "survival:aft": POSITIVE, "multi:softmax": Y3, "multi:softprob": Y3,
    "rank:pairwise": Y3, "rank:ndcg": Y3, "rank:map": Y, "reg:gamma": POSITIVE, "reg:tweedie": POSITIVE,
}
XGB_NEEDS = {"reg:quantileerror": {"quantile_alpha": 0.3}, "reg:expectileerror": {"expectile_alpha": 0.3}, "multi:softmax": {"num_class": 3}, "multi:softprob": {"num_class": 3}}
XGB_VARIANTS = {
    "gbtree": {}, "dart": {"booster": "dart", "rate_drop": 0.5, "one_drop": 1}, "dart_forest": {"booster": "dart", "rate_drop": 0.3, "normalize_type": "forest"}, "linear": {"booster": "gblinear"}, "forest": {"num_parallel_tree": 3, "subsample": 0.6},
    "leafwise": {"tree_method": "hist", "grow_policy": "lossguide", "max_leaves": 6, "max_depth": 0}, "exact": {"tree_method": "exact"}, "approx": {"tree_method": "approx"}, "base": {"base_score": 0.3},
}


def around(dump, rows):
    """Rows on thresholds and one ulp beside them."""
    more = []
    for line in "\n".join(dump[:3]).splitlines():
        if "<" not in line or len(more) > 40:
            continue
        feature, threshold = line.split("[")[1].split("]")[0].split("<")
        at = np.float32(threshold)
        for value in (at, np.nextafter(at, np.float32(-np.inf)), np.nextafter(at, np.float32(np.inf))):
            row = rows[0].copy()
            row[int(feature.lstrip("f"))] = value
            more.append(row)
    return np.vstack([rows] + more)


def xgb_matrix(rows, kind, target=None, objective=""):
    given = {"feature_types": ["q", "c", "q", "c", "q"], "enable_categorical": True} if kind == "codes" else {}
    matrix = xgb.DMatrix(rows, **given)
    if target is not None and objective == "survival:aft":
        matrix.set_float_info("label_lower_bound", target)
        matrix.set_float_info("label_upper_bound", target + 1)
    elif target is not None:
        matrix.set_label(target)
        if objective.startswith("rank:"):
            matrix.set_group(GROUPS)
    return matrix


def xgb_rows(kind, booster, variant):
    rows = np.vstack([DATA[kind][:12], HOLES[:8]]) if kind != "codes" else CODES[:20].copy()
    if kind == "codes":
        rows[0, 1], rows[1, 3], rows[2, 0] = np.nan, np.nan, np.nan
        return rows
    return rows if variant == "linear" else around(booster.get_dump(), rows)


def xgb_files(name, booster, rows, answer):
    for file in ("model.json", "model.ubj"):
        if file == "model.ubj" and XGB < (1, 6) or file == "model.json" and XGB < (1, 0):
            continue
        keep(f"{name}-{file[6:]}", {"xgboost": {"data": file, "model_class": "xgboost.core.Booster"}}, file, saved(booster, file), rows, answer, 2e-6)
    if XGB < (3, 1) and name.endswith("numbers"):
        keep(f"{name}-binary", {"xgboost": {"data": "model.deprecated", "model_class": "xgboost.core.Booster"}}, "model.deprecated", saved(booster, "model.deprecated"), rows, answer, 2e-6)
    if name.endswith("numbers"):
        keep(f"{name}-pickle", {"sklearn": {"pickled_model": "model.pkl"}}, "model.pkl", pickle.dumps(booster), rows, answer, 2e-6)


def xgb_one(name, kind, objective, variant, parameters, target, rounds=4):
    settings = {"objective": objective, "max_depth": 3, "seed": 1, "nthread": 1, **XGB_NEEDS.get(objective, {}), **parameters}
    if kind == "codes":
        settings.setdefault("tree_method", "hist" if XGB >= (1, 7) else "approx")
    booster = xgb.train(settings, xgb_matrix(DATA[kind], kind, target, objective), rounds)
    rows = xgb_rows(kind, booster, variant)
    xgb_files(name, booster, rows, booster.predict(xgb_matrix(rows, kind)))


def xgb_boosters():
    for objective, (variant, parameters), kind in itertools.product(XGB_TARGETS, XGB_VARIANTS.items(), DATA):
        if kind == "codes" and (variant in ("linear", "exact", "approx") or XGB < (1, 5)):
            continue
        name = f"xgb_{objective.replace(':', '_')}_{variant}_{kind}"
        attempt(name, lambda: xgb_one(name, kind, objective, variant, parameters, XGB_TARGETS[objective]))
    two = np.column_stack([SCORE, -SCORE + X[:, 0]])
    flags = np.column_stack([Y, Y3 == 1])
    vector = {"multi_strategy": "multi_output_tree", "tree_method": "hist"}
    more = {
        "two": ("reg:squarederror", {}, two), "flags": ("binary:logistic", {}, flags), "two_dart": ("reg:squarederror", {"booster": "dart", "rate_drop": 0.4}, two), "two_linear": ("reg:squarederror", {"booster": "gblinear"}, two), "two_forest": ("reg:squarederror", {"num_parallel_tree": 2}, two),
        "two_abs": ("reg:absoluteerror", {}, two), "two_huber": ("reg:pseudohubererror", {}, two), "two_base": ("reg:squarederror", {"base_score": 1.5}, two), "vector": ("reg:squarederror", vector, two), "vector_flags": ("binary:logistic", vector, flags), "vector_soft": ("multi:softprob", vector, Y3),
        "vector_quantiles": ("reg:quantileerror", {**vector, "quantile_alpha": [0.2, 0.7]}, SCORE), "quantiles": ("reg:quantileerror", {"quantile_alpha": [0.9, 0.1, 0.5]}, SCORE), "quantiles_linear": ("reg:quantileerror", {"quantile_alpha": [0.9, 0.1], "booster": "gblinear"}, SCORE), "expectiles": ("reg:expectileerror", {"expectile_alpha": [0.9, 0.1]}, SCORE),
        "onehot": ("reg:squarederror", {"max_cat_to_onehot": 20}, SCORE), "sets": ("reg:squarederror", {"max_cat_to_onehot": 1, "max_cat_threshold": 4}, SCORE), "sets_soft": ("multi:softprob", {"max_cat_to_onehot": 1}, Y3), "sets_dart": ("binary:logistic", {"max_cat_to_onehot": 1, "booster": "dart", "rate_drop": 0.5}, Y),
        "weights": ("binary:logistic", {"scale_pos_weight": 3.0}, Y), "monotone": ("reg:squarederror", {"monotone_constraints": "(1,0,-1,0,0)"}, SCORE), "deep": ("reg:squarederror", {"max_depth": 9, "min_child_weight": 0}, SCORE), "no_rounds": ("binary:logistic", {"base_score": 0.7}, Y),
        "pruned": ("reg:squarederror", {"gamma": 2.0}, SCORE), "shotgun": ("reg:squarederror", {"booster": "gblinear", "updater": "shotgun"}, SCORE), "tweedie_power": ("reg:tweedie", {"tweedie_variance_power": 1.2}, POSITIVE), "aft_logistic": ("survival:aft", {"aft_loss_distribution": "logistic"}, POSITIVE),
        "dart_weighted": ("binary:logistic", {"booster": "dart", "rate_drop": 0.5, "sample_type": "weighted"}, Y), "base_zero": ("reg:squarederror", {"base_score": 0.0}, SCORE), "base_poisson": ("count:poisson", {"base_score": 2.5}, np.round(POSITIVE)), "base_gamma": ("reg:gamma", {"base_score": 3.0}, POSITIVE),
    }
    for name, (objective, parameters, target) in more.items():
        for kind in DATA:
            if kind == "codes" and (XGB < (1, 5) or "linear" in name or name == "shotgun") or kind != "codes" and name.startswith(("onehot", "sets")):
                continue
            whole = f"xgb_more_{name}_{kind}"
            variant = "linear" if "gblinear" in parameters.values() else name
            attempt(whole, lambda: xgb_one(whole, kind, objective, variant, parameters, target, 0 if name == "no_rounds" else 4))
    attempt("xgb_own", xgb_own)
    attempt("xgb_named", xgb_named)
    attempt("xgb_frame", xgb_frame)
    attempt("xgb_stopped", xgb_stopped)


def xgb_own():
    """An objective in Python is none in the file."""
    matrix = xgb.DMatrix(X, SCORE)
    booster = xgb.train({"max_depth": 2}, matrix, 3, obj=lambda margin, data: (margin - data.get_label(), np.ones(len(margin))))
    xgb_files("xgb_own_numbers", booster, X[:12], booster.predict(xgb.DMatrix(X[:12])))


def xgb_named():
    names = ["age", "income", "city", "x y", "é"]
    booster = xgb.train({"max_depth": 2}, xgb.DMatrix(X, SCORE, feature_names=names), 3)
    rows = pd.DataFrame(X[:12], columns=names)
    xgb_files("xgb_named_holes", booster, rows, booster.predict(xgb.DMatrix(rows)))


def xgb_frame():
    """Categories of pandas: texts that only a file of 3.1 and later keeps."""
    frame = pd.DataFrame(X, columns=list("abcde")).assign(b=pd.Categorical(np.array(["u", "v", "w", "x"])[RNG.randint(0, 4, len(X))]))
    matrix = xgb.DMatrix(frame, SCORE, enable_categorical=True)
    booster = xgb.train({"max_depth": 3, "tree_method": "hist"}, matrix, 3)
    rows = frame[:12].copy()
    answer = booster.predict(xgb.DMatrix(rows, enable_categorical=True))
    for file in ("model.json", "model.ubj"):
        name = f"xgb_frame-{file[6:]}"
        if XGB < (3, 1):
            keep("codes_" + name, {"xgboost": {"data": file, "model_class": "xgboost.core.Booster"}}, file, saved(booster, file), rows.assign(b=rows.b.cat.codes.astype(float)), answer, 2e-6)
        else:
            keep(name, {"xgboost": {"data": file, "model_class": "xgboost.core.Booster"}}, file, saved(booster, file), rows.assign(b=rows.b.astype(object)), answer, 2e-6)


def xgb_stopped():
    """A plain booster answers with all of its rounds."""
    booster = xgb.train({"max_depth": 3, "eta": 0.9}, xgb.DMatrix(X, SCORE), 30, evals=[(xgb.DMatrix(X[:30] + 0.4, SCORE[:30]), "e")], early_stopping_rounds=3, verbose_eval=False)
    xgb_files("xgb_stopped_numbers", booster, X[:12], booster.predict(xgb.DMatrix(X[:12])))


def xgb_classes():
    text = np.array(["low", "mid", "top"])[Y3]
    few = {"n_estimators": 4, "max_depth": 3, "n_jobs": 1}
    holes = np.where(np.isnan(HOLES), -999.0, HOLES)
    makers = {
        "binary": (lambda: xgb.XGBClassifier(**few), X, Y, X[:12]), "three": (lambda: xgb.XGBClassifier(**few), X, Y3, X[:12]), "holes": (lambda: xgb.XGBClassifier(**few), HOLES, Y, HOLES[:12]), "regressor": (lambda: xgb.XGBRegressor(**few), X, SCORE, X[:12]),
        "text": (lambda: xgb.XGBClassifier(**few), X, text, X[:12]), "yes_no": (lambda: xgb.XGBClassifier(**few), X, np.array(["no", "yes"])[Y], X[:12]), "gaps": (lambda: xgb.XGBClassifier(**few), X, Y3 * 10, X[:12]), "plain_codes": (lambda: xgb.XGBClassifier(use_label_encoder=False, **few), X, Y3, X[:12]),
        "missing": (lambda: xgb.XGBRegressor(missing=-999.0, **few), holes, SCORE, np.vstack([holes[:12], HOLES[:6]])), "missing_class": (lambda: xgb.XGBClassifier(missing=-999.0, **few), holes, Y, holes[:12]), "forest": (lambda: xgb.XGBRFClassifier(n_estimators=4, max_depth=3), X, Y3, X[:12]), "forest_reg": (lambda: xgb.XGBRFRegressor(n_estimators=4, max_depth=3), X, SCORE, X[:12]),
        "dart": (lambda: xgb.XGBClassifier(booster="dart", rate_drop=0.5, **few), X, Y3, X[:12]), "linear": (lambda: xgb.XGBClassifier(booster="gblinear", **few), X, Y3, X[:12]), "linear_two": (lambda: xgb.XGBRegressor(booster="gblinear", **few), X, SCORE, X[:12]), "hinge": (lambda: xgb.XGBClassifier(objective="binary:hinge", **few), X, Y, X[:12]),
        "softmax": (lambda: xgb.XGBClassifier(objective="multi:softmax", **few), X, Y3, X[:12]), "logitraw": (lambda: xgb.XGBClassifier(objective="binary:logitraw", **few), X, Y, X[:12]), "poisson": (lambda: xgb.XGBRegressor(objective="count:poisson", **few), X, np.round(POSITIVE), X[:12]), "flags": (lambda: xgb.XGBClassifier(**few), X, np.column_stack([Y, Y3 == 1]).astype(int), X[:12]),
        "two": (lambda: xgb.XGBRegressor(**few), X, np.column_stack([SCORE, -SCORE]), X[:12]), "quantiles": (lambda: xgb.XGBRegressor(objective="reg:quantileerror", quantile_alpha=np.array([0.1, 0.9]), **few), X, SCORE, X[:12]), "base": (lambda: xgb.XGBRegressor(base_score=1.25, **few), X, SCORE, X[:12]), "booleans": (lambda: xgb.XGBClassifier(**few), X, Y == 1, X[:12]),
        "named": (lambda: xgb.XGBClassifier(**few), pd.DataFrame(X, columns=list("abcde")), Y3, pd.DataFrame(X[:12], columns=list("abcde"))), "stopped": (lambda: xgb.XGBRegressor(n_estimators=30, max_depth=3, learning_rate=0.9), X, SCORE, X[:12]), "stopped_class": (lambda: xgb.XGBClassifier(n_estimators=30, max_depth=3, learning_rate=0.9), X, Y3, X[:12]),
        "stopped_dart": (lambda: xgb.XGBRegressor(n_estimators=20, max_depth=3, booster="dart", learning_rate=0.9), X, SCORE, X[:12]), "stopped_forest": (lambda: xgb.XGBRegressor(n_estimators=20, num_parallel_tree=2, max_depth=3, learning_rate=0.9, subsample=0.7), X, SCORE, X[:12]), "pipeline": (lambda: make_pipeline(StandardScaler(), xgb.XGBClassifier(**few)), X, Y3, X[:12]),
        "ranker": (lambda: xgb.XGBRanker(objective="rank:ndcg", **few), X, Y3, X[:12]),
    }
    for name, (make, data, target, rows) in makers.items():
        attempt(f"xgb_class_{name}", lambda: xgb_class(f"xgb_class_{name}", make(), data, target, rows))


def xgb_class(name, model, data, target, rows):
    if "stopped" in name:
        settings = {"eval_set": [(X[:30] + 0.5, target[:30])], "verbose": False}
        if XGB < (1, 6):
            settings["early_stopping_rounds"] = 2
        else:
            model.set_params(early_stopping_rounds=2)
        model.fit(data, target, **settings)
    elif "ranker" in name:
        model.fit(data, target, group=GROUPS)
    else:
        model.fit(data, target)
    kind = type(model).__name__
    if hasattr(model, "save_model"):
        for file in ("model.json", "model.ubj", "model.deprecated"):
            if file == "model.ubj" and XGB < (1, 6) or file == "model.json" and XGB < (1, 0) or file == "model.deprecated" and XGB >= (3, 1):
                continue
            content = saved(model, file)
            loaded = type(model)()  # as MLflow loads it
            with tempfile.TemporaryDirectory() as scratch:
                path = Path(scratch) / file
                path.write_bytes(content)
                loaded.load_model(str(path))
            keep(f"{name}-{file[6:]}", {"xgboost": {"data": file, "model_class": f"xgboost.sklearn.{kind}"}}, file, content, rows, loaded.predict(rows), 2e-6)
    packed = io.BytesIO()
    joblib.dump(model, packed)
    for file, content in {"model.pkl": pickle.dumps(model), "model.joblib": packed.getvalue()}.items():
        flavor = {"sklearn": {"pickled_model": file}}
        keep(f"{name}-{file[6:]}", flavor, file, content, rows, model.predict(rows), 2e-6)
        if hasattr(model, "predict_proba") and file == "model.pkl":
            keep(f"{name}-{file[6:]}.proba", flavor, file, content, rows, model.predict_proba(rows), 2e-6, "predict_proba")


LGB_TARGETS = {
    "regression": SCORE, "l1": SCORE, "huber": SCORE, "fair": SCORE, "poisson": POSITIVE, "quantile": SCORE, "mape": POSITIVE, "gamma": POSITIVE, "tweedie": POSITIVE, "binary": Y, "multiclass": Y3, "multiclassova": Y3, "cross_entropy": Y * 0.8 + 0.1, "cross_entropy_lambda": Y * 0.8 + 0.1,
    "lambdarank": Y3, "rank_xendcg": Y3,
}
BAGS = {"bagging_freq": 1, "bagging_fraction": 0.6}
LGB_VARIANTS = {
    "gbdt": {}, "dart": {"boosting": "dart", "drop_rate": 0.5}, "rf": {"boosting": "rf", **BAGS}, "goss": {"boosting": "goss"}, "linear": {"linear_tree": True}, "zero": {"zero_as_missing": True}, "no_missing": {"use_missing": False}, "sqrt": {"reg_sqrt": True}, "sigmoid": {"sigmoid": 0.4}, "stump": {"num_leaves": 2}, "extra": {"extra_trees": True, "path_smooth": 1.0},
    "one_hot": {"max_cat_to_onehot": 20}, "sets": {"max_cat_to_onehot": 1, "cat_smooth": 1, "cat_l2": 1, "min_data_per_group": 1, "max_cat_threshold": 5}, "constant": {"min_data_in_leaf": 1000},
}


def lgb_rows(kind, booster):
    rows = np.vstack([DATA[kind][:12], HOLES[:8], np.zeros((1, 5)), np.full((1, 5), 1e-36), np.full((1, 5), np.inf)])
    if kind == "codes":
        rows[0, 1], rows[1, 1], rows[2, 3], rows[3, 1], rows[4, 1] = np.nan, 99.0, -1.0, 2.7, 1e9
    more = []
    for tree in booster.dump_model()["tree_info"][:3]:
        nodes = [tree["tree_structure"]]
        while nodes:
            node = nodes.pop()
            if "left_child" not in node:
                continue
            nodes += [node["left_child"], node["right_child"]]
            if node["decision_type"] == "<=" and len(more) < 40:
                for value in (node["threshold"], np.nextafter(node["threshold"], -np.inf), np.nextafter(node["threshold"], np.inf)):
                    row = DATA[kind][0].copy()
                    row[node["split_feature"]] = value
                    more.append(row)
    return np.vstack([rows] + more)


def lgb_one(name, objective, parameters, kind):
    settings = {"objective": objective, "verbose": -1, "num_leaves": 5, "num_threads": 1, "min_data_in_leaf": 4, "seed": 1, **parameters}
    if objective.startswith("multi"):
        settings["num_class"] = 3
    given = {"group": GROUPS} if "rank" in objective else {}
    given.update({"categorical_feature": [1, 3]} if kind == "codes" else {})
    booster = lgb.train(settings, lgb.Dataset(DATA[kind], LGB_TARGETS[objective], params=settings, free_raw_data=False, **given), 4)
    rows = lgb_rows(kind, booster)
    answer = booster.predict(rows)
    keep(f"{name}-txt", {"lightgbm": {"data": "model.lgb", "model_class": "lightgbm.basic.Booster"}}, "model.lgb", booster.model_to_string().encode(), rows, answer, 1e-12)
    if kind == "numbers":
        keep(f"{name}-pickle", {"sklearn": {"pickled_model": "model.pkl"}}, "model.pkl", pickle.dumps(booster), rows, answer, 1e-12)


def lgb_boosters():
    for objective, (variant, parameters), kind in itertools.product(LGB_TARGETS, LGB_VARIANTS.items(), DATA):
        if variant in ("one_hot", "sets") and kind != "codes":
            continue
        name = f"lgb_{objective}_{variant}_{kind}"
        attempt(name, lambda: lgb_one(name, objective, parameters, kind))
    attempt("lgb_own", lgb_own)
    attempt("lgb_stopped", lgb_stopped)
    attempt("lgb_named", lgb_named)
    for kind in ("text", "numbers", "booleans"):
        attempt(f"lgb_frame_{kind}", lambda: lgb_frame(kind))


def lgb_file(name, booster, rows, answer):
    keep(name, {"lightgbm": {"data": "model.lgb", "model_class": "lightgbm.basic.Booster"}}, "model.lgb", booster.model_to_string().encode(), rows, answer, 1e-12)


def lgb_own():
    def squares(scores, data):
        return scores - data.get_label(), np.ones(len(scores))

    settings = {"verbose": -1, "num_leaves": 4}
    if LGB >= (4, 0):
        booster = lgb.train({**settings, "objective": squares}, lgb.Dataset(X, SCORE), 3)
    else:
        booster = lgb.train(settings, lgb.Dataset(X, SCORE), 3, fobj=squares)
    lgb_file("lgb_own", booster, X[:12], booster.predict(X[:12]))


def lgb_stopped():
    data = lgb.Dataset(X, SCORE)
    stop = {"callbacks": [lgb.early_stopping(2, verbose=False)]} if LGB >= (3, 3) else {"early_stopping_rounds": 2, "verbose_eval": False}
    booster = lgb.train({"verbose": -1, "learning_rate": 0.9}, data, 30, valid_sets=[lgb.Dataset(X[:40] + 0.5, SCORE[:40], reference=data)], **stop)
    # What is written is what is answered: the rounds up to the best.
    lgb_file("lgb_stopped", booster, X[:12], booster.predict(X[:12]))


def lgb_named():
    names = ["age", "income", "city", "x_y", "z"]
    booster = lgb.train({"verbose": -1}, lgb.Dataset(X, SCORE, feature_name=names), 3)
    lgb_file("lgb_named", booster, pd.DataFrame(X[:12], columns=names), booster.predict(X[:12]))


def lgb_frame(kind):
    texts = {"text": np.array(["u", "v", "w"])[RNG.randint(0, 3, len(X))], "numbers": RNG.choice([10, 20, 35], len(X)), "booleans": RNG.choice([True, False], len(X))}
    frame = pd.DataFrame(X, columns=list("abcde")).assign(b=pd.Categorical(texts[kind]))
    settings = {"verbose": -1, "min_data_in_leaf": 4, "min_data_per_group": 1, "cat_smooth": 1}
    booster = lgb.train(settings, lgb.Dataset(frame, SCORE), 4)
    lgb_file(f"lgb_frame_{kind}", booster, frame[:12].assign(b=frame[:12].b.astype(object)), booster.predict(frame[:12]))


def lgb_classes():
    text = np.array(["low", "mid", "top"])[Y3]
    few = {"n_estimators": 4, "num_leaves": 5, "min_child_samples": 4, "n_jobs": 1, "verbose": -1}
    frame = pd.DataFrame(X, columns=list("abcde"))
    makers = {
        "binary": (lambda: lgb.LGBMClassifier(**few), X, Y), "three": (lambda: lgb.LGBMClassifier(**few), X, Y3), "text": (lambda: lgb.LGBMClassifier(**few), X, text), "yes_no": (lambda: lgb.LGBMClassifier(**few), X, np.array(["no", "yes"])[Y]), "gaps": (lambda: lgb.LGBMClassifier(**few), X, Y3 * 10), "booleans": (lambda: lgb.LGBMClassifier(**few), X, Y == 1),
        "regressor": (lambda: lgb.LGBMRegressor(**few), X, SCORE), "holes": (lambda: lgb.LGBMClassifier(**few), HOLES, Y), "dart": (lambda: lgb.LGBMClassifier(boosting_type="dart", **few), X, Y3), "rf": (lambda: lgb.LGBMRegressor(boosting_type="rf", subsample=0.6, subsample_freq=1, **few), X, SCORE), "goss": (lambda: lgb.LGBMClassifier(boosting_type="goss", **few), X, Y),
        "ova": (lambda: lgb.LGBMClassifier(objective="multiclassova", **few), X, Y3), "balanced": (lambda: lgb.LGBMClassifier(class_weight="balanced", **few), X, Y3), "poisson": (lambda: lgb.LGBMRegressor(objective="poisson", **few), X, POSITIVE), "quantile": (lambda: lgb.LGBMRegressor(objective="quantile", alpha=0.2, **few), X, SCORE), "linear": (lambda: lgb.LGBMRegressor(linear_tree=True, **few), X, SCORE),
        "frame": (lambda: lgb.LGBMClassifier(**few), frame, text), "stopped": (lambda: lgb.LGBMRegressor(n_estimators=40, learning_rate=0.9, verbose=-1), X, SCORE), "stopped_class": (lambda: lgb.LGBMClassifier(n_estimators=40, learning_rate=0.9, verbose=-1), X, text), "pipeline": (lambda: make_pipeline(StandardScaler(), lgb.LGBMClassifier(**few)), X, Y3), "ranker": (lambda: lgb.LGBMRanker(**few), X, Y3),
        "own": (lambda: lgb.LGBMRegressor(objective=squares, **few), X, SCORE),
    }
    for name, (make, data, target) in makers.items():
        attempt(f"lgb_class_{name}", lambda: lgb_class(f"lgb_class_{name}", make(), data, target))


def squares(truth, scores):
    return scores - truth, np.ones(len(truth))


def lgb_class(name, model, data, target):
    rows = data[:12]
    if "stopped" in name:
        stop = {"callbacks": [lgb.early_stopping(2, verbose=False)]} if LGB >= (3, 3) else {"early_stopping_rounds": 2, "verbose": False}
        model.fit(data, target, eval_set=[(X[:40] + 0.5, target[:40])], **stop)
    elif "ranker" in name:
        model.fit(data, target, group=GROUPS)
    else:
        model.fit(data, target)
    packed = io.BytesIO()
    joblib.dump(model, packed)
    for file, content in {"model.pkl": pickle.dumps(model), "model.joblib": packed.getvalue()}.items():
        flavor = {"lightgbm": {"data": file, "model_class": f"lightgbm.sklearn.{type(model).__name__}"}} if not name.endswith("pipeline") else {"sklearn": {"pickled_model": file}}
        answer = "refused" if name.endswith("own") else model.predict(rows)
        keep(f"{name}-{file[6:]}", flavor, file, content, rows, answer, 1e-12)
        if hasattr(model, "predict_proba") and file == "model.pkl":
            keep(f"{name}-{file[6:]}.proba", flavor, file, content, rows, model.predict_proba(rows), 1e-12, "predict_proba")


xgb_boosters()
xgb_classes()
lgb_boosters()
lgb_classes()
line = json.dumps({"versions": {"xgboost": xgb.__version__, "lightgbm": lgb.__version__, "numpy": np.__version__, "pandas": pd.__version__}, "models": MODELS})
with open(sys.argv[1], "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
    packed.write(line.encode() + b"\n" + bytes(BYTES))
print(xgb.__version__, lgb.__version__, len(MODELS), len(BYTES))
