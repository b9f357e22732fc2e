"""Rows that scikit-learn refuses: a number that is missing or infinite where a step takes none, and numbers where training had texts."""

from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.feature_selection import SelectFromModel, SequentialFeatureSelector
from sklearn.impute import KNNImputer, MissingIndicator


def refused(name, model, rows):
    """Keeps the rows that Python refuses, each alone."""
    kept = []
    for at in range(len(rows)):
        try:
            model.predict(rows.iloc[at : at + 1])
        except Exception:
            kept.append(at)
    if kept:
        file, content = dump(model, "cloudpickle")
        folder(name, file, content, {"sklearn": {"code": None, "pickled_model": file}}, "predict", rows.iloc[kept], [], 0)


def dense():
    X = pd.DataFrame(np.abs(RNG.normal(size=(90, 3))) + 0.1, columns=list("abc"))
    y = X["a"] * 2 - X["b"] + RNG.normal(size=90) * 0.1
    rows = X.iloc[[0] * 5].reset_index(drop=True)
    for at, (column, value) in enumerate((("a", np.nan), ("b", np.inf), ("c", -np.inf), ("a", 0.0), ("b", -1.0))):
        rows.loc[at, column] = value
    steps = {"standard": StandardScaler(), "min_max": MinMaxScaler(), "max_abs": MaxAbsScaler(), "robust": RobustScaler(), "norm": Normalizer(), "binary": Binarizer(threshold=0.5), "poly": PolynomialFeatures(2), "quantile": QuantileTransformer(n_quantiles=9),
             "bins": KBinsDiscretizer(3, encode="ordinal"), "power": PowerTransformer(), "box_cox": PowerTransformer("box-cox"), "pca": PCA(2), "svd": TruncatedSVD(2), "best": SelectKBest(k=2), "percentile": SelectPercentile(percentile=70),
             "from_model": SelectFromModel(Ridge(), threshold=-np.inf), "rfe": RFE(Ridge()), "sequential": SequentialFeatureSelector(Ridge(), cv=2, n_features_to_select=2), "log": FunctionTransformer(np.log1p, validate=True), "validate": FunctionTransformer(validate=True),
             "impute": SimpleImputer(), "impute_number": SimpleImputer(missing_values=-1.0), "neighbours": KNNImputer(), "missing": MissingIndicator(features="all"), "one_hot": OneHotEncoder(handle_unknown="ignore", sparse_output=False),
             "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), "target": TargetEncoder(cv=2)}
    for name, step in steps.items():
        refused(f"dense_{name}", make_pipeline(step, HistGradientBoostingRegressor(max_iter=3)).fit(X, y), rows)


def sparse():
    X = pd.DataFrame({"town": RNG.choice([f"town {at}" for at in range(12)], 90), "share": RNG.random(90)})
    y = (X["share"] > 0.5).astype(int)
    rows = pd.DataFrame({"town": ["town 1", "town 2"], "share": [np.nan, np.inf]})
    tree = DecisionTreeClassifier(max_depth=3)
    ends = {"logistic": [LogisticRegression()], "forest": [RandomForestClassifier(3)], "extra": [ExtraTreesClassifier(3)], "tree": [tree], "multinomial": [MultinomialNB()], "bernoulli": [BernoulliNB()], "bernoulli_as_is": [BernoulliNB(binarize=None)],
            "complement": [ComplementNB()], "svm": [LinearSVC()], "sgd": [SGDClassifier()], "network": [MLPClassifier((3,), max_iter=9)], "ridge": [Ridge()], "bagging": [BaggingClassifier(LogisticRegression(), n_estimators=2)],
            "voting": [VotingClassifier([("a", LogisticRegression()), ("b", MultinomialNB())])], "calibrated": [CalibratedClassifierCV(LinearSVC(), cv=2)], "norm": [Normalizer(), tree], "binary": [Binarizer(threshold=0.3), tree],
            "tfidf": [TfidfTransformer(), tree], "svd": [TruncatedSVD(2), tree], "best": [SelectKBest(k=5), tree], "scaled": [StandardScaler(with_mean=False), tree]}
    for name, end in ends.items():
        columns = [("c", OneHotEncoder(handle_unknown="ignore"), ["town"]), ("n", MaxAbsScaler(), ["share"])]
        refused(f"sparse_{name}", make_pipeline(ColumnTransformer(columns, sparse_threshold=1.0), *end).fit(X, y), rows)
    numbers = pd.DataFrame({"town": [1.0, 2.0], "share": [0.5, 0.1]})
    for name, step in {"one_hot": OneHotEncoder(handle_unknown="ignore"), "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), "target": TargetEncoder(cv=2)}.items():
        refused(f"texts_{name}", make_pipeline(ColumnTransformer([("c", step, ["town"])], remainder="passthrough"), LogisticRegression()).fit(X, y), numbers)


dense()
sparse()
done()
