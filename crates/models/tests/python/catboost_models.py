import re

import catboost as cb

# Few trees on one thread, and nothing left on the disk.
FEW = {"iterations": 6, "depth": 3, "verbose": 0, "thread_count": 1, "allow_writing_files": False, "learning_rate": 0.5, "random_seed": 1}
WORDS = ["x", "y", "zeta", "ωmega", "", "nine long", "a name of thirty bytes or more, äh", "n" * 70, "m" * 300]


def model_folder(name, model, rows, answer=None, tolerance=1e-12, file_format="cbm", **pool):
    """A folder as MLflow's flavor writes it, and what its pyfunc answers once it is loaded from there."""
    path = OUT / f"{name}.tmp"
    model.save_model(str(path), format=file_format, **pool)
    content = path.read_bytes()
    loaded = type(model)().load_model(str(path), format=file_format)
    path.unlink()
    answer = loaded.predict(rows) if answer is None else answer
    flavor = {"catboost": {"code": None, "data": "model.cb", "model_type": type(model).__name__, "save_format": file_format}}
    folder(name, "model.cb", content, flavor, "predict", rows, answer, tolerance)
    return loaded


def both_formats(name, model, rows, pool=None, tolerance=1e-12):
    model_folder(name, model, rows, tolerance=tolerance)
    model_folder(f"{name}-json", model, rows, tolerance=tolerance, file_format="json", **({} if pool is None else {"pool": pool}))


def on_borders(model, X):
    """Rows on the borders of splits and one ulp beside them, with values missing and infinite."""
    rows = [X[:20], RNG.normal(size=(20, X.shape[1]))]
    for index, borders in model.get_borders().items() if hasattr(model, "get_borders") else []:
        for border in borders[:6]:
            at = np.float32(border)
            for value in (at, np.nextafter(at, np.float32(-np.inf)), np.nextafter(at, np.float32(np.inf)), np.nextafter(np.float64(at), np.inf)):
                row = X[int(RNG.integers(len(X)))].copy()
                row[int(index)] = value
                rows.append(row[None])
    holes = X[:20].copy()
    holes[RNG.random(holes.shape) < 0.4] = np.nan
    holes[0, 0], holes[1, 0] = np.inf, -np.inf
    return np.vstack([*rows, holes])


def losses(X, y):
    positive = np.abs(y) + 0.1
    for loss in ["RMSE", "MAE", "Quantile:alpha=0.3", "Poisson", "Tweedie:variance_power=1.5", "MultiQuantile:alpha=0.1,0.5", "Lq:q=3", "Huber:delta=1", "MAPE", "LogLinQuantile", "Expectile:alpha=0.3", "LogCosh", "RMSEWithUncertainty"]:
        model = cb.CatBoostRegressor(loss_function=loss, **FEW).fit(X, positive)
        both_formats(f"loss_{loss.split(':')[0]}", model, on_borders(model, X))
    model = cb.CatBoostRegressor(loss_function="MultiRMSE", **FEW).fit(X, np.c_[y, -2 * y])
    both_formats("loss_MultiRMSE", model, on_borders(model, X))
    for loss in ["Poisson", "Logloss"]:
        target = positive if loss == "Poisson" else (y > 0).astype(int)
        model = cb.CatBoost({"loss_function": loss, **FEW}).fit(X, target)
        model_folder(f"plain_{loss}", model, on_borders(model, X))
    for loss in ["YetiRank", "QueryRMSE", "QuerySoftMax", "PairLogit"]:
        model = cb.CatBoostRanker(loss_function=loss, **FEW).fit(cb.Pool(X, np.digitize(y, [0, 1]), group_id=np.repeat(range(len(X) // 10), 10)))
        both_formats(f"ranker_{loss}", model, on_borders(model, X))


def labels(X, y):
    three = np.digitize(y, [-0.5, 1])
    targets = {
        "integers": np.where(y > 0, 1, 0), "tens": np.where(y > 0, 20, -10), "text": np.where(y > 0, "b", "a"), "flags": y > 0, "floats": np.where(y > 0, 2.5, 1.5), "whole_floats": np.where(y > 0, 2.0, 1.0), "digits": np.where(y > 0, "1", "0"),
        "three": three, "three_text": np.array(["u", "v", "w"])[three], "three_floats": np.array([1.5, 2.5, 3.0])[three], "three_tens": np.array([10, 20, 30])[three],
    }
    for name, target in targets.items():
        model = cb.CatBoostClassifier(**FEW).fit(X, target)
        rows = on_borders(model, X)
        both_formats(f"labels_{name}", model, rows)
        save(f"labels_{name}", model, rows, kinds=("cloudpickle",))
    several = np.c_[y > 0, X[:, 2] > 0]
    for name, loss, target in [("cross_entropy", "CrossEntropy", 1 / (1 + np.exp(-y))), ("one_vs_all", "MultiClassOneVsAll", three), ("several", "MultiLogloss", several.astype(int)), ("several_soft", "MultiCrossEntropy", several * 0.8)]:
        model = cb.CatBoostClassifier(loss_function=loss, **FEW).fit(X, target)
        rows = on_borders(model, X)
        both_formats(f"labels_{name}", model, rows)
        save(f"labels_{name}", model, rows, kinds=("cloudpickle",))
    model = cb.CatBoostClassifier(**FEW).fit(X, y > 0)
    model.set_probability_threshold(0.8)
    both_formats("labels_threshold", model, on_borders(model, X))


def trees(X, y):
    wide = np.hstack([X, RNG.normal(size=(len(X), 30))])
    for policy in ["Depthwise", "Lossguide", "SymmetricTree"]:
        for name, target in [("number", y), ("class", np.digitize(y, [-0.5, 1]))]:
            kind = cb.CatBoostRegressor if name == "number" else cb.CatBoostClassifier
            model = kind(grow_policy=policy, **FEW).fit(X, target)
            both_formats(f"{policy}_{name}", model, on_borders(model, X))
    holes = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
    for mode in ["Min", "Max", "Forbidden"]:
        model = cb.CatBoostRegressor(nan_mode=mode, **FEW).fit(X if mode == "Forbidden" else holes, y)
        both_formats(f"missing_{mode}", model, on_borders(model, X))
        model = cb.CatBoostRegressor(nan_mode=mode, grow_policy="Lossguide", **FEW).fit(X if mode == "Forbidden" else holes, y)
        both_formats(f"missing_{mode}_leafwise", model, on_borders(model, X))
    for name, options, data in [
        ("many_borders", {"border_count": 1000, "depth": 6, "iterations": 30}, wide), ("deep", {"depth": 12, "iterations": 3}, X), ("stump", {"depth": 1}, X), ("constant", {"iterations": 1, "min_data_in_leaf": 10_000, "grow_policy": "Depthwise"}, X),
        ("plain_boosting", {"boosting_type": "Plain", "bootstrap_type": "MVS"}, wide), ("posterior", {"posterior_sampling": True}, X), ("no_average", {"boost_from_average": False}, X), ("wide", {}, wide),
    ]:
        model = cb.CatBoostRegressor(**{**FEW, **options}).fit(data, y)
        both_formats(f"trees_{name}", model, on_borders(model, data))
    # More than the rows of one block.
    model = cb.CatBoostRegressor(**{**FEW, "depth": 7, "iterations": 40}).fit(wide, y)
    model_folder("trees_blocks", model, np.vstack([wide, wide, wide]))
    early = cb.CatBoostRegressor(**{**FEW, "iterations": 80}).fit(X, y, eval_set=(X[:60] + 0.5, y[:60]), early_stopping_rounds=2)
    both_formats("trees_early", early, on_borders(early, X))
    first = cb.CatBoostRegressor(**FEW).fit(X, y)
    both_formats("trees_sum", cb.sum_models([first, early], weights=[0.25, 2.0]), X[:40])
    first.set_scale_and_bias(0.5, 3.25)
    both_formats("trees_scaled", first, X[:40])


def categories(y):
    n = len(y)
    frame = pd.DataFrame({
        "a": RNG.normal(size=n), "word": RNG.choice(WORDS, n), "whole": RNG.integers(-3, 9, n), "b": y + RNG.normal(size=n), "many": RNG.choice([f"v{k}" for k in range(40)], n), "two": RNG.choice(["no", "yes"], n), "big": RNG.choice([2**53 + 1, -(2**60), 7], n),
    })
    frame.loc[::7, "a"] = np.nan
    cats = ["word", "whole", "many", "two", "big"]
    effect = np.array([len(word) % 3 for word in frame.word]) + frame.whole / 4 + (frame.two == "yes")
    target = y / 3 + effect
    unseen = frame[:30].copy()
    unseen.loc[:9, "word"] = "never seen"
    unseen.loc[5:14, "whole"] = 1234
    unseen.loc[10:19, "many"] = "v99"
    unseen.loc[:4, "two"] = "perhaps"
    rows = pd.concat([frame[:60], unseen])
    kinds = {
        "default": {}, "one_hot": {"one_hot_max_size": 255}, "one_hot_some": {"one_hot_max_size": 3}, "single": {"max_ctr_complexity": 1}, "deep": {"depth": 6, "max_ctr_complexity": 5, "iterations": 15}, "no_one_hot": {"one_hot_max_size": 1, "max_ctr_complexity": 4, "iterations": 12},
    }
    ctrs = {
        "borders": ["Borders:CtrBorderCount=7:TargetBorderCount=4:Prior=0.3/1"], "buckets": ["Buckets:TargetBorderCount=3:Prior=1/1"], "mean": ["BinarizedTargetMeanValue:TargetBorderCount=5:Prior=0.5/1:Prior=2/1"], "counter": ["Counter:CtrBorderCount=12"], "all": ["Borders", "Buckets", "BinarizedTargetMeanValue", "Counter"],
    }
    kinds.update({f"ctr_{name}": {"simple_ctr": ctr, "combinations_ctr": ctr, "iterations": 12} for name, ctr in ctrs.items()})
    kinds["counter_full"] = {"simple_ctr": ["Counter"], "counter_calc_method": "Full"}
    targets = {"number": target, "two": (target > 1).astype(int), "three": np.array(["u", "v", "w"])[np.digitize(target, [0.7, 1.5])]}
    for kind, options in kinds.items():
        for name, answers in targets.items():
            of = cb.CatBoostRegressor if name == "number" else cb.CatBoostClassifier
            if name != "number":  # classes are not cut at borders
                options = {key: [re.sub(":TargetBorderCount=[0-9]+", "", ctr) for ctr in value] if key.endswith("_ctr") else value for key, value in options.items()}
            model = of(**{**FEW, **options}, cat_features=cats).fit(frame, answers)
            pool = cb.Pool(frame, answers, cat_features=cats)
            if kind in ("ctr_mean", "ctr_all") and name != "two":
                # CatBoost does not read the sums of its own JSON back as it wrote them.
                model_folder(f"categories_{kind}_{name}", model, rows)
            else:
                both_formats(f"categories_{kind}_{name}", model, rows, pool)
    for policy in ["Depthwise", "Lossguide"]:
        # Categories one by one: these trees know no others on one processor.
        model = cb.CatBoostRegressor(grow_policy=policy, one_hot_max_size=255, **FEW, cat_features=cats).fit(frame, target)
        model_folder(f"categories_{policy}", model, rows)
        model = cb.CatBoostRegressor(grow_policy=policy, **FEW, cat_features=cats).fit(frame, target)
        model_folder(f"categories_{policy}_ctr", model, rows)
    model = cb.CatBoostClassifier(**FEW, cat_features=cats).fit(frame, targets["two"])
    save("categories_pickle", model, rows.drop(columns="big").assign(big=7), kinds=("cloudpickle",))
    flags = pd.DataFrame({"flag": frame.two == "yes", "x": frame.b})
    model = cb.CatBoostRegressor(**FEW, cat_features=["flag"], one_hot_max_size=1).fit(flags, target)
    model_folder("categories_flags", model, flags[:40])
    # Beside columns without names.
    array = frame.drop(columns=["a", "b", "word", "many", "two", "big"]).assign(other=RNG.integers(0, 5, n)).to_numpy()
    model = cb.CatBoostRegressor(**FEW, cat_features=[0, 1], one_hot_max_size=2).fit(array, target)
    model_folder("categories_array", model, array[:40])


def in_pipelines(X, y):
    for name, step in [("scaled", StandardScaler()), ("filled", SimpleImputer())]:
        for kind, target in [("classes", np.digitize(y, [-0.5, 1])), ("labels", np.where(y > 0, "yes", "no"))]:
            save(f"pipeline_{name}_{kind}", make_pipeline(step, cb.CatBoostClassifier(**FEW)).fit(X, target), X[:40])
        save(f"pipeline_{name}_number", make_pipeline(step, cb.CatBoostRegressor(**FEW)).fit(X, y), X[:40])
    # Whole numbers that a step made of categories, in an array and in a frame.
    frame = pd.DataFrame({"town": RNG.choice(["Ulm", "Bonn", "Jena"], len(y)), "rooms": RNG.integers(1, 5, len(y)), "x": X[:, 0]})
    for name, columns, output in [("array", ["rooms"], "default"), ("frame", ["rooms", "x"], "pandas")]:
        coded = ColumnTransformer([("o", OrdinalEncoder(dtype=int, handle_unknown="use_encoded_value", unknown_value=-1), ["town"]), ("k", "passthrough", columns)]).set_output(transform=output)
        rows = frame[["town", *columns]].iloc[:40].copy()
        rows.loc[:5, "town"] = "Trier"
        save(f"pipeline_coded_{name}", make_pipeline(coded, cb.CatBoostClassifier(**FEW, cat_features=[0, 1])).fit(frame[["town", *columns]], y > 0), rows)
    save("pipeline_poisson", make_pipeline(StandardScaler(), cb.CatBoostRegressor(loss_function="Poisson", **FEW)).fit(X, np.abs(y)), X[:40])


def main():
    XR, yr = make_regression(300, 4, noise=1.0, random_state=3)
    y = yr / 40
    losses(XR, y)
    labels(XR, y)
    trees(XR, y)
    categories(y)
    in_pipelines(XR, y)
    done()


main()
