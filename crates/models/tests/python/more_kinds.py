"""Estimators that are rarer than those of kinds.py, with each parameter that their answers depend on, and files of joblib."""

from sklearn.cluster import Birch
from sklearn.decomposition import FastICA, KernelPCA
from sklearn.cross_decomposition import CCA, PLSCanonical, PLSRegression
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectFdr
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_approximation import Nystroem, RBFSampler, SkewedChi2Sampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multioutput import ClassifierChain, RegressorChain
from sklearn.naive_bayes import CategoricalNB
from sklearn.neighbors import LocalOutlierFactor, NearestCentroid
from sklearn.semi_supervised import SelfTrainingClassifier


def classifiers(X, y, y3):
    rows = np.vstack([X[:30], RNG.normal(size=(20, X.shape[1])) * 3])
    text = np.array(["low", "mid", "top"])[y3]
    for kind, target in (("two", y), ("three", text)):
        for name, model in {"qda": QuadraticDiscriminantAnalysis(), "qda_priors": QuadraticDiscriminantAnalysis(priors=np.full(len(set(target)), 1 / len(set(target))), reg_param=0.1), "centroid": NearestCentroid(),
                            "centroid_shrunk": NearestCentroid(shrink_threshold=0.3, priors="empirical"), "centroid_manhattan": NearestCentroid(metric="manhattan"), "centroid_priors": NearestCentroid(priors=[0.2] + [0.8 / (len(set(target)) - 1)] * (len(set(target)) - 1))}.items():
            model.fit(X, target)
            save(f"{kind}_{name}", model, rows, tolerance=1e-9)
            if hasattr(model, "predict_log_proba"):
                save_method(f"{kind}_{name}_log", model, "predict_log_proba", rows * 30, tolerance=1e-9)
    save_method("gaussian_log", GaussianNB().fit(X, y3), "predict_log_proba", rows * 50, tolerance=1e-9)
    whole = RNG.integers(0, 4, (120, 3))
    for name, model in {"categorical": CategoricalNB(), "categorical_more": CategoricalNB(min_categories=6, alpha=0.3, fit_prior=False)}.items():
        save(name, model.fit(whole, np.array(["n", "p", "q"])[whole[:, 0] % 3]), whole[:40].astype(float), tolerance=1e-10)
    thresholds = {"fixed": FixedThresholdClassifier(LogisticRegression(), threshold=0.7), "fixed_auto": FixedThresholdClassifier(LinearSVC()), "fixed_decision": FixedThresholdClassifier(LogisticRegression(), threshold=0.4, response_method="decision_function"),
                  "fixed_first": FixedThresholdClassifier(LogisticRegression(), threshold=0.6, pos_label=0), "fixed_first_decision": FixedThresholdClassifier(LinearSVC(), threshold=0.2, pos_label=0), "tuned": TunedThresholdClassifierCV(LogisticRegression(), cv=3), "tuned_f1": TunedThresholdClassifierCV(GaussianNB(), scoring="f1", cv=3)}
    for name, model in thresholds.items():
        save(f"threshold_{name}", model.fit(X, y), rows)
    words = TunedThresholdClassifierCV(make_pipeline(StandardScaler(), LogisticRegression()), cv=3).fit(X, np.array(["no", "yes"])[y])
    save("threshold_text", words, rows)
    frame = pd.DataFrame(X, columns=[f"c{at}" for at in range(X.shape[1])])
    save("threshold_frame", FixedThresholdClassifier(LogisticRegression(), threshold=0.3).fit(frame, y), frame.iloc[:30])
    unlabelled = np.where(RNG.random(len(y3)) < 0.4, -1, y3)
    for name, model in {"logistic": SelfTrainingClassifier(LogisticRegression()), "bayes": SelfTrainingClassifier(GaussianNB(), threshold=0.9)}.items():
        save(f"self_training_{name}", model.fit(frame, unlabelled), frame.iloc[:30], tolerance=1e-10)
    noisy = np.column_stack([X, RNG.normal(size=(len(X), 6))])
    for alpha in (0.01, 0.2, 0.9):
        save(f"select_fdr_{alpha}", SelectFdr(alpha=alpha).fit(noisy, y), noisy[:20])
    for name, model in {"plain": FastICA(3, random_state=0), "raw": FastICA(whiten=False, random_state=0, max_iter=50), "arbitrary": FastICA(2, whiten="arbitrary-variance", random_state=0)}.items():
        save(f"ica_{name}", model.fit(X), rows, tolerance=1e-9)
    labels = np.column_stack([y, y3 > 0, X[:, 0] > 0]).astype(int)
    for name, model in {"plain": ClassifierChain(LogisticRegression()), "order": ClassifierChain(LogisticRegression(), order=[2, 0, 1]), "random": ClassifierChain(GaussianNB(), order="random", random_state=3), "cv": ClassifierChain(LinearSVC(), cv=2),
                        "proba": ClassifierChain(LogisticRegression(), chain_method="predict_proba"), "decision": ClassifierChain(LogisticRegression(), chain_method="decision_function"), "tree": ClassifierChain(DecisionTreeClassifier(max_depth=3))}.items():
        save(f"chain_{name}", model.fit(X, labels), rows, tolerance=1e-10)


def regressors(X, yr):
    rows = np.vstack([X[:30], RNG.normal(size=(20, X.shape[1])) * 2])
    both = np.column_stack([yr, -yr + X[:, 0]])
    for name, model in {"pls": PLSRegression(3), "pls_plain": PLSRegression(2, scale=False), "cca": CCA(2), "canonical": PLSCanonical(2)}.items():
        for kind, target in (("one", yr), ("both", both)):
            if kind == "one" and name in ("cca", "canonical"):
                continue
            model.fit(X, target)
            save(f"{name}_{kind}", model, rows, tolerance=1e-9)
            save_method(f"{name}_{kind}_scores", model, "transform", rows, tolerance=1e-9)
    for name, model in {"linear": KernelRidge(), "rbf": KernelRidge(kernel="rbf"), "rbf_gamma": KernelRidge(kernel="rbf", gamma=0.3), "poly": KernelRidge(kernel="poly", degree=2, coef0=0.5), "polynomial": KernelRidge(kernel="polynomial"),
                        "sigmoid": KernelRidge(kernel="sigmoid", gamma=0.05), "laplacian": KernelRidge(kernel="laplacian")}.items():
        save(f"kernel_{name}", model.fit(X, yr), rows, tolerance=1e-7)
    save("kernel_both", KernelRidge(kernel="rbf").fit(X, both), rows, tolerance=1e-7)
    one = X[:, :1]
    far = np.vstack([one[:30], one.min()[None, None] - 1, one.max()[None, None] + 1, one.min()[None, None], one.max()[None, None]])
    for name, model in {"clip": IsotonicRegression(out_of_bounds="clip"), "nan": IsotonicRegression(), "falling": IsotonicRegression(increasing=False, out_of_bounds="clip"), "bounded": IsotonicRegression(y_min=-0.5, y_max=0.5, out_of_bounds="clip")}.items():
        save(f"isotonic_{name}", model.fit(one[:, 0], yr), far)
    save("isotonic_single", IsotonicRegression(out_of_bounds="clip").fit(one[:, 0].astype(np.float32), yr.astype(np.float32)), far, tolerance=1e-6)
    for name, model in {"order": RegressorChain(Ridge(), order=[1, 0]), "forest": RegressorChain(RandomForestRegressor(4, random_state=0)), "cv": RegressorChain(Ridge(), cv=2)}.items():
        save(f"chain_reg_{name}", model.fit(X, both), rows, tolerance=1e-9)
    for name, model in {"lasso": MultiTaskLassoCV(cv=2), "elastic": MultiTaskElasticNetCV(cv=2)}.items():
        save(f"multi_task_{name}", model.fit(X, both), rows, tolerance=1e-10)
    save("omp_cv", OrthogonalMatchingPursuitCV(cv=2).fit(X, yr), rows, tolerance=1e-10)
    frame = pd.DataFrame(X, columns=[f"c{at}" for at in range(X.shape[1])])
    save("ransac", RANSACRegressor(random_state=0).fit(frame, yr), frame.iloc[:30], tolerance=1e-10)


def likenesses(X, yr):
    rows = np.vstack([X[:30], RNG.normal(size=(20, X.shape[1])) * 2])
    kernels = {"linear": {}, "rbf": {}, "rbf_gamma": {"gamma": 0.3}, "poly": {"degree": 2, "coef0": 0.5}, "sigmoid": {"gamma": 0.05}, "cosine": {}}
    for name, given in kernels.items():
        kernel = {"kernel": name.split("_")[0], **given}
        for components in (2, None) if name != "sigmoid" else ():  # whose matrix is not that of lengths
            save(f"kernel_pca_{name}_{components}", KernelPCA(components, **kernel).fit(X), rows, tolerance=1e-9)
        # Lines of five columns are of five directions: of more than that nothing but rounding is left.
        save(f"nystroem_{name}", Nystroem(n_components=5 if name == "linear" else 20, random_state=0, **kernel).fit(X), rows, tolerance=1e-9)
    save("nystroem_laplacian", Nystroem("laplacian", n_components=20, random_state=0).fit(X), rows, tolerance=1e-9)
    save("kernel_pca_zero", KernelPCA(kernel="linear", remove_zero_eig=True).fit(X[:, [0, 0, 1]]), rows[:, [0, 0, 1]], tolerance=1e-9)
    save("kernel_cosine", KernelRidge(kernel="cosine").fit(X, yr), rows, tolerance=1e-7)
    for name, model in {"plain": RBFSampler(random_state=0), "scale": RBFSampler(gamma="scale", n_components=7, random_state=0)}.items():
        save(f"rbf_sampler_{name}", model.fit(X), rows, tolerance=1e-9)
    for name, model in {"plain": SkewedChi2Sampler(random_state=0), "more": SkewedChi2Sampler(skewedness=0.3, n_components=7, random_state=0)}.items():
        save(f"chi2_sampler_{name}", model.fit(np.abs(X)), np.abs(rows) - 0.1, tolerance=1e-9)


def densities(X, yr):
    X = np.vstack([X[:, :3] * 0.3 + shift for shift in ((0, 0, 0), (4, 1, 0), (8, -3, 2))])
    rows = np.vstack([X[:30], X[150:170], RNG.normal(size=(40, 3)) * 4])
    for covariance in ("full", "tied", "diag", "spherical"):
        for components in (1, 3, 5):
            save(f"mixture_{covariance}_{components}", GaussianMixture(components, covariance_type=covariance, random_state=0).fit(X), rows, tolerance=1e-9)
        for prior in ("dirichlet_process", "dirichlet_distribution"):
            model = BayesianGaussianMixture(n_components=4, covariance_type=covariance, weight_concentration_prior_type=prior, random_state=0, max_iter=300)
            save(f"bayesian_{covariance}_{prior}", model.fit(X), rows, tolerance=1e-9)
    for name, model in {"plain": Birch(), "many": Birch(threshold=0.2, branching_factor=10, n_clusters=None), "few": Birch(threshold=0.3, n_clusters=2)}.items():
        save(f"birch_{name}", model.fit(X), rows)
        save_method(f"birch_{name}_distances", model, "transform", rows, ("cloudpickle",), tolerance=1e-9)
    grid = RNG.integers(0, 5, (150, 2)).astype(float)
    for name, given in {"plain": {}, "few": {"n_neighbors": 3}, "manhattan": {"metric": "manhattan"}, "minkowski": {"p": 3}, "share": {"contamination": 0.1}, "brute": {"algorithm": "brute", "n_neighbors": 7}, "all": {"n_neighbors": 1000}}.items():
        model = LocalOutlierFactor(novelty=True, **given).fit(X)
        save(f"lonely_{name}", model, rows, tolerance=1e-9)
    # Many samples are equally near here.
    save("lonely_grid", LocalOutlierFactor(novelty=True).fit(grid), np.vstack([grid[:30], grid[:30] + 0.5]), tolerance=1e-9)


def splines(X, yr):
    X = X[:, :3]
    edges = np.vstack([X[:30], X.min(0)[None], X.max(0)[None], X.min(0)[None] - 2.5, X.max(0)[None] + 1.5])
    for extrapolation in ("constant", "linear", "continue", "periodic", "error"):
        for degree in (1, 2, 3):
            for knots in ("uniform", "quantile"):
                for bias in (True, False):
                    # Of several columns scikit-learn extends lines from the wrong knots.
                    width = 1 if (extrapolation, degree) == ("linear", 1) else 3
                    model = SplineTransformer(degree=degree, knots=knots, include_bias=bias, extrapolation=extrapolation).fit(X[:, :width])
                    save(f"spline_{extrapolation}_{degree}_{knots}_{bias}", model, edges[:32, :width] if extrapolation == "error" else edges[:, :width], ("cloudpickle",), tolerance=1e-9)
    save("spline_knots", SplineTransformer(knots=np.column_stack([np.array([-2.0, -1.0, 0.5, 3.0])] * 3)).fit(X), edges, ("cloudpickle",), tolerance=1e-9)
    save("spline_sparse", make_pipeline(SplineTransformer(sparse_output=True, n_knots=4), Ridge()).fit(X, yr), edges, ("cloudpickle",), tolerance=1e-9)


def words():
    documents = ["Crème brûlée", "creme de la crème", "Größe ﬁne", "façade naïve", "naive facade 日本", "Ελλάδα q\u0323"] * 6
    y = np.arange(len(documents)) % 3
    for accents in ("unicode", "ascii"):
        for kind, vectorizer in (("word", TfidfVectorizer(strip_accents=accents)), ("case", CountVectorizer(strip_accents=accents, lowercase=False)), ("char", CountVectorizer(strip_accents=accents, analyzer="char", ngram_range=(1, 2))), ("stop", CountVectorizer(strip_accents=accents, stop_words="english"))):
            model = make_pipeline(vectorizer, MultinomialNB()).fit(documents, y)
            for method in ("predict", "predict_proba"):
                file, content = dump(model, "cloudpickle")
                folder(f"accents_{accents}_{kind}.{method}", file, content, {"sklearn": {"code": None, "pickled_model": file}}, method, pd.DataFrame({"text": documents[:6]}), getattr(model, method)(documents[:6]), 1e-9)
    records = [{"city": str(RNG.choice(["a", "b", "c"])), "dist": float(RNG.normal()), "night": bool(RNG.random() < 0.5), "n": int(RNG.integers(0, 5))} for _ in range(60)]
    target = np.array([record["dist"] * 2 + (record["city"] == "a") for record in records])
    frame = pd.DataFrame(records[:20]).assign(city=["z"] + [record["city"] for record in records[1:20]], other="ignored")[["other", "n", "dist", "city", "night"]]
    for name, vectorizer in {"plain": DictVectorizer(), "dense": DictVectorizer(sparse=False), "separator": DictVectorizer(separator="::", sort=False)}.items():
        for last in (LinearRegression(), RandomForestRegressor(4, random_state=0)):
            model = make_pipeline(vectorizer, last).fit(records, target)
            file, content = dump(model, "cloudpickle")
            folder(f"records_{name}_{type(last).__name__}", file, content, {"sklearn": {"code": None, "pickled_model": file}}, "predict", frame, model.predict(frame.to_dict("records")), 1e-9)


def files(X, y, yr):
    """Arrays of all orders and types, and objects, as joblib writes them."""
    rows = X[:20]
    text = np.array(["no", "yes"], dtype=object)[y]
    for name, model in {"forest": RandomForestClassifier(4), "svc": SVC(probability=True), "knn": KNeighborsClassifier(), "pca": make_pipeline(PCA(2), LogisticRegression()), "hist": HistGradientBoostingClassifier(max_iter=4), "text": LogisticRegression(), "lgb": lgb.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1), "xgb": xgb.XGBClassifier(n_estimators=3)}.items():
        save(f"file_{name}", model.fit(X, text if name == "text" else y), rows, ("joblib", "joblib-zlib", "joblib-gzip"), tolerance=2e-6 if name == "xgb" else 1e-9)
    save("file_fortran", LinearRegression().fit(np.asfortranarray(X), np.asfortranarray(np.column_stack([yr, -yr]))), rows, ("joblib",))
    encoder = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(pd.DataFrame({"c": np.array(["a", "b", "c"], dtype=object)[np.arange(60) % 3]}), np.arange(60) % 3 == 1)
    save("file_encoder", encoder, pd.DataFrame({"c": ["a", "b", "zz"]}), ("joblib", "joblib-zlib"))


def main():
    X, y = make_classification(150, 5, n_informative=4, n_redundant=0, random_state=0)
    X3, y3 = make_classification(150, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=1)
    XR, yr = make_regression(150, 5, noise=1.0, random_state=2)
    classifiers(X3, (y3 > 0).astype(int), y3)
    regressors(XR, yr / 30)
    likenesses(XR, yr / 30)
    densities(XR, yr / 30)
    splines(XR, yr / 30)
    words()
    files(X, y, yr)
    done()


main()
