"""Encoders of category_encoders, each with its ways to treat unseen and missing categories, alone and in pipelines.

LONG stands before this: whether all ways are tried with each other, and all encoders before all models.
"""

import category_encoders as ce

TABLES = {"ordinal": ce.OrdinalEncoder, "one_hot": ce.OneHotEncoder, "binary": ce.BinaryEncoder, "base_n": ce.BaseNEncoder, "gray": ce.GrayEncoder, "helmert": ce.HelmertEncoder, "sum": ce.SumEncoder, "backward": ce.BackwardDifferenceEncoder, "polynomial": ce.PolynomialEncoder, "count": ce.CountEncoder}
TARGETS = {"target": ce.TargetEncoder, "james_stein": ce.JamesSteinEncoder, "m_estimate": ce.MEstimateEncoder, "woe": ce.WOEEncoder, "quantile": ce.QuantileEncoder, "leave_one_out": ce.LeaveOneOutEncoder, "cat_boost": ce.CatBoostEncoder, "glmm": ce.GLMMEncoder}
KINDS = ("cloudpickle", 4)


def table(n=90, missing=False, text=None):
    frame = pd.DataFrame({"town": RNG.choice(["Leeds", "York", "Bath", "Hull"], n, p=[0.5, 0.3, 0.15, 0.05]), "share": RNG.random(n), "plan": RNG.choice(["gold", "tin"], n), "age": RNG.integers(18, 80, n)})
    frame.loc[0, "town"] = "once"
    if missing:
        frame.loc[RNG.random(n) < 0.1, "town"] = np.nan
        frame.loc[0, "town"] = "once"
    if text is not None:
        frame["town"], frame["plan"] = frame["town"].astype(text), frame["plan"].astype(text)
    return frame


def rows_of(frame, missing=True):
    """Rows of training, a town that was not there, and none at all."""
    rows = pd.concat([frame.iloc[:12], frame.iloc[:3]], ignore_index=True)
    rows["town"] = rows["town"].astype(object)
    rows.loc[12, "town"] = "Oslo"
    if missing:
        rows.loc[13, "town"] = np.nan
    if frame["town"].dtype != "category":
        rows["town"] = rows["town"].astype(frame["town"].dtype)
    return rows


def tried(name, make, *data, rows, kinds=KINDS):
    """Keeps a model; what category_encoders itself refuses is no test of ours."""
    try:
        model = make().fit(*data)
    except Exception as error:
        print(f"not fitted: {name}: {type(error).__name__}: {error}"[:160], file=sys.stderr)
        return
    save(name, model, rows, kinds)


def alone():
    for missing in (False, True):
        frame = table(missing=missing)
        y = (frame["share"] + RNG.random(len(frame)) > 1).astype(int)
        rows = rows_of(frame)
        for name, maker in {**TABLES, **TARGETS}.items():
            for unknown in ("value", "return_nan", "indicator"):
                for nothing in ("value", "return_nan", "indicator"):
                    if not LONG and unknown != nothing:
                        continue
                    if "indicator" in (unknown, nothing) and name not in ("one_hot", "binary", "base_n", "helmert", "sum", "backward"):
                        continue
                    tried(f"{name}_{unknown}_{nothing}_{missing}", lambda: maker(handle_unknown=unknown, handle_missing=nothing), frame, y, rows=rows, kinds=("cloudpickle",))


def variants():
    frame = table(missing=True)
    y = (frame["share"] + RNG.random(len(frame)) > 1).astype(int)
    rows = rows_of(frame)
    amount = frame["share"] * 3 + (frame["town"] == "York")
    for name, make, target in [
        ("target_smooth", lambda: ce.TargetEncoder(smoothing=3.0, min_samples_leaf=4), amount), ("cat_boost_a", lambda: ce.CatBoostEncoder(a=3.5), amount), ("cat_boost_sigma", lambda: ce.CatBoostEncoder(sigma=0.1, random_state=0), amount),
        ("leave_one_out_numbers", lambda: ce.LeaveOneOutEncoder(sigma=0.1, random_state=0), amount), ("james_stein_pooled", lambda: ce.JamesSteinEncoder(model="pooled"), amount), ("quantile_median", lambda: ce.QuantileEncoder(quantile=0.3, m=2.0), amount),
        ("m_estimate_m", lambda: ce.MEstimateEncoder(m=7.5), y), ("woe_regularized", lambda: ce.WOEEncoder(regularization=0.2), y), ("base_3", lambda: ce.BaseNEncoder(base=3), y), ("count_share", lambda: ce.CountEncoder(normalize=True), y),
        ("count_number", lambda: ce.CountEncoder(handle_unknown=7), y), ("one_hot_names", lambda: ce.OneHotEncoder(use_cat_names=True), y), ("some", lambda: ce.TargetEncoder(cols=["plan"]), y), ("numbers", lambda: ce.TargetEncoder(cols=["town", "age"]), y),
        ("all", lambda: ce.OrdinalEncoder(cols=["town", "plan", "age"]), y), ("array", lambda: ce.OrdinalEncoder(return_df=False), y), ("mapped", lambda: ce.OrdinalEncoder(mapping=[{"col": "town", "mapping": {"York": 3, "Leeds": 9}}, {"col": "plan", "mapping": {"tin": 0, "gold": 1}}], cols=["town", "plan"]), y),
    ]:
        given = rows if name != "some" else rows.drop(columns=["town"])
        tried(name, make, frame if name != "some" else frame.drop(columns=["town"]), target, rows=given)
    for text in ("category", object):
        other = table(text=text)
        kind = "category" if text == "category" else "object"
        for name, maker in {**TABLES, **TARGETS}.items():
            tried(f"{kind}_{name}", lambda: maker(), other, (other["share"] > 0.5).astype(int), rows=rows_of(other, missing=False), kinds=("cloudpickle",))
    whole = frame.assign(town=RNG.integers(1, 5, len(frame)), share=frame["share"].round(1))
    for name, maker in {**TABLES, **TARGETS}.items():
        given = whole.iloc[:10].assign(town=[1, 2, 3, 4, 9] * 2)[["town", "share"]]
        tried(f"whole_{name}", lambda: maker(cols=["town"]), whole[["town", "share"]], y, rows=given, kinds=("cloudpickle",))
    plain_rows = whole[["town", "share"]].to_numpy()
    tried("places", lambda: ce.TargetEncoder(cols=[0]), plain_rows, y, rows=plain_rows[:9])


def pipelines():
    frame = table(missing=True)
    y = (frame["share"] + (frame["town"] == "York") * 0.4 + RNG.random(len(frame)) > 1.1).astype(int)
    rows = rows_of(frame)
    ends = {"logistic": lambda: LogisticRegression(max_iter=500), "forest": lambda: RandomForestClassifier(5, random_state=0), "hist": lambda: HistGradientBoostingClassifier(max_iter=5), "xgb": lambda: xgb.XGBClassifier(n_estimators=4), "lgbm": lambda: lgb.LGBMClassifier(n_estimators=4, verbose=-1)}
    for at, (name, maker) in enumerate({**TABLES, **TARGETS}.items()):
        for end, model in ends.items():
            if not LONG and list(ends)[at % len(ends)] != end:
                continue
            tolerance = 1e-6 if end == "xgb" else 1e-12
            try:
                fitted = make_pipeline(maker(), *([StandardScaler()] if end == "logistic" else []), model()).fit(frame, y)
            except Exception as error:
                print(f"not fitted: {name}, {end}: {error}"[:160], file=sys.stderr)
                continue
            save(f"{name}.{end}", fitted, rows, ("cloudpickle",), tolerance)
    columns = ColumnTransformer([("t", ce.TargetEncoder(), ["town"]), ("o", ce.OneHotEncoder(), ["plan"]), ("n", StandardScaler(), ["share", "age"])])
    save("columns", make_pipeline(columns, LogisticRegression()).fit(frame, y), rows, KINDS)
    # Beside a column of text a later step picks columns by the names that an encoder gives them.
    for number, (names, town) in enumerate([(False, "town_2"), (True, "town_York")]):
        picked = ColumnTransformer([("kept", StandardScaler(), [town, "share"])])
        save(f"picked_{number}", make_pipeline(ce.OneHotEncoder(cols=["town"], use_cat_names=names), picked, LogisticRegression()).fit(frame, y), rows, ("cloudpickle",))
    two = make_pipeline(ce.CountEncoder(cols=["plan"]), ce.LeaveOneOutEncoder(cols=["town"]), GradientBoostingClassifier(n_estimators=4))
    save("two_encoders", two.fit(frame, y), rows, KINDS)
    save("search", GridSearchCV(make_pipeline(ce.TargetEncoder(), LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}, cv=2).fit(frame, y), rows, KINDS)


def refused():
    frame = table()
    y = (frame["share"] > 0.5).astype(int)
    for at, (model, what) in enumerate([
        (ce.HashingEncoder(n_components=3, max_process=1), "HashingEncoder"), (ce.RankHotEncoder(cols=["town"]), "RankHotEncoder"), (ce.OrdinalEncoder(drop_invariant=True), "drop_invariant"), (ce.CountEncoder(min_group_size=10), "min_group_size"), (ce.SummaryEncoder(), "SummaryEncoder"),
        (ce.OrdinalEncoder(handle_unknown=0.5), "handle_unknown=0.5"),
    ]):
        given = frame.assign(plan="tin")
        try:
            content = cloudpickle.dumps(make_pipeline(model, LogisticRegression()).fit(given, y))
        except Exception as error:
            print(f"not made: {what}: {error}"[:160], file=sys.stderr)
            continue
        folder(f"refused_{at}", "model.pkl", content, {"sklearn": {"code": None, "pickled_model": "model.pkl"}}, "predict", given.iloc[:1], what, 0)
    # A file of some kilobytes whose table has a million columns of no rows.
    given = pd.DataFrame({"town": [f"t{at}" for at in range(100)], "share": RNG.random(100)})
    wide = make_pipeline(ce.OneHotEncoder(cols=["town"]), LogisticRegression()).fit(given, given["share"] > 0.5)
    wide[0].mapping[0]["mapping"] = pd.DataFrame(np.empty((0, 1_000_000)))
    folder("refused_wide", "model.pkl", cloudpickle.dumps(wide), {"sklearn": {"code": None, "pickled_model": "model.pkl"}}, "predict", given.iloc[:1], "categories of 1000000 numbers", 0)
    # Unseen and missing categories that Python refuses, row by row.
    for name, maker in {**TABLES, **TARGETS}.items():
        frame = table()
        try:
            model = make_pipeline(maker(handle_unknown="error", handle_missing="error"), LogisticRegression()).fit(frame, y)
        except Exception as error:
            print(f"not fitted: {name}: {error}"[:160], file=sys.stderr)
            continue
        rows = rows_of(frame).iloc[12:14]
        if all(fails(model, rows.iloc[at : at + 1]) for at in range(2)):
            folder(f"strict_{name}", "model.pkl", cloudpickle.dumps(model), {"sklearn": {"code": None, "pickled_model": "model.pkl"}}, "predict", rows, [], 0)


def fails(model, rows):
    try:
        model.predict(rows)
    except Exception:
        return True
    return False


alone()
variants()
pipelines()
refused()
done()
