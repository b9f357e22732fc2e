"""Models with what the real shap says of their rows: `shap.json` beside `expected.json`.

{"values": rows x outputs x columns, "base": outputs, "columns", "background": rows or none, "tolerance",
"base_tolerance"}. shap asks XGBoost and LightGBM themselves; of the former that is in 32 bits, so its own code, in
doubles, is asked here instead. It gets XGBoost's base wrong by what it cuts off the base score, so that is XGBoost's own.
"""

import catboost as cb
import shap


def told(name, values, base, columns, background=None, tolerance=1e-9, base_tolerance=1e-9):
    values = np.asarray(values, dtype=float)
    if values.ndim == 2:
        values = values[:, :, None]
    document = {"values": values.transpose(0, 2, 1).tolist(), "base": np.atleast_1d(base).astype(float).tolist(),
                "columns": columns, "background": background, "tolerance": tolerance, "base_tolerance": base_tolerance}
    (OUT / name / "shap.json").write_text(json.dumps(document))


def shap_of(model, rows, background=None):
    kinds = {"feature_perturbation": "tree_path_dependent"} if background is None else {"data": background, "feature_perturbation": "interventional"}
    explainer = shap.TreeExplainer(model, **kinds)
    explainer.model.model_type = "internal"  # not the library's own way, which is of 32 bits
    return explainer.shap_values(rows, check_additivity=False), explainer.expected_value


# shap weighs what it holds against a background in 32 bits.
AGAINST = 1e-6


def estimator(name, model, rows, background=None):
    save(name, model, rows, kinds=("cloudpickle",))
    values, base = shap_of(model, rows, background)
    columns = [str(at) for at in range(rows.shape[1])]
    told(f"{name}-cloudpickle", values, base, columns, None if background is None else inputs(background), 1e-9 if background is None else AGAINST)


def xgboost(name, model, rows, values=None, types=None, background=None, kind="ubj"):
    """`values` are those of shap, or XGBoost's own."""
    matrix = xgb.DMatrix(rows, feature_types=types, enable_categorical=types is not None)
    flavor = {"xgboost": {"code": None, "data": f"model.{kind}", "model_class": "xgboost.core.Booster"}}
    folder(name, f"model.{kind}", bytes(model.save_raw(kind)), flavor, "predict", rows, model.predict(matrix), 2e-6)
    own = model.predict(matrix, pred_contribs=True)
    own = own.reshape(len(rows), -1, own.shape[-1]).transpose(0, 2, 1)
    base = own[0, -1]
    if background is not None:
        base = model.predict(xgb.DMatrix(background), output_margin=True).astype(float).mean(axis=0)
    tolerance = 1e-5 if values is None else 1e-9 if background is None else AGAINST
    told(name, own[:, :-1] if values is None else values, base, [str(at) for at in range(rows.shape[1])],
         None if background is None else inputs(background), tolerance, 1e-5)


def main():
    X, y3 = make_classification(300, 6, n_informative=5, n_redundant=1, n_classes=3, random_state=1)
    y, yr = (y3 > 0).astype(int), X[:, 0] * 3 + np.sin(X[:, 1] * 2) * X[:, 2]
    rows = np.vstack([X[:40], RNG.normal(size=(20, 6))])
    holes = rows.copy()
    holes[RNG.random(holes.shape) < 0.2] = np.nan
    rows32, holes32 = rows.astype(np.float32), holes.astype(np.float32)
    XN = X.copy()
    XN[RNG.random(X.shape) < 0.15] = np.nan
    estimator("tree", DecisionTreeRegressor(random_state=0).fit(X, yr), rows)
    estimator("tree3", DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, y3), rows)
    estimator("forest", RandomForestClassifier(12, random_state=0).fit(X, y3), rows)
    estimator("forest_two", RandomForestRegressor(9, max_depth=5, random_state=0).fit(X, np.column_stack([yr, -yr * X[:, 3]])), rows)
    estimator("extra", ExtraTreesRegressor(9, random_state=0).fit(X, yr), rows)
    estimator("forest_missing", RandomForestRegressor(7, random_state=0).fit(XN, yr), holes)
    estimator("boosted", GradientBoostingRegressor(n_estimators=12, random_state=0).fit(X, yr), rows)
    estimator("boosted_binary", GradientBoostingClassifier(n_estimators=12, random_state=0).fit(X, y), rows)
    estimator("hist", HistGradientBoostingRegressor(max_iter=12, random_state=0).fit(XN, yr), holes)
    estimator("hist_binary", HistGradientBoostingClassifier(max_iter=12, random_state=0).fit(XN, y), holes)
    estimator("forest_against", RandomForestClassifier(8, random_state=0).fit(X, y3), rows[:12], X[100:130])

    kinds = {
        "binary": ({"objective": "binary:logistic"}, y), "soft": ({"objective": "multi:softprob", "num_class": 3}, y3),
        "square": ({}, yr), "poisson": ({"objective": "count:poisson"}, np.abs(yr)), "deep": ({"max_depth": 11, "min_child_weight": 0}, yr),
        "lossguide": ({"grow_policy": "lossguide", "max_leaves": 40, "max_depth": 0, "tree_method": "hist"}, yr),
        "parallel": ({"num_parallel_tree": 3, "subsample": 0.5}, yr),
    }
    for name, (parameters, target) in kinds.items():
        model = xgb.train({"max_depth": 6, "seed": 1, **parameters}, xgb.DMatrix(XN, target), 9)
        # shap takes parallel trees for outputs.
        xgboost(f"xgb_{name}", model, holes32, None if name == "parallel" else shap_of(model, holes32)[0])
    model = xgb.train({"max_depth": 4}, xgb.DMatrix(X, yr), 9)
    background = X[100:130].astype(np.float32)
    xgboost("xgb_against", model, rows32, shap_of(model, rows32, background)[0], background=background)
    xgboost("xgb_linear", xgb.train({"booster": "gblinear"}, xgb.DMatrix(X, yr), 5), rows32)
    for name, parameters, target in [
        ("binary", {"objective": "binary"}, y), ("multi", {"objective": "multiclass", "num_class": 3}, y3), ("square", {"objective": "regression"}, yr),
        ("deep", {"objective": "regression", "num_leaves": 63, "min_data_in_leaf": 2}, yr),
    ]:
        model = lgb.train({"verbose": -1, "deterministic": True, **parameters}, lgb.Dataset(XN, target), 9)
        flavor = {"lightgbm": {"code": None, "data": "model.lgb", "model_class": "lightgbm.basic.Booster"}}
        folder(f"lgb_{name}", "model.lgb", model.model_to_string().encode(), flavor, "predict", holes, model.predict(holes), 1e-12)
        # LightGBM's own are of doubles.
        own = model.predict(holes, pred_contrib=True).reshape(len(holes), -1, 7).transpose(0, 2, 1)
        told(f"lgb_{name}", own[:, :6], own[0, 6], [str(at) for at in range(6)])
    cat = np.column_stack([RNG.integers(0, 12, len(X)), X[:, 0], X[:, 1]]).astype(float)
    model = lgb.train({"verbose": -1, "min_data_per_group": 5}, lgb.Dataset(cat, cat[:, 0] % 5 * X[:, 0], categorical_feature=[0]), 9)
    folder("lgb_categories", "model.lgb", model.model_to_string().encode(), flavor, "predict", cat[:50], model.predict(cat[:50]), 1e-12)
    own = model.predict(cat[:50], pred_contrib=True)
    told("lgb_categories", own[:, :3], own[0, 3], ["0", "1", "2"])
    model = xgb.train({"max_depth": 5, "max_cat_to_onehot": 1}, xgb.DMatrix(cat, cat[:, 0] % 5 * X[:, 0], feature_types=["c", "q", "q"], enable_categorical=True), 9)
    xgboost("xgb_categories", model, cat[:50].astype(np.float32), types=["c", "q", "q"], kind="json")

    few = {"iterations": 9, "depth": 4, "learning_rate": 0.5, "verbose": 0, "thread_count": 1, "allow_writing_files": False}
    for name, kind, target in [("square", "Regressor", yr), ("poisson", "Regressor", np.abs(yr)), ("binary", "Classifier", y), ("multi", "Classifier", y3)]:
        model = getattr(cb, f"CatBoost{kind}")(**few, loss_function={"square": "RMSE", "poisson": "Poisson", "binary": "Logloss", "multi": "MultiClass"}[name]).fit(XN, target)
        model.save_model(str(OUT / "model.cb"))
        content = (OUT / "model.cb").read_bytes()
        (OUT / "model.cb").unlink()
        flavor = {"catboost": {"code": None, "data": "model.cb", "model_type": f"CatBoost{kind}", "save_format": "cbm"}}
        folder(f"cb_{name}", "model.cb", content, flavor, "predict", holes, model.predict(holes), 1e-12)
        own = model.get_feature_importance(cb.Pool(holes), type="ShapValues").reshape(len(holes), -1, 7).transpose(0, 2, 1)
        told(f"cb_{name}", own[:, :6], own[0, 6], [str(at) for at in range(6)])

    linear = Ridge().fit(X, yr)
    save("linear", linear, rows, kinds=("cloudpickle",))
    told("linear-cloudpickle", rows * linear.coef_, linear.intercept_, [str(at) for at in range(6)])
    save("linear_against", linear, rows, kinds=("cloudpickle",))
    explainer = shap.LinearExplainer(linear, shap.maskers.Independent(X[100:150], max_samples=50))
    told("linear_against-cloudpickle", explainer.shap_values(rows), explainer.expected_value, [str(at) for at in range(6)], X[100:150].tolist())
    logistic = LogisticRegression().fit(X, y3)
    save("logistic", logistic, rows, kinds=("cloudpickle",))
    told("logistic-cloudpickle", rows[:, :, None] * logistic.coef_.T, logistic.intercept_, [str(at) for at in range(6)])

    frame = pd.DataFrame({"size": X[:, 0], "town": np.array(["a", "b", "c", "d"])[RNG.integers(0, 4, len(X))], "age": XN[:, 2], "unused": X[:, 3]})
    target = frame["size"] * (frame["town"] == "b") + X[:, 2]
    steps = ColumnTransformer([("numbers", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["age", "size"]), ("town", OneHotEncoder(), ["town"])])
    origins = [2, 0, 2, 1, 1, 1, 1]

    def grouped(values):
        values = np.asarray(values, dtype=float)
        sums = np.zeros((len(values), 4) + values.shape[2:])
        for at, origin in enumerate(origins):
            sums[:, origin] += values[:, at]
        return sums

    for name, model in [("pipeline_forest", RandomForestRegressor(8, random_state=0)), ("pipeline_gradient", GradientBoostingRegressor(n_estimators=8))]:
        whole = make_pipeline(steps, model).fit(frame, target)
        seen = whole[:-1].transform(frame[:40])
        save(name, whole, frame[:40], kinds=("cloudpickle",))
        values, base = shap_of(whole[-1], seen)
        told(f"{name}-cloudpickle", grouped(values), base, list(frame))
    whole = make_pipeline(steps, Ridge()).fit(frame, target)
    save("pipeline_linear", whole, frame[:40], kinds=("cloudpickle",))
    told("pipeline_linear-cloudpickle", grouped(whole[:-1].transform(frame[:40]) * whole[-1].coef_), whole[-1].intercept_, list(frame))

    # Text where training had categories of pandas.
    frame = frame.assign(town=frame["town"].astype("category"))
    seen = frame[:40]
    model = lgb.LGBMRegressor(n_estimators=9, min_child_samples=5, min_data_per_group=5, verbose=-1).fit(frame, target)
    save("lgb_text", model, seen, kinds=("cloudpickle",))
    own = model.booster_.predict(seen, pred_contrib=True)
    told("lgb_text-cloudpickle", own[:, :4], own[0, 4], list(frame))
    model = xgb.XGBRegressor(n_estimators=9, max_depth=4, enable_categorical=True).fit(frame, target)
    save("xgb_text", model, seen, kinds=("cloudpickle",), tolerance=2e-6)
    own = model.get_booster().predict(xgb.DMatrix(seen, enable_categorical=True), pred_contribs=True)
    told("xgb_text-cloudpickle", own[:, :4], own[0, 4], list(frame), tolerance=1e-5, base_tolerance=1e-5)

    for name, model in [("network", MLPRegressor(max_iter=20).fit(X, yr)), ("mixed", make_pipeline(PCA(3), Ridge()).fit(X, yr)), ("neighbours", KNeighborsRegressor().fit(X, yr))]:
        save(f"refused_{name}", model, rows, kinds=("cloudpickle",))


main()
done()
