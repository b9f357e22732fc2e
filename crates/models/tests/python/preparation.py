"""Transformers, alone and before a model: bins, quantiles, imputers, text, selections, functions."""

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis as LDA
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectFwe, SelectFpr, RFE
from sklearn.impute import KNNImputer, MissingIndicator
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import IncrementalPCA


def numeric(X, y, y3, yr):
    rows = hard_rows(None, X)
    grid = np.round(rows[:30], 0)
    rows = np.vstack([rows, grid, X.min(0)[None], X.max(0)[None], X.min(0)[None] - 1, X.max(0)[None] + 1])
    for encode in ("onehot", "onehot-dense", "ordinal"):
        for strategy in ("uniform", "quantile", "kmeans"):
            model = KBinsDiscretizer(4, encode=encode, strategy=strategy, quantile_method="averaged_inverted_cdf").fit(X)
            edges = rows.copy()
            for at, edge in enumerate(model.bin_edges_):
                edges[:len(edge), at] = edge
                edges[len(edge):2 * len(edge), at] = np.nextafter(edge, -np.inf)
            save(f"bins_{encode}_{strategy}", model, edges)
    model = make_pipeline(KBinsDiscretizer([2, 3, 4, 5, 6], encode="onehot"), LogisticRegression()).fit(X, y)
    save("bins_pipeline", model, rows)
    repeated = np.round(X, 0)
    for distribution in ("uniform", "normal"):
        for data, kind in ((X, "plain"), (repeated, "repeated")):
            for n in (7, 100):
                model = QuantileTransformer(n_quantiles=n, output_distribution=distribution, random_state=0).fit(data)
                hard = np.vstack([rows, repeated[:20], model.quantiles_[:5]])
                hard = np.vstack([hard, np.where(RNG.random(hard[:9].shape) < 0.3, np.nan, hard[:9])])
                save(f"quantile_{distribution}_{kind}_{n}", model, hard)
    holes = np.where(RNG.random(X.shape) < 0.25, np.nan, X)
    holes_rows = np.vstack([holes[:40], np.full((1, X.shape[1]), np.nan), rows[:10]])
    empty = holes.copy()
    empty[:, 2] = np.nan
    for name, model, data in [
        ("plain", KNNImputer(), holes), ("three", KNNImputer(n_neighbors=3), holes), ("distance", KNNImputer(n_neighbors=4, weights="distance"), holes),
        ("indicator", KNNImputer(add_indicator=True), holes), ("minus", KNNImputer(missing_values=-1.0), np.where(np.isnan(holes), -1.0, holes)),
        ("empty", KNNImputer(), empty), ("keep_empty", KNNImputer(keep_empty_features=True), empty), ("all", KNNImputer(n_neighbors=1000), holes),
        ("one", KNNImputer(n_neighbors=1, weights="distance"), holes),
    ]:
        model.fit(data)
        hard = np.where(np.isnan(holes_rows), -1.0, holes_rows) if name == "minus" else holes_rows
        save(f"knn_imputer_{name}", model, hard, tolerance=1e-10)
    for name, model in [("only", MissingIndicator()), ("all", MissingIndicator(features="all")), ("new", MissingIndicator(error_on_new=False))]:
        save(f"missing_indicator_{name}", model.fit(holes), holes_rows)
    for strategy in ("mean", "median", "most_frequent", "constant"):
        for indicator in (False, True):
            for keep in (False, True):
                model = SimpleImputer(strategy=strategy, add_indicator=indicator, keep_empty_features=keep, fill_value=7.0 if strategy == "constant" else None).fit(empty)
                save(f"simple_imputer_{strategy}_{indicator}_{keep}", model, holes_rows)
    for name, model in [
        ("imputed", make_pipeline(KNNImputer(), StandardScaler(), LogisticRegression())),
        ("union_weights", make_pipeline(SimpleImputer(), FeatureUnion([("a", StandardScaler()), ("b", PCA(2)), ("c", "drop")], transformer_weights={"a": 2.5, "b": 0.25}), LogisticRegression())),
    ]:
        save(f"pipeline_{name}", model.fit(holes, y), holes_rows, tolerance=1e-10)
    transformers = {
        "standard": StandardScaler(), "standard_mean": StandardScaler(with_mean=False), "standard_std": StandardScaler(with_std=False),
        "minmax": MinMaxScaler(), "minmax_clip": MinMaxScaler((-1, 2), clip=True), "maxabs": MaxAbsScaler(), "robust": RobustScaler(quantile_range=(10, 80)),
        "robust_unit": RobustScaler(unit_variance=True, with_centering=False), "normal_l1": Normalizer("l1"), "normal_max": Normalizer("max"), "normal_l2": Normalizer(),
        "poly2": PolynomialFeatures(2), "poly3": PolynomialFeatures((2, 3), include_bias=False), "poly_only": PolynomialFeatures(3, interaction_only=True),
        "power": PowerTransformer(), "power_raw": PowerTransformer(standardize=False), "power_box": make_pipeline(MinMaxScaler((1, 2)), PowerTransformer("box-cox")),
        "binarizer": Binarizer(threshold=0.3), "pca": PCA(3), "pca_white": PCA(2, whiten=True), "ipca": IncrementalPCA(2), "svd": TruncatedSVD(3), "kmeans": KMeans(3, n_init=1),
        "lda": LDA(), "lda_eigen": LDA(solver="eigen", n_components=1), "variance": VarianceThreshold(0.9), "k_best": SelectKBest(k=2), "percentile": SelectPercentile(percentile=40),
        "fpr": SelectFpr(alpha=0.2), "fwe": SelectFwe(alpha=0.3), "rfe": RFE(LogisticRegression(), n_features_to_select=2), "function": FunctionTransformer(),
        "log1p": make_pipeline(MinMaxScaler(), FunctionTransformer(np.log1p)), "sqrt": make_pipeline(MinMaxScaler(clip=True), FunctionTransformer(np.sqrt)),
    }
    for name, model in transformers.items():
        model.fit(X, y3)
        flavor_rows = rows[:70] if name not in ("power_box", "log1p") else X
        save_method(f"transform_{name}", model, "transform", flavor_rows, tolerance=1e-10)
    frame = pd.DataFrame(X, columns=list("abcde"))
    for name, model in [("standard", StandardScaler()), ("function", FunctionTransformer()), ("log", FunctionTransformer(np.abs)), ("imputer", SimpleImputer())]:
        save_method(f"transform_frame_{name}", model.fit(frame), "transform", frame[:20])
    choosers = {
        "forest": RandomForestClassifier(9, random_state=0), "tree": DecisionTreeClassifier(max_depth=4, random_state=0), "boosting": GradientBoostingClassifier(n_estimators=5, random_state=0),
        "logistic": LogisticRegression(), "lasso": Lasso(0.05), "adaboost": AdaBoostClassifier(n_estimators=5, random_state=0), "extra": ExtraTreesRegressor(7, random_state=1),
        "svc": LinearSVC(penalty="l1", C=0.1),
    }
    for name, chooser in choosers.items():
        for option, extra in {"plain": {}, "median": {"threshold": "1.1*median"}, "number": {"threshold": 0.1}, "most": {"max_features": 2, "threshold": -np.inf}}.items():
            model = make_pipeline(SelectFromModel(chooser, **extra), LogisticRegression())
            try:
                model.fit(X, y3)
            except ValueError:  # nothing is kept
                continue
            save(f"select_{name}_{option}", model, rows[:40], ("cloudpickle", "skops") if option == "plain" else ("cloudpickle",))
    targets = {"log": TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1), "plain": TransformedTargetRegressor(Ridge())}
    for name, model in targets.items():
        save(f"target_{name}", model.fit(X, np.abs(yr)), rows[:50], tolerance=1e-10)


def text():
    words = "the quick brown fox jumps over a lazy dog while Straße élan naïve 東京 data_set x1 model's server-side and it is not here 42 co-op ЁЖ".split()
    documents = [" ".join(RNG.choice(words, int(n))) for n in RNG.integers(1, 25, 120)]
    y = np.array([("dog" in d) + 2 * ("fox" in d) for d in documents])
    hard = documents[:40] + ["", "   ", "unseen words only zzz", "Dog DOG dOg", "tab\tand\nnew  line", "İstanbul ΣΑΣ ﬁ ½ ² क\u093fक", "a b c", "_under __ 1 22", "it's o'clock"]
    options = {
        "plain": {}, "bigrams": {"ngram_range": (1, 2)}, "only_bigrams": {"ngram_range": (2, 3)}, "binary": {"binary": True}, "case": {"lowercase": False},
        "stop": {"stop_words": "english"}, "stop_bigrams": {"stop_words": "english", "ngram_range": (1, 2)}, "stop_list": {"stop_words": ["the", "fox"], "ngram_range": (1, 2)},
        "char": {"analyzer": "char", "ngram_range": (2, 4)}, "char_wb": {"analyzer": "char_wb", "ngram_range": (1, 5)}, "vocabulary": {"vocabulary": ["fox", "dog", "straße"]},
        "frequency": {"min_df": 5, "max_df": 0.6, "max_features": 9}, "pattern": {"token_pattern": r"(?u)\b\w+\b"}, "custom": {"token_pattern": r"[a-z]+"}, "group": {"token_pattern": r"(\w+)-\w+"},
    }
    for name, extra in options.items():
        for kind in (CountVectorizer, TfidfVectorizer):
            model = make_pipeline(kind(**extra), LogisticRegression()).fit(documents, y)
            save_documents(f"text_{kind.__name__}_{name}", model, hard)
    for name, extra in {"sublinear": {"sublinear_tf": True}, "l1": {"norm": "l1"}, "none": {"norm": None}, "no_idf": {"use_idf": False}, "rough": {"smooth_idf": False}}.items():
        save_documents(f"text_tfidf_{name}", make_pipeline(TfidfVectorizer(**extra), LogisticRegression()).fit(documents, y), hard)
    lasts = {
        "bayes": MultinomialNB(), "complement": ComplementNB(), "bernoulli": BernoulliNB(), "sgd": SGDClassifier(loss="log_loss"), "svc": LinearSVC(), "forest": RandomForestClassifier(6),
        "tree": DecisionTreeClassifier(), "ridge": RidgeClassifier(), "knn": KNeighborsClassifier(3), "libsvm": SVC(kernel="linear"), "mlp": MLPClassifier((5,), max_iter=30), "ovr": OneVsRestClassifier(LogisticRegression()),
        "svd": make_pipeline(TruncatedSVD(5), LogisticRegression()), "scaled": make_pipeline(MaxAbsScaler(), LogisticRegression()), "best": make_pipeline(SelectKBest(k=10), LogisticRegression()),
        "xgb": xgb.XGBClassifier(n_estimators=3), "passive": Perceptron(),
    }
    for name, last in lasts.items():
        model = make_pipeline(TfidfVectorizer(), last).fit(documents, y)
        # Documents without a known word are equally far from all others, which a search may order as it likes.
        save_documents(f"text_last_{name}", model, documents[:40] if name == "knn" else hard, 1e-6 if name == "xgb" else 1e-9)
    save_documents("text_two_steps", make_pipeline(CountVectorizer(), TfidfTransformer(), LogisticRegression()).fit(documents, y), hard)
    save_documents("text_hash", make_pipeline(HashingVectorizer(n_features=64), LogisticRegression()).fit(documents, y), hard)
    save_documents("text_hash_signless", make_pipeline(HashingVectorizer(alternate_sign=False, norm=None), MultinomialNB()).fit(documents, y), hard)
    union = FeatureUnion([("w", TfidfVectorizer()), ("c", TfidfVectorizer(analyzer="char", ngram_range=(2, 2)))])
    save_documents("text_union", make_pipeline(union, LogisticRegression()).fit(documents, y), hard)
    frame = pd.DataFrame({"title": documents, "body": documents[::-1], "price": RNG.normal(size=len(documents)), "city": RNG.choice(["a", "b"], len(documents))})
    for name, last in {"logistic": LogisticRegression(), "forest": RandomForestClassifier(5)}.items():
        pre = ColumnTransformer([("t", TfidfVectorizer(), "title"), ("b", CountVectorizer(binary=True), "body"), ("n", StandardScaler(), ["price"]), ("c", OneHotEncoder(), ["city"])])
        save(f"text_columns_{name}", make_pipeline(pre, last).fit(frame, y), frame.iloc[:40], tolerance=1e-9)


def save_documents(name, model, documents, tolerance=1e-10):
    answers = {"predict": model.predict(documents)}
    if hasattr(model, "predict_proba"):
        answers["predict_proba"] = model.predict_proba(documents)
    frame = pd.DataFrame({"text": documents})
    for kind in ("cloudpickle", "skops"):
        file, content = dump(model, kind)
        for method, answer in answers.items():
            folder(f"{name}-{kind}.{method}", file, content, {"sklearn": {"code": None, "pickled_model": file}}, method, frame, answer, tolerance)


def categories():
    n = 240
    frame = pd.DataFrame({"city": RNG.choice(["a", "b", "ccc", "rare"], n, p=[0.4, 0.3, 0.28, 0.02]), "plan": RNG.choice(["x", "y"], n), "level": RNG.integers(0, 5, n), "flag": RNG.random(n) < 0.4, "size": RNG.choice([1.5, 2.5, 4.0], n)})
    frame["city"], frame["plan"] = frame["city"].astype(object), frame["plan"].astype(object)
    y3 = RNG.integers(0, 3, n)
    unseen = frame.iloc[:40].copy()
    unseen.loc[1, "city"], unseen.loc[2, "plan"], unseen.loc[3, "level"], unseen.loc[4, "size"] = "nowhere", "zz", 99, 7.25
    targets = {"multi": y3, "text": np.array(["l", "m", "h"])[y3], "binary": y3 > 0, "number": RNG.normal(size=n) + y3}
    for name, target in targets.items():
        for smooth in ("auto", 3.0):
            model = TargetEncoder(smooth=smooth, random_state=0).fit(frame, target)
            save(f"target_encoder_{name}_{smooth}", model, unseen)
            last = Ridge() if name == "number" else LogisticRegression()
            save(f"target_encoder_model_{name}_{smooth}", make_pipeline(TargetEncoder(smooth=smooth), last).fit(frame, target), unseen, tolerance=1e-10)
    with_none = frame.copy()
    with_none.loc[::9, "city"] = None
    with_none.loc[::11, "size"] = np.nan
    none_rows = with_none.iloc[:40]
    for name, model, data, rows in [
        ("plain", OneHotEncoder(sparse_output=False), frame, frame[:30]), ("ignore", OneHotEncoder(handle_unknown="ignore"), frame, unseen), ("first", OneHotEncoder(drop="first"), frame, frame[:30]),
        ("if_binary", OneHotEncoder(drop="if_binary", handle_unknown="ignore"), frame, unseen), ("rare", OneHotEncoder(min_frequency=0.1, handle_unknown="infrequent_if_exist"), frame, unseen),
        ("max", OneHotEncoder(max_categories=2, handle_unknown="infrequent_if_exist"), frame, unseen), ("rare_drop", OneHotEncoder(min_frequency=0.1, drop="first", handle_unknown="infrequent_if_exist"), frame, unseen),
        ("none", OneHotEncoder(handle_unknown="ignore"), with_none, none_rows), ("array_drop", OneHotEncoder(drop=["b", "x", 2, True, 2.5]), frame, frame[:30]),
        ("warn", OneHotEncoder(handle_unknown="warn", min_frequency=0.1), frame, unseen), ("given", OneHotEncoder(categories=[["rare", "a", "b", "ccc"], ["y", "x"], [0, 1, 2, 3, 4], [False, True], [1.5, 2.5, 4.0]]), frame, frame[:30]),
        ("ordinal", OrdinalEncoder(), frame, frame[:30]), ("ordinal_unknown", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), frame, unseen),
        ("ordinal_none", OrdinalEncoder(encoded_missing_value=-2, handle_unknown="use_encoded_value", unknown_value=-1), with_none, none_rows), ("ordinal_rare", OrdinalEncoder(min_frequency=10, handle_unknown="use_encoded_value", unknown_value=-1), frame, unseen),
        ("ordinal_max", OrdinalEncoder(max_categories=2), frame, frame[:30]),
    ]:
        save(f"encoder_{name}", model.fit(data), rows)
    labels = LabelEncoder().fit(frame["city"])
    for kind in ("skops", "cloudpickle"):
        file, content = dump(labels, kind)
        folder(f"label_encoder-{kind}", file, content, {"sklearn": {"pickled_model": file}}, "transform", frame[["city"]][:20], labels.transform(frame["city"][:20])[:, None], 0)
    frequent = SimpleImputer(strategy="most_frequent", missing_values=None).fit(with_none[["city", "plan"]])
    save("imputer_text", frequent, with_none[["city", "plan"]].iloc[:40])
    constant = SimpleImputer(strategy="constant", fill_value="none").fit(with_none[["city", "plan"]])
    # As frames have it that a request is made into: None beside text is NaN.
    save("imputer_text_constant", constant, with_none[["city", "plan"]].iloc[:40].astype("str"))


def main():
    X, y = make_classification(140, 5, n_informative=4, n_redundant=0, random_state=0)
    y3 = np.digitize(X[:, 0] + X[:, 1], [-0.7, 0.9])
    yr = X @ np.array([1.0, -2.0, 0.5, 0.0, 3.0]) + RNG.normal(size=len(X))
    numeric(X, y, y3, yr)
    text()
    categories()
    done()


main()
