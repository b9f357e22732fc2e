"""Every estimator on numbers, and columns of all types through pipelines."""


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
        "knn_cosine": KNeighborsClassifier(metric="cosine"), "knn_canberra": KNeighborsClassifier(metric="canberra", weights="distance"),
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
        "boosting_huber": GradientBoostingRegressor(n_estimators=6, loss="huber"), "boosting_init": GradientBoostingRegressor(n_estimators=4, init=DecisionTreeRegressor(max_depth=3)),
        "hist": HistGradientBoostingRegressor(max_iter=9), "hist_poisson": HistGradientBoostingRegressor(max_iter=5, loss="poisson"),
        "adaboost": AdaBoostRegressor(n_estimators=6), "bagging": BaggingRegressor(n_estimators=4),
        "voting": VotingRegressor([("a", LinearRegression()), ("b", DecisionTreeRegressor(max_depth=3))], weights=[1, 3]),
        "stacking": StackingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor(max_depth=3))]),
    }
    for name, model in models.items():
        model.fit(X, np.abs(y) + 0.1)
        save(f"reg_{name}", model, hard_rows(model, X, single="hist" not in name), tolerance=1e-10)
    two = np.column_stack([y, -y + X[:, 0]])
    for name, model in {"linear": LinearRegression(), "forest": RandomForestRegressor(5), "tree": DecisionTreeRegressor(), "knn": KNeighborsRegressor(),
                        "mlp": MLPRegressor(hidden_layer_sizes=(5,), max_iter=50), "multi": MultiOutputRegressor(GradientBoostingRegressor(n_estimators=4))}.items():
        model.fit(X, two)
        save(f"two_{name}", model, hard_rows(model, X), tolerance=1e-10)
    for name, model in {"kmeans": KMeans(4, n_init=2), "isolation": IsolationForest(n_estimators=12), "isolation_part": IsolationForest(n_estimators=8, max_features=0.6, contamination=0.1),
                        "one_class": OneClassSVM(), "one_class_sgd": SGDOneClassSVM(nu=0.2)}.items():
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
            if name == "imputed":  # as frames have it that a request is made into: None beside text is NaN
                unseen["city"] = unseen["city"].astype("str")
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


def named(X, y, yr):
    """What depends on names of columns, and answers of one column or several."""
    frame = pd.DataFrame(X, columns=list("edcba"))
    rows = frame.iloc[:40]
    weights = {"s": 2.5, "m": 0.3}
    parts = [("s", StandardScaler(), ["a", "c"]), ("m", MinMaxScaler(), ["c", "e"]), ("k", "passthrough", ["b"])]
    weighed = ColumnTransformer(parts, transformer_weights=weights)
    save("named_weights", make_pipeline(weighed, LogisticRegression()).fit(frame, y), rows)
    model = make_pipeline(ColumnTransformer([("s", StandardScaler(), ["b", "d"])]), LogisticRegression()).fit(frame, y)
    save("named_part", model, rows[["d", "b"]])
    first = ColumnTransformer([("s", StandardScaler(), ["a", "c"])], remainder="passthrough")
    save("named_rest", make_pipeline(first, DecisionTreeClassifier(max_depth=4)).fit(frame, y), rows[list("abcde")])
    save("named_rfe", RFE(LogisticRegression(), n_features_to_select=2).fit(frame, y), rows)
    save("named_start", GradientBoostingClassifier(n_estimators=4, init=RandomForestClassifier(5, random_state=0)).fit(frame, y), rows)
    flags = np.column_stack([y > 0, X[:, 0] > 0])
    for name, model, target in [("one", LinearRegression(), yr[:, None]), ("one_neighbour", KNeighborsRegressor(), yr[:, None]),
                                ("one_of_many", MultiOutputRegressor(Ridge()), yr[:, None]), ("flags", DecisionTreeClassifier(max_depth=4), flags),
                                ("mean", DummyRegressor(), np.column_stack([yr, -yr]))]:
        save(f"named_{name}", model.fit(frame, target), rows)


def main():
    X, y = make_classification(160, 5, n_informative=4, n_redundant=0, random_state=0)
    classifiers("two", X, y, True)
    X3, y3 = make_classification(180, 6, n_informative=5, n_redundant=0, n_classes=3, random_state=1)
    classifiers("three", X3, y3, False)
    classifiers("text", X3, np.array(["low", "mid", "top"])[y3], False)
    XR, yr = make_regression(160, 5, noise=1.0, random_state=2)
    regressors(XR, yr / 30)
    mixed()
    named(X, y, yr)
    done()


main()
