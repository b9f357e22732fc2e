"""Every estimator on numbers, columns of all types through pipelines, and the boosters."""


def classifiers(kind, X, y, wide):
    models = {
        "logistic": LogisticRegression(max_iter=300), "logistic_liblinear": OneVsRestClassifier(LogisticRegression(solver="liblinear")),
        "sgd": SGDClassifier(loss="log_loss"), "sgd_huber": SGDClassifier(loss="modified_huber"), "sgd_hinge": SGDClassifier(),
        "perceptron": Perceptron(), "ridge": RidgeClassifier(), "linear_svc": LinearSVC(), "lda": LinearDiscriminantAnalysis(),
        "svc": SVC(probability=True), "svc_linear": SVC(kernel="linear"), "svc_poly": SVC(kernel="poly", degree=3, coef0=0.5),
        "svc_sigmoid": SVC(kernel="sigmoid"), "svc_ovo": SVC(decision_function_shape="ovo"), "nu_svc": NuSVC(nu=0.2),
        "svc_ties": SVC(break_ties=True),
        "gaussian_nb": GaussianNB(), "bernoulli_nb": BernoulliNB(), "multinomial_nb": make_pipeline(MinMaxScaler(), MultinomialNB()),
        "complement_nb": make_pipeline(MinMaxScaler(), ComplementNB()),
        "knn": KNeighborsClassifier(), "knn_distance": KNeighborsClassifier(4, weights="distance", p=1),
        "mlp": MLPClassifier((8, 5), max_iter=60), "mlp_tanh": MLPClassifier((6,), activation="tanh", max_iter=60),
        "tree": DecisionTreeClassifier(), "extra_tree": ExtraTreeClassifier(max_depth=6), "forest": RandomForestClassifier(12),
        "forest_weights": RandomForestClassifier(6, class_weight="balanced", max_depth=5), "extra_trees": ExtraTreesClassifier(8),
        "boosting": GradientBoostingClassifier(n_estimators=8), "boosting_zero": GradientBoostingClassifier(n_estimators=5, init="zero"),
        "hist": HistGradientBoostingClassifier(max_iter=10), "adaboost": AdaBoostClassifier(n_estimators=6),
        "bagging": BaggingClassifier(n_estimators=4, max_features=0.7), "bagging_svc": BaggingClassifier(LinearSVC(), n_estimators=3),
        "voting_soft": VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=3))], voting="soft", weights=[2, 1]),
        "voting_hard": VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=3)), ("c", GaussianNB())]),
        "stacking": StackingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=3)), ("c", LinearSVC())], passthrough=True),
        "calibrated": CalibratedClassifierCV(LinearSVC(), cv=2), "isotonic": CalibratedClassifierCV(GaussianNB(), cv=2, method="isotonic"),
        "ovr": OneVsRestClassifier(LogisticRegression()), "ovr_forest": OneVsRestClassifier(RandomForestClassifier(4)),
        "multi": MultiOutputClassifier(LogisticRegression()),
        "search": GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1]}, cv=2),
        "pca": make_pipeline(StandardScaler(), PCA(3, whiten=True), LogisticRegression()),
        "poly": make_pipeline(PolynomialFeatures(2, interaction_only=True), LogisticRegression(max_iter=500)),
        "union": make_pipeline(FeatureUnion([("s", StandardScaler()), ("p", TruncatedSVD(2)), ("q", "passthrough")]), DecisionTreeClassifier(max_depth=4)),
        "select": make_pipeline(VarianceThreshold(), SelectKBest(k=3), GaussianNB()), "percentile": make_pipeline(SelectPercentile(percentile=50), GaussianNB()),
        "scalers": make_pipeline(RobustScaler(), MaxAbsScaler(), Normalizer(), LogisticRegression()),
        "power": make_pipeline(PowerTransformer(), Binarizer(threshold=0.2), BernoulliNB()),
    }
    for name, model in models.items():
        target = np.column_stack([y, y]) if name == "multi" else y
        model.fit(X, target)
        kinds = FORMATS if wide and name in ("logistic", "forest", "hist", "pca", "stacking") else ("skops", "cloudpickle")
        save(f"{kind}_{name}", model, hard_rows(model, X, single=name != "hist"), kinds, 1e-9 if name.startswith("svc") else 1e-12)
    if wide:
        model = GradientBoostingClassifier(n_estimators=6, loss="exponential").fit(X, y)
        save(f"{kind}_boosting_exp", model, hard_rows(model, X))
        holes = X.copy()
        holes[RNG.random(X.shape) < 0.2] = np.nan
        for name, model in {"tree": DecisionTreeClassifier(max_depth=5), "forest": RandomForestClassifier(8), "hist": HistGradientBoostingClassifier(max_iter=12)}.items():
            model.fit(holes, y)
            save(f"{kind}_missing_{name}", model, hard_rows(model, X, True, single=name != "hist"))


def regressors(X, y):
    models = {
        "linear": LinearRegression(), "ridge": Ridge(), "lasso": Lasso(), "elastic": ElasticNet(), "sgd": make_pipeline(StandardScaler(), SGDRegressor()),
        "huber": HuberRegressor(), "bayes": BayesianRidge(), "linear_svr": LinearSVR(), "svr": SVR(), "svr_poly": SVR(kernel="poly"),
        "poisson": PoissonRegressor(), "gamma": GammaRegressor(), "tweedie": TweedieRegressor(power=1.5), "knn": KNeighborsRegressor(),
        "knn_distance": KNeighborsRegressor(weights="distance", metric="chebyshev"), "mlp": MLPRegressor(hidden_layer_sizes=(7,), max_iter=60),
        "tree": DecisionTreeRegressor(), "forest": RandomForestRegressor(10), "extra": ExtraTreesRegressor(6), "boosting": GradientBoostingRegressor(n_estimators=9),
        "boosting_huber": GradientBoostingRegressor(n_estimators=6, loss="huber"), "boosting_init": GradientBoostingRegressor(n_estimators=4, init=LinearRegression()),
        "hist": HistGradientBoostingRegressor(max_iter=9), "hist_poisson": HistGradientBoostingRegressor(max_iter=5, loss="poisson"),
        "adaboost": AdaBoostRegressor(n_estimators=6), "bagging": BaggingRegressor(n_estimators=4),
        "voting": VotingRegressor([("a", LinearRegression()), ("b", DecisionTreeRegressor(max_depth=3))], weights=[1, 3]),
        "stacking": StackingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor(max_depth=3))]),
    }
    for name, model in models.items():
        model.fit(X, np.abs(y) + 0.1)
        # A linear first model inside boosting is asked in f32.
        tolerance = 1e-6 if name == "boosting_init" else 1e-10
        save(f"reg_{name}", model, hard_rows(model, X, single="hist" not in name), tolerance=tolerance)
    two = np.column_stack([y, -y + X[:, 0]])
    for name, model in {"linear": LinearRegression(), "forest": RandomForestRegressor(5), "tree": DecisionTreeRegressor(), "knn": KNeighborsRegressor(),
                        "mlp": MLPRegressor(hidden_layer_sizes=(5,), max_iter=50), "multi": MultiOutputRegressor(GradientBoostingRegressor(n_estimators=4))}.items():
        model.fit(X, two)
        save(f"two_{name}", model, hard_rows(model, X), tolerance=1e-10)
    for name, model in {"kmeans": KMeans(4, n_init=2), "isolation": IsolationForest(n_estimators=12), "isolation_part": IsolationForest(n_estimators=8, max_features=0.6, contamination=0.1),
                        "one_class": OneClassSVM()}.items():
        model.fit(X)
        save(f"other_{name}", model, hard_rows(model, X), tolerance=1e-9)


def mixed():
    n = 300
    frame = pd.DataFrame({"age": RNG.normal(40, 10, n).round(1), "income": RNG.normal(size=n), "city": RNG.choice(["a", "b", "ccc", "rare"], n, p=[0.4, 0.3, 0.28, 0.02]),
                          "plan": RNG.choice(["x", "y"], n), "count": RNG.integers(0, 4, n), "flag": RNG.random(n) < 0.5})
    frame["city"] = frame["city"].astype(object)
    frame["plan"] = frame["plan"].astype(object)
    frame.loc[::7, "age"] = np.nan
    y = np.where((frame.income + (frame.city == "a")) > 0.3, "yes", "no")
    rows = frame.iloc[:80].copy()
    unseen = rows.copy()
    unseen.loc[3, "city"] = "unseen"
    unseen.loc[5, "city"] = None
    numeric = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    kinds = {
        "ignore": OneHotEncoder(handle_unknown="ignore"), "drop": OneHotEncoder(drop="first"), "if_binary": OneHotEncoder(drop="if_binary"),
        "rare": OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20), "ordinal": OrdinalEncoder(),
        "unknown": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), "target": TargetEncoder(),
        "imputed": make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
    }
    for name, encoder in kinds.items():
        for last in (LogisticRegression(max_iter=300), HistGradientBoostingClassifier(max_iter=5)):
            pre = ColumnTransformer([("n", numeric, ["age", "income"]), ("c", encoder, ["city", "plan"]), ("k", "passthrough", ["count", "flag"])], sparse_threshold=0)
            model = make_pipeline(pre, last).fit(frame, y)
            hard = unseen if name in ("ignore", "rare", "unknown", "imputed", "target") else rows
            save(f"mixed_{name}_{type(last).__name__}", model, hard, FORMATS if name == "ignore" else ("skops", "cloudpickle"))
    pre = ColumnTransformer([("c", OneHotEncoder(), make_column_selector(dtype_include=object))], remainder=StandardScaler())
    filled = frame.fillna({"age": 0.0})
    save("mixed_selector", make_pipeline(pre, LogisticRegression()).fit(filled, y), filled.iloc[:50])
    coded = filled.assign(city=filled.city.astype("category").cat.codes.astype(float)).drop(columns=["plan"]).astype(float)
    model = HistGradientBoostingClassifier(max_iter=8, categorical_features=[2, 3]).fit(coded, y)
    hard = coded.iloc[:80].copy()
    hard.iloc[1, 2], hard.iloc[2, 2], hard.iloc[3, 2] = np.nan, 77.0, -1.0
    save("mixed_hist_categories", model, hard)
    save("mixed_scaler", StandardScaler().fit(coded), coded.iloc[:20])


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
        "vector": ({"multi_strategy": "multi_output_tree", "tree_method": "hist"}, np.column_stack([yr, -yr])),
    }
    for name, (parameters, target) in kinds.items():
        booster = xgb.train({"max_depth": 4, "seed": 1, **parameters}, xgb.DMatrix(X, target), 7)
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
    cat = np.column_stack([RNG.integers(0, 12, len(X)), X[:, 0]]).astype(float)
    for onehot in (1, 100):
        matrix = xgb.DMatrix(cat, yr, feature_types=["c", "q"], enable_categorical=True)
        booster = xgb.train({"max_cat_to_onehot": onehot, "max_depth": 4}, matrix, 6)
        hard = cat[:60].copy()
        hard[0, 0] = np.nan
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
        "stump": ({"num_leaves": 2}, X, yr), "constant": ({"min_data_in_leaf": 1000}, X, yr),
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


def main():
    X, y = make_classification(160, 5, n_informative=4, n_redundant=0, random_state=0)
    classifiers("two", X, y, True)
    X3, y3 = make_classification(180, 6, n_informative=5, n_redundant=0, n_classes=3, random_state=1)
    classifiers("three", X3, y3, False)
    classifiers("text", X3, np.array(["low", "mid", "top"])[y3], False)
    XR, yr = make_regression(160, 5, noise=1.0, random_state=2)
    regressors(XR, yr / 30)
    mixed()
    boosters(XR, (yr > 0).astype(int), np.digitize(yr, [-30, 30]), yr / 30)
    done()


main()
