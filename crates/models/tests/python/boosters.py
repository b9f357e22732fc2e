"""XGBoost and LightGBM: every objective, booster, kind of split and way of missing, from their files and from pickles."""


def boosters(X, y, y3, yr):
    holes = hard_rows(None, X, True)
    kinds = {
        "binary": ({"objective": "binary:logistic"}, y), "raw": ({"objective": "binary:logitraw"}, y), "hinge": ({"objective": "binary:hinge"}, y),
        "softprob": ({"objective": "multi:softprob", "num_class": 3}, y3), "softmax": ({"objective": "multi:softmax", "num_class": 3}, y3),
        "square": ({}, yr), "abs": ({"objective": "reg:absoluteerror"}, yr), "poisson": ({"objective": "count:poisson"}, np.abs(yr)),
        "gamma": ({"objective": "reg:gamma"}, np.abs(yr) + 1), "tweedie": ({"objective": "reg:tweedie"}, np.abs(yr)), "logistic": ({"objective": "reg:logistic"}, y),
        "base": ({"base_score": 0.3, "objective": "binary:logistic"}, y), "dart": ({"booster": "dart", "rate_drop": 0.5, "objective": "binary:logistic"}, y),
        "dart3": ({"booster": "dart", "rate_drop": 0.5, "objective": "multi:softprob", "num_class": 3}, y3), "linear": ({"booster": "gblinear"}, yr),
        "linear3": ({"booster": "gblinear", "objective": "multi:softprob", "num_class": 3}, y3), "parallel": ({"num_parallel_tree": 3, "subsample": 0.5}, yr),
        "quantile": ({"objective": "reg:quantileerror", "quantile_alpha": 0.3}, yr), "huber": ({"objective": "reg:pseudohubererror"}, yr),
        "aft": ({"objective": "survival:cox"}, np.abs(yr) + 1), "two": ({}, np.column_stack([yr, -yr])),
        "squared_log": ({"objective": "reg:squaredlogerror"}, np.abs(yr)), "expectile": ({"objective": "reg:expectileerror", "expectile_alpha": 0.4}, yr), "quantiles": ({"objective": "reg:quantileerror", "quantile_alpha": [0.2, 0.5, 0.9]}, yr),
        "multi_label": ({"objective": "binary:logistic"}, np.column_stack([y, 1 - y, y3 == 1])), "base_zero": ({"base_score": 0.0}, yr), "base_poisson": ({"objective": "count:poisson", "base_score": 2.5}, np.abs(yr)), "leafwise": ({"grow_policy": "lossguide", "max_leaves": 9, "max_depth": 0, "tree_method": "hist"}, yr),
        "forest": ({"num_parallel_tree": 4, "subsample": 0.5, "objective": "multi:softprob", "num_class": 3}, y3), "dart_poisson": ({"booster": "dart", "objective": "count:poisson", "rate_drop": 0.3, "one_drop": 1}, np.abs(yr)), "linear_poisson": ({"booster": "gblinear", "objective": "count:poisson"}, np.abs(yr)),
        "linear_base": ({"booster": "gblinear", "base_score": 1.5}, yr), "dart_two": ({"booster": "dart", "rate_drop": 0.5}, np.column_stack([yr, -yr])), "vector_logistic": ({"multi_strategy": "multi_output_tree", "tree_method": "hist", "objective": "binary:logistic"}, np.column_stack([y, 1 - y])),
        "vector_soft": ({"multi_strategy": "multi_output_tree", "tree_method": "hist", "objective": "multi:softprob", "num_class": 3}, y3), "deep": ({"max_depth": 11, "min_child_weight": 0}, yr), "monotone": ({"monotone_constraints": "(1,0,-1,0,0)"}, yr),
        "vector": ({"multi_strategy": "multi_output_tree", "tree_method": "hist"}, np.column_stack([yr, -yr])),
    }
    for name, (parameters, target) in kinds.items():
        try:
            booster = xgb.train({"max_depth": 4, "seed": 1, **parameters}, xgb.DMatrix(X, target), 7)
        except Exception as error:  # what XGBoost cannot train is no test of ours
            print(f"not trained: {name}: {error}"[:160], file=sys.stderr)
            continue
        trees = booster.get_dump() if parameters.get("booster") != "gblinear" else []
        rows = [holes]
        for line in "\n".join(trees[:3]).splitlines()[:40]:
            if "<" in line:
                feature, threshold = line.split("[f")[1].split("]")[0].split("<")
                at = np.float32(threshold)
                for value in (at, np.nextafter(at, np.float32(-np.inf)), np.nextafter(at, np.float32(np.inf))):
                    row = X[:1].copy()
                    row[0, int(feature)] = value
                    rows.append(row)
        rows = np.vstack(rows)
        for kind in ("ubj", "json"):
            flavor = {"xgboost": {"code": None, "data": f"model.{kind}", "model_class": "xgboost.core.Booster"}}
            folder(f"xgb_{name}-{kind}", f"model.{kind}", bytes(booster.save_raw(kind)), flavor, "predict", rows, booster.predict(xgb.DMatrix(rows)), 2e-6)
    groups = np.repeat(np.arange(len(X) // 10), 10)
    for objective in ("rank:pairwise", "rank:ndcg", "rank:map"):
        matrix = xgb.DMatrix(X, y, qid=groups)
        booster = xgb.train({"objective": objective, "max_depth": 3}, matrix, 5)
        flavor = {"xgboost": {"code": None, "data": "model.ubj", "model_class": "xgboost.core.Booster"}}
        folder(f"xgb_{objective.replace(':', '_')}", "model.ubj", bytes(booster.save_raw("ubj")), flavor, "predict", holes, booster.predict(xgb.DMatrix(holes)), 2e-6)
    matrix = xgb.DMatrix(X)
    matrix.set_float_info("label_lower_bound", np.abs(yr) + 1)
    matrix.set_float_info("label_upper_bound", np.abs(yr) + 2)
    booster = xgb.train({"objective": "survival:aft", "max_depth": 3}, matrix, 5)
    flavor = {"xgboost": {"code": None, "data": "model.ubj", "model_class": "xgboost.core.Booster"}}
    folder("xgb_aft", "model.ubj", bytes(booster.save_raw("ubj")), flavor, "predict", holes, booster.predict(xgb.DMatrix(holes)), 2e-6)
    cat = np.column_stack([RNG.integers(0, 12, len(X)), X[:, 0]]).astype(float)
    for onehot in (1, 100):
        matrix = xgb.DMatrix(cat, yr, feature_types=["c", "q"], enable_categorical=True)
        booster = xgb.train({"max_cat_to_onehot": onehot, "max_depth": 4}, matrix, 6)
        hard = cat[:60].copy()
        hard[0, 0] = np.nan
        hard[1, 0] = 11
        flavor = {"xgboost": {"code": None, "data": "model.ubj", "model_class": "xgboost.core.Booster"}}
        answer = booster.predict(xgb.DMatrix(hard, feature_types=["c", "q"], enable_categorical=True))
        folder(f"xgb_cat{onehot}-ubj", "model.ubj", bytes(booster.save_raw("ubj")), flavor, "predict", hard, answer, 2e-6)
    for name, model, target in [("classifier2", xgb.XGBClassifier(n_estimators=6), y), ("classifier3", xgb.XGBClassifier(n_estimators=6), y3),
                                ("regressor", xgb.XGBRegressor(n_estimators=6), yr), ("early", xgb.XGBRegressor(n_estimators=60, early_stopping_rounds=2, learning_rate=0.9), yr)]:
        extra = {"eval_set": [(X[:60] + 0.4, target[:60])], "verbose": False} if name == "early" else {}
        model.fit(X, target, **extra)
        flavor = {"xgboost": {"code": None, "data": "model.ubj", "model_class": f"xgboost.sklearn.{type(model).__name__}"}}
        content = bytes(model.get_booster().save_raw("ubj"))
        folder(f"xgb_{name}-ubj", "model.ubj", content, flavor, "predict", holes, model.predict(holes), 2e-6)
        save(f"xgb_{name}", model, holes, ("cloudpickle", 2), 2e-6)
    lightgbm(X, y, y3, yr, holes)


def lightgbm(X, y, y3, yr, holes):
    zeros = X.copy()
    zeros[RNG.random(X.shape) < 0.3] = 0.0
    kinds = {
        "binary": ({"objective": "binary", "sigmoid": 0.7}, X, y), "multi": ({"objective": "multiclass", "num_class": 3}, X, y3), "ova": ({"objective": "multiclassova", "num_class": 3}, X, y3),
        "l2": ({}, X, yr), "l1": ({"objective": "l1"}, X, yr), "huber": ({"objective": "huber"}, X, yr), "quantile": ({"objective": "quantile"}, X, yr), "poisson": ({"objective": "poisson"}, X, np.abs(yr)),
        "gamma": ({"objective": "gamma"}, X, np.abs(yr) + 1), "tweedie": ({"objective": "tweedie"}, X, np.abs(yr)), "xent": ({"objective": "cross_entropy"}, X, y), "xentlambda": ({"objective": "cross_entropy_lambda"}, X, y),
        "sqrt": ({"reg_sqrt": True}, X, yr), "rf": ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}, X, yr), "dart": ({"boosting": "dart"}, X, yr), "linear": ({"linear_tree": True}, X, yr),
        "missing": ({}, np.where(RNG.random(X.shape) < 0.2, np.nan, X), yr), "zero": ({"zero_as_missing": True}, zeros, yr), "no_missing": ({"use_missing": False}, zeros, yr),
        "stump": ({"num_leaves": 2}, X, yr), "fair": ({"objective": "fair"}, X, yr), "mape": ({"objective": "mape"}, X, np.abs(yr) + 1), "multi_zero": ({"objective": "multiclass", "num_class": 3, "zero_as_missing": True}, zeros, y3), "rf_multi": ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6, "objective": "multiclass", "num_class": 3}, X, y3),
        "dart_binary": ({"boosting": "dart", "objective": "binary"}, X, y), "linear_binary": ({"linear_tree": True, "objective": "binary"}, X, y), "linear_missing": ({"linear_tree": True}, np.where(RNG.random(X.shape) < 0.1, np.nan, X), yr), "goss": ({"data_sample_strategy": "goss"}, X, yr), "binary_missing": ({"objective": "binary", "is_unbalance": True}, np.where(RNG.random(X.shape) < 0.2, np.nan, X), y),
        "rf_binary": ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6, "objective": "binary"}, X, y), "xent_weights": ({"objective": "cross_entropy"}, X, y * 0.8 + 0.1), "quantile_linear": ({"objective": "quantile", "alpha": 0.2, "linear_tree": True}, X, yr), "constant": ({"min_data_in_leaf": 1000}, X, yr),
    }
    for name, (parameters, data, target) in kinds.items():
        booster = lgb.train({"verbose": -1, "num_leaves": 8, "num_threads": 1, "min_data_in_leaf": 5, **parameters}, lgb.Dataset(data, target, params={"linear_tree": parameters.get("linear_tree", False)}), 7)
        rows = [holes, zeros[:20], np.full((1, X.shape[1]), 1e-36)]
        for tree in booster.dump_model()["tree_info"][:3]:
            open_nodes = [tree["tree_structure"]]
            while open_nodes:
                node = open_nodes.pop()
                if "threshold" in node:
                    open_nodes += [node["left_child"], node["right_child"]]
                    for value in (node["threshold"], np.nextafter(node["threshold"], -np.inf), np.nextafter(node["threshold"], np.inf)):
                        row = X[:1].copy()
                        row[0, node["split_feature"]] = value
                        rows.append(row)
        rows = np.vstack(rows)
        flavor = {"lightgbm": {"code": None, "data": "model.lgb", "model_class": "lightgbm.basic.Booster"}}
        folder(f"lgb_{name}", "model.lgb", booster.model_to_string().encode(), flavor, "predict", rows, booster.predict(rows), 1e-12)
    for objective in ("lambdarank", "rank_xendcg"):
        booster = lgb.train({"objective": objective, "verbose": -1, "num_leaves": 6, "num_threads": 1, "min_data_in_leaf": 4}, lgb.Dataset(X, y, group=[10] * (len(X) // 10)), 5)
        flavor = {"lightgbm": {"code": None, "data": "model.lgb", "model_class": "lightgbm.basic.Booster"}}
        folder(f"lgb_{objective}", "model.lgb", booster.model_to_string().encode(), flavor, "predict", holes, booster.predict(holes), 1e-12)
    early = lgb.LGBMRegressor(n_estimators=80, learning_rate=0.8, verbose=-1, n_jobs=1).fit(X, yr, eval_set=[(X[:50] + 0.3, yr[:50])], callbacks=[lgb.early_stopping(3, verbose=False)])
    save("lgb_early", early, holes)
    cat = np.column_stack([RNG.integers(0, 40, len(X)), X[:, 0]]).astype(float)
    booster = lgb.train({"verbose": -1, "min_data_per_group": 2, "cat_smooth": 1, "num_threads": 1}, lgb.Dataset(cat, yr, categorical_feature=[0]), 6)
    hard = cat[:60].copy()
    hard[:4, 0] = [np.nan, 77, -3, 1e9]
    flavor = {"lightgbm": {"code": None, "data": "model.lgb", "model_class": "lightgbm.basic.Booster"}}
    folder("lgb_categories", "model.lgb", booster.model_to_string().encode(), flavor, "predict", hard, booster.predict(hard), 1e-12)
    for name, model, target in [("classifier2", lgb.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1), np.where(y == 1, "yes", "no")), ("classifier3", lgb.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1), y3),
                                ("regressor", lgb.LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1), yr)]:
        model.fit(X, target)
        save(f"lgb_{name}", model, holes)


def categories_of_numbers():
    """Categories of pandas that are numbers: rows of a request are plain numbers, which stand for themselves."""
    n = 300
    for kind, values in {"whole": [10, 20, 30, 40], "signs": [-1, 0, 1], "halves": [0.5, 1.5, 7.25], "flags": [False, True]}.items():
        given = np.array(values)[RNG.integers(0, len(values), n)]
        frame = pd.DataFrame({"c": pd.Categorical(given), "x": RNG.normal(size=n), "same": pd.Categorical(np.full(n, 5))})
        y = np.array([2.0, -1.0, 0.5, 7.0])[frame.c.cat.codes] + 0.1 * frame.x
        model = lgb.LGBMRegressor(n_estimators=6, verbose=-1, n_jobs=1, min_child_samples=5).fit(frame, y)
        plain = pd.DataFrame({"c": given[:40], "x": frame.x[:40], "same": 5})
        if kind != "flags":
            plain.loc[0, "c"] = 99
        asked = plain.assign(c=pd.Categorical(plain.c), same=pd.Categorical(plain.same))
        answer = model.predict(asked)
        flavor = {"lightgbm": {"code": None, "data": "model.lgb", "model_class": "lightgbm.basic.Booster"}}
        folder(f"lgb_number_categories_{kind}", "model.lgb", model.booster_.model_to_string().encode(), flavor, "predict", plain, answer, 1e-12)
        file, content = dump(model, "cloudpickle")
        folder(f"lgb_number_categories_{kind}_class", file, content, {"sklearn": {"code": None, "pickled_model": file}}, "predict", plain, answer, 1e-12)
        # An array has no categories: its numbers are their places.
        codes = np.column_stack([frame.c.cat.codes[:40], frame.x[:40], np.zeros(40)]).astype(float)
        folder(f"lgb_number_categories_{kind}_array", file, content, {"sklearn": {"code": None, "pickled_model": file}}, "predict", codes, model.predict(codes), 1e-12)


def wrapped(X, y3, yr):
    """What only the classes for scikit-learn know."""
    held = np.where(RNG.random(X.shape) < 0.2, -999.0, X)
    for name, missing in [("value", -999.0), ("zero", 0.0)]:
        data = held if missing else np.where(held == -999.0, 0.0, X)
        model = make_pipeline(FunctionTransformer(), xgb.XGBRegressor(n_estimators=6, missing=missing)).fit(data, yr)
        save(f"xgb_missing_{name}", model, data[:60], tolerance=2e-6)
    chosen = make_pipeline(StandardScaler(), xgb.XGBClassifier(n_estimators=5, objective="multi:softmax"))
    save("xgb_softmax", chosen.fit(X, y3), X[:60], tolerance=2e-6)
    for objective in ("regression", "regression_l1", "quantile", "mape", "fair", "huber"):
        options = {"objective": objective, "reg_sqrt": True, "verbose": -1, "num_leaves": 6, "num_threads": 1}
        booster = lgb.train(options, lgb.Dataset(X, np.abs(yr) + 0.5), 5)
        flavor = {"lightgbm": {"code": None, "data": "model.lgb", "model_class": "lightgbm.basic.Booster"}}
        text = booster.model_to_string()
        folder(f"lgb_root_{objective}", "model.lgb", text.encode(), flavor, "predict", X[:40], lgb.Booster(model_str=text).predict(X[:40]), 1e-12)


def main():
    XR, yr = make_regression(160, 5, noise=1.0, random_state=2)
    boosters(XR, (yr > 0).astype(int), np.digitize(yr, [-30, 30]), yr / 30)
    wrapped(XR, np.digitize(yr, [-30, 30]), yr / 30)
    categories_of_numbers()
    done()


main()
