"""Estimators x parameters x data where parameters matter: ties, missing values, rare categories, columns that never vary.

Each model answers as Python does or is refused by name. Of each estimator some combinations are drawn; SWEEP=1000 takes all.
"""

import itertools
import os

from sklearn.cluster import BisectingKMeans, MiniBatchKMeans
from sklearn.decomposition import IncrementalPCA
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectFpr, SelectFromModel
from sklearn.impute import KNNImputer, MissingIndicator
from sklearn.linear_model import LinearRegression


LIMIT = int(os.environ.get("SWEEP", "12"))


def grid(**lists):
    every = [dict(zip(lists, values)) for values in itertools.product(*lists.values())]
    return [every[at] for at in sorted(np.random.default_rng(1).permutation(len(every))[:LIMIT])]


def sweep(name, make, options, fit, rows, methods=("predict",), tolerance=1e-9):
    """Each combination of options, fitted to each data, asked each method."""
    for number, option in enumerate(options):
        try:
            model = make(**option)
            model.fit(*fit)
        except Exception:  # not a combination that there is
            continue
        for method in methods:
            if not hasattr(model, method):
                continue
            try:
                answer = getattr(model, method)(rows)
            except Exception:
                continue
            if hasattr(answer, "toarray"):
                answer = answer.toarray()
            if isinstance(answer, list) or not np.all(pd.notna(np.asarray(answer, dtype=object))):
                continue
            file, content = dump(model, "cloudpickle")
            folder(f"{name}_{number}.{method}", file, content, {"sklearn": {"code": None, "pickled_model": file}}, method, rows, answer, tolerance)
            path = OUT / f"{name}_{number}.{method}" / "expected.json"
            document = json.loads(path.read_text())
            document["what"] = str(option)
            path.write_text(json.dumps(document))


def encoders():
    n = 90
    rare = RNG.choice(["a", "b", "c", "r", "s", "t"], n, p=[0.4, 0.3, 0.2, 0.04, 0.03, 0.03]).astype(object)
    holes = rare.copy()
    holes[::8] = np.nan
    numbers = RNG.choice([1.0, 2.0, 3.0, 7.0, 8.0], n, p=[0.5, 0.3, 0.1, 0.05, 0.05])
    gaps = numbers.copy()
    gaps[::7] = np.nan
    frames = {"text": pd.DataFrame({"c": rare}), "holes": pd.DataFrame({"c": holes, "d": rare}), "numbers": pd.DataFrame({"x": numbers}), "gaps": pd.DataFrame({"x": gaps, "y": numbers})}
    for kind, frame in frames.items():
        unseen = frame.copy()
        unseen.iloc[3, 0] = "zz" if kind in ("text", "holes") else 99.0
        for rows, suffix in ((frame, "seen"), (unseen, "unseen")):
            sweep(f"ordinal_{kind}_{suffix}", OrdinalEncoder, grid(min_frequency=[None, 1, 3, 10, 0.1], max_categories=[None, 1, 2, 3], handle_unknown=["error", "use_encoded_value"], unknown_value=[None, -1], encoded_missing_value=[np.nan, -2]), (frame,), rows, ("transform",))
            sweep(f"onehot_{kind}_{suffix}", OneHotEncoder, grid(min_frequency=[None, 3, 10, 0.1], max_categories=[None, 2, 3], handle_unknown=["error", "ignore", "infrequent_if_exist", "warn"], drop=[None, "first", "if_binary"], sparse_output=[False]), (frame,), rows, ("transform",))
    y = RNG.normal(size=n)
    sweep("target", TargetEncoder, grid(smooth=["auto", 0.0, 5.0], target_type=["auto", "continuous"]), (frames["holes"], y), frames["holes"], ("transform",))


def imputers():
    n = 60
    whole = np.column_stack([RNG.integers(18, 70, n), RNG.integers(0, 4, n), RNG.integers(0, 2, n)]).astype(float)
    fine = RNG.normal(size=(n, 4))
    tenths = np.round(fine, 1)
    for kind, data in (("whole", whole), ("fine", fine), ("tenths", tenths)):
        holes = data.copy()
        holes[RNG.random(data.shape) < 0.15] = np.nan
        holes[:, -1][5] = np.nan
        rows = holes[:40]
        sweep(f"knn_{kind}", KNNImputer, grid(n_neighbors=[1, 2, 3, 5, 100], weights=["uniform", "distance"], add_indicator=[False, True], keep_empty_features=[False, True]), (holes,), rows, ("transform",))
        sweep(f"simple_{kind}", SimpleImputer, grid(strategy=["mean", "median", "most_frequent", "constant"], fill_value=[None, 3.0], add_indicator=[False, True], keep_empty_features=[False, True]), (holes,), rows, ("transform",))
        sweep(f"indicator_{kind}", MissingIndicator, grid(features=["missing-only", "all"], error_on_new=[False, True]), (holes,), rows, ("transform",))


def scalers():
    X = np.column_stack([RNG.normal(size=70), np.full(70, 3.0), RNG.integers(0, 3, 70), RNG.normal(size=70) * 1e-9 + 5])
    rows = np.vstack([X[:20], X[:20] + RNG.normal(size=(20, 4))])
    sweep("standard", StandardScaler, grid(with_mean=[True, False], with_std=[True, False]), (X,), rows, ("transform",))
    sweep("minmax", MinMaxScaler, grid(feature_range=[(0, 1), (-2, 3)], clip=[True, False]), (X,), rows, ("transform",))
    sweep("robust", RobustScaler, grid(with_centering=[True, False], with_scaling=[True, False], quantile_range=[(25.0, 75.0), (5.0, 95.0)], unit_variance=[True, False]), (X,), rows, ("transform",))
    sweep("maxabs", MaxAbsScaler, grid(clip=[True, False]), (X,), rows, ("transform",))
    sweep("maxabs_plain", MaxAbsScaler, grid(), (X,), rows, ("transform",))
    sweep("normalizer", Normalizer, grid(norm=["l1", "l2", "max"]), (X,), rows, ("transform",))
    sweep("binarizer", Binarizer, grid(threshold=[0.0, 1.0, -1.0]), (X,), rows, ("transform",))
    # Not the column that hardly varies: a power of it has no digits left.
    sweep("power", PowerTransformer, grid(standardize=[True, False]), (X[:, :3],), rows[:, :3], ("transform",), 1e-8)
    sweep("quantile", QuantileTransformer, grid(n_quantiles=[5, 70], output_distribution=["uniform", "normal"], ignore_implicit_zeros=[False]), (X,), rows, ("transform",))
    sweep("bins", KBinsDiscretizer, grid(n_bins=[2, 4], encode=["ordinal", "onehot-dense"], strategy=["uniform", "quantile", "kmeans"]), (X[:, [0, 2]],), rows[:, [0, 2]], ("transform",))
    sweep("poly", PolynomialFeatures, grid(degree=[1, 2, (2, 3)], interaction_only=[True, False], include_bias=[True, False], order=["C", "F"]), (X,), rows, ("transform",))
    sweep("spline", SplineTransformer, grid(), (X,), rows, ("transform",))
    sweep("pca", PCA, grid(n_components=[None, 2, 0.9], whiten=[True, False], svd_solver=["auto", "full"]), (X[:, [0, 2]] + RNG.normal(size=(70, 2)),), rows[:, [0, 2]], ("transform",))
    sweep("ipca", IncrementalPCA, grid(whiten=[True, False]), (X[:, [0, 2]],), rows[:, [0, 2]], ("transform",))
    sweep("select", SelectFpr, grid(alpha=[0.05, 0.9]), (X[:, [0, 2]], X[:, 0] > 0), rows[:, [0, 2]], ("transform",))
    for model in (Ridge(), RandomForestRegressor(5, random_state=0)):
        sweep(f"from_{type(model).__name__}", lambda **o: SelectFromModel(model, **o), grid(threshold=[None, "mean", "1.5*median", 0.0, -np.inf], max_features=[None, 1, 2], norm_order=[1, 2]), (X[:, [0, 2, 3]], X[:, 0]), rows[:, [0, 2, 3]], ("transform",))


def clusters():
    for kind, X in (("far", np.vstack([RNG.normal(size=(30, 2)) + shift for shift in ((0, 0), (4, 1), (8, -3), (2, 7))])), ("near", RNG.normal(size=(150, 3)))):
        rows = np.vstack([X, RNG.normal(size=(60, X.shape[1])) * 4])
        sweep(f"bisecting_{kind}", BisectingKMeans, grid(n_clusters=[1, 2, 3, 5, 8], bisecting_strategy=["biggest_inertia", "largest_cluster"], random_state=[0, 1]), (X,), rows, ("predict", "transform"))
        sweep(f"kmeans_{kind}", KMeans, grid(n_clusters=[1, 4], random_state=[0], n_init=[1]), (X,), rows, ("predict", "transform"))
        sweep(f"minibatch_{kind}", MiniBatchKMeans, grid(n_clusters=[1, 4], random_state=[0], n_init=[1]), (X,), rows, ("predict", "transform"))


def bayes():
    X = RNG.integers(0, 3, (60, 4)).astype(float)
    X[:, 3] = 0.0
    y = RNG.choice(["n", "p", "q"], 60)
    rows = np.vstack([X[:20], np.zeros((1, 4)), np.full((1, 4), 2.0)])
    prior = [None, [0.2, 0.3, 0.5]]
    both = ("predict", "predict_proba")
    for kind, maker in (("bernoulli", BernoulliNB), ("multinomial", MultinomialNB), ("complement", ComplementNB)):
        sweep(kind, maker, grid(alpha=[0.0, 1e-9, 1.0], force_alpha=[True, False], fit_prior=[True, False], class_prior=prior), (X, y), rows, both)
    sweep("bernoulli_threshold", BernoulliNB, grid(binarize=[None, 0.5, 1.0, -1.0], alpha=[0.0, 1.0]), ((X > 0).astype(float), y), (rows > 0).astype(float), both)
    sweep("complement_norm", ComplementNB, grid(norm=[True, False]), (X, y), rows, both)
    sweep("gaussian", GaussianNB, grid(var_smoothing=[1e-9, 0.1, 0.0], priors=prior), (RNG.normal(size=(60, 4)), y), rows, both)


def texts():
    words = "good bad film plot story actor dull bright".split()
    documents = [" ".join(RNG.choice(words, int(n))) for n in RNG.integers(1, 7, 60)]
    y = np.array(["p" if "good" in d or "bright" in d else "n" for d in documents])
    rows = documents[:20] + ["zzz", "", "good", "good good good"]
    for kind, vectorizer in (("count", CountVectorizer), ("tfidf", TfidfVectorizer)):
        for alpha in (0.0, 1.0):
            for last in (BernoulliNB(alpha=alpha), MultinomialNB(alpha=alpha), ComplementNB(alpha=alpha)):
                model = make_pipeline(vectorizer(), last).fit(documents, y)
                for method in ("predict", "predict_proba"):
                    answer = getattr(model, method)(rows)
                    if method == "predict_proba" and np.isnan(answer).any():
                        continue
                    file, content = dump(model, "cloudpickle")
                    folder(f"text_{kind}_{alpha}_{type(last).__name__}.{method}", file, content, {"sklearn": {"code": None, "pickled_model": file}}, method, pd.DataFrame({"text": rows}), answer, 1e-9)


def boosting():
    X = RNG.normal(size=(120, 4))
    y = (X[:, 0] + 0.5 * X[:, 1] > 0).astype(int)
    y3 = np.digitize(X[:, 0], [-0.5, 0.5])
    rows = X[:40]
    starts = [None, "zero", RandomForestClassifier(3, random_state=0), DecisionTreeClassifier(max_depth=2), DummyClassifier(), LogisticRegression(), GaussianNB(), make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=2))]
    for kind, target in (("two", y), ("three", y3)):
        sweep(f"gb_{kind}", GradientBoostingClassifier, grid(n_estimators=[4], init=starts, loss=["log_loss", "exponential"], subsample=[1.0, 0.7], random_state=[0]), (X, target), rows, ("predict", "predict_proba", "decision_function"))
    starts = [None, "zero", RandomForestRegressor(3, random_state=0), LinearRegression(), DummyRegressor(strategy="median"), KNeighborsRegressor(3)]
    sweep("gb_numbers", GradientBoostingRegressor, grid(n_estimators=[4], init=starts, loss=["squared_error", "absolute_error", "huber", "quantile"], alpha=[0.5, 0.9], random_state=[0]), (X, X[:, 0] + X[:, 1] ** 2), rows)
    gaps = X.copy()
    gaps[RNG.random(X.shape) < 0.2] = np.nan
    gaps[:, 3] = RNG.integers(0, 6, 120)
    sweep("hist", HistGradientBoostingClassifier, grid(max_iter=[4], categorical_features=[None, [3]], max_bins=[5, 255], early_stopping=[True, False], class_weight=[None, "balanced"], interaction_cst=[None, "no_interactions"], monotonic_cst=[None, [1, 0, 0, 0]], random_state=[0]), (gaps, y), gaps[:50], ("predict", "predict_proba", "decision_function"))
    sweep("hist_numbers", HistGradientBoostingRegressor, grid(max_iter=[4], loss=["squared_error", "absolute_error", "gamma", "poisson", "quantile"], quantile=[0.2], categorical_features=[None, [3]], random_state=[0]), (gaps, np.abs(X[:, 0]) + 0.1), gaps[:50])
    sweep("ada", AdaBoostClassifier, grid(n_estimators=[4], learning_rate=[0.5, 1.0], random_state=[0]), (X, y3), rows, ("predict", "predict_proba", "decision_function"))
    sweep("ada_numbers", AdaBoostRegressor, grid(n_estimators=[4], loss=["linear", "square", "exponential"], random_state=[0]), (X, X[:, 0]), rows)
    sweep("bagging", BaggingClassifier, grid(n_estimators=[3], max_features=[0.5, 1.0], bootstrap_features=[True, False], random_state=[0]), (X, y3), rows, ("predict", "predict_proba"))
    sweep("isolation", IsolationForest, grid(n_estimators=[5], contamination=["auto", 0.1], max_features=[0.5, 1.0], max_samples=["auto", 30], random_state=[0]), (X,), rows, ("predict", "decision_function"))
    sweep("forest", RandomForestClassifier, grid(n_estimators=[4], class_weight=[None, "balanced", "balanced_subsample"], ccp_alpha=[0.0, 0.02], max_samples=[None, 0.4], monotonic_cst=[None], random_state=[0]), (gaps, y3), gaps[:50], ("predict", "predict_proba"))
    sweep("tree", DecisionTreeClassifier, grid(criterion=["gini", "entropy"], splitter=["best", "random"], class_weight=[None, {0: 3.0, 1: 1.0, 2: 0.5}], ccp_alpha=[0.0, 0.02], random_state=[0]), (gaps, y3), gaps[:50], ("predict", "predict_proba"))
    sweep("tree_numbers", DecisionTreeRegressor, grid(criterion=["squared_error", "absolute_error", "poisson"], ccp_alpha=[0.0, 0.02], random_state=[0]), (gaps, np.abs(X[:, 0])), gaps[:50])


def linear():
    X = RNG.normal(size=(80, 4))
    X[:, 2] = 1.0
    y = RNG.choice(["u", "v", "w"], 80)
    two = np.where(X[:, 0] > 0, "u", "v")
    rows = np.vstack([X[:20], RNG.normal(size=(10, 4))])
    ways = ("predict", "predict_proba", "decision_function")
    for kind, target in (("two", two), ("three", y)):
        sweep(f"logistic_{kind}", LogisticRegression, grid(fit_intercept=[True, False], C=[0.1, 10.0], class_weight=[None, "balanced"], solver=["lbfgs", "newton-cg", "liblinear", "saga"], max_iter=[50]), (X, target), rows, ways)
        sweep(f"sgd_{kind}", SGDClassifier, grid(loss=["hinge", "log_loss", "modified_huber", "perceptron", "squared_error", "huber"], average=[True, False], fit_intercept=[True, False], random_state=[0]), (X, target), rows, ways)
        sweep(f"svc_{kind}", SVC, grid(kernel=["linear", "poly", "rbf", "sigmoid"], gamma=["scale", "auto", 0.3], coef0=[0.0, 1.0], degree=[2], decision_function_shape=["ovr", "ovo"], break_ties=[True, False]), (X, target), rows, ("predict", "decision_function"), 1e-8)
        sweep(f"linear_svc_{kind}", LinearSVC, grid(fit_intercept=[True, False], intercept_scaling=[1, 5], multi_class=["ovr", "crammer_singer"], random_state=[0]), (X, target), rows, ways)
        sweep(f"lda_{kind}", LinearDiscriminantAnalysis, grid(solver=["svd", "lsqr", "eigen"], priors=[None], store_covariance=[True, False], n_components=[None, 1]), (X[:, [0, 1, 3]], target), rows[:, [0, 1, 3]], (*ways, "transform"))
        sweep(f"mlp_{kind}", MLPClassifier, grid(hidden_layer_sizes=[(3,), (3, 2)], activation=["identity", "logistic", "tanh", "relu"], max_iter=[15], random_state=[0]), (X, target), rows, ways)
        sweep(f"dummy_{kind}", DummyClassifier, grid(strategy=["most_frequent", "prior", "constant", "stratified", "uniform"], constant=["u"], random_state=[0]), (X, target), rows, ("predict", "predict_proba"))
        sweep(f"calibrated_{kind}", CalibratedClassifierCV, grid(estimator=[GaussianNB(), LinearSVC()], method=["sigmoid", "isotonic"], ensemble=[True, False], cv=[2]), (X, target), rows, ("predict", "predict_proba"))
        sweep(f"voting_{kind}", VotingClassifier, grid(estimators=[[("a", GaussianNB()), ("b", DecisionTreeClassifier(max_depth=2))]], voting=["hard", "soft"], weights=[None, [1, 3]], flatten_transform=[True, False]), (X, target), rows, ("predict", "predict_proba"))
        sweep(f"stacking_{kind}", StackingClassifier, grid(estimators=[[("a", GaussianNB()), ("b", DecisionTreeClassifier(max_depth=2))]], passthrough=[True, False], stack_method=["auto", "predict", "predict_proba"], cv=[2]), (X, target), rows, ("predict", "predict_proba"))
        sweep(f"ovr_{kind}", OneVsRestClassifier, grid(estimator=[LogisticRegression(), LinearSVC(), GaussianNB(), DecisionTreeClassifier(max_depth=2)]), (X, target), rows, ways)
    yr = np.abs(X[:, 0]) + 0.1
    for maker, options in ((PoissonRegressor, grid(alpha=[0.0, 1.0], fit_intercept=[True, False])), (GammaRegressor, grid(alpha=[0.0, 1.0])), (TweedieRegressor, grid(power=[0, 1.5, 2, 3], link=["auto", "log", "identity"])), (HuberRegressor, grid(epsilon=[1.1, 2.0], fit_intercept=[True, False])), (QuantileRegressor, grid(quantile=[0.2], fit_intercept=[True, False])),
                           (SVR, grid(kernel=["linear", "poly", "rbf", "sigmoid"], gamma=["scale", "auto"])), (MLPRegressor, grid(hidden_layer_sizes=[(3,)], activation=["identity", "logistic", "tanh", "relu"], loss=["squared_error", "poisson"], max_iter=[15], random_state=[0])), (Lasso, grid(positive=[True, False])), (LinearRegression, grid(fit_intercept=[True, False], positive=[True, False])), (DummyRegressor, grid(strategy=["mean", "median", "quantile", "constant"], quantile=[0.3], constant=[4.0])),
                           (RANSACRegressor, grid(random_state=[0])), (SGDRegressor, grid(loss=["squared_error", "huber", "epsilon_insensitive"], average=[True, False], random_state=[0]))):
        sweep(maker.__name__, maker, options, (X, yr), rows, tolerance=1e-8)
    sweep("transformed", TransformedTargetRegressor, grid(regressor=[Ridge()], transformer=[None, StandardScaler(), StandardScaler(with_mean=False), MinMaxScaler((1, 3)), MaxAbsScaler(), RobustScaler(), PowerTransformer(), PowerTransformer(method="box-cox", standardize=False), QuantileTransformer(n_quantiles=20), QuantileTransformer(n_quantiles=20, output_distribution="normal")], check_inverse=[False]), (X, yr), rows)
    # A target of one column: the answer is one, too, whatever the regressor makes of it.
    sweep("transformed_column", TransformedTargetRegressor, grid(regressor=[Ridge(), RandomForestRegressor(3, random_state=0)], transformer=[StandardScaler()]), (X, yr[:, None]), rows)
    sweep("oneclass", OneClassSVM, grid(kernel=["linear", "poly", "rbf", "sigmoid"], nu=[0.2, 0.6]), (X,), rows, ("predict", "decision_function"), 1e-8)


def neighbours():
    grid_rows = RNG.integers(0, 4, (80, 3)).astype(float)
    fine = RNG.normal(size=(80, 3))
    for kind, X in (("ties", grid_rows), ("fine", fine)):
        y = RNG.choice(["u", "v", "w"], 80)
        rows = np.vstack([X[:30], X[:10] + 0.5])
        sweep(f"knn_{kind}", KNeighborsClassifier, grid(n_neighbors=[1, 3, 5], weights=["uniform", "distance"], algorithm=["kd_tree", "ball_tree", "brute"], p=[1, 2, 3], leaf_size=[3, 30]), (X, y), rows, ("predict", "predict_proba"))
        sweep(f"knn_numbers_{kind}", KNeighborsRegressor, grid(n_neighbors=[1, 4], weights=["uniform", "distance"], algorithm=["auto", "ball_tree", "brute"], metric=["minkowski", "chebyshev", "cosine", "canberra", "braycurtis", "manhattan"]), (X, RNG.normal(size=80)), rows)
        sweep(f"radius_{kind}", RadiusNeighborsClassifier, grid(radius=[1.5]), (X, y), rows)


def main():
    for part in (encoders, imputers, scalers, clusters, bayes, texts, boosting, linear, neighbours):
        part()
    done()


from sklearn.compose import TransformedTargetRegressor
from sklearn.neighbors import RadiusNeighborsClassifier

main()
