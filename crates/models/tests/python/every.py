"""Every estimator and transformer of the installed scikit-learn at its defaults, asked each of its methods.

SAMPLE stands before this: so many of them, drawn; 0 takes all. What cannot be fitted to any of the data is no test of ours.
"""

from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
from sklearn.utils import all_estimators


METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform")
# Of searches and what holds others: what they hold, and what they search.
HELD = {"estimator": lambda: LogisticRegression(), "estimators": lambda: [("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=3))], "param_grid": lambda: {"C": [0.1, 1.0]}, "param_distributions": lambda: {"C": [0.1, 1.0]},
        "steps": lambda: [("a", StandardScaler()), ("b", LogisticRegression())], "transformers": lambda: [("a", StandardScaler(), [0, 1]), ("b", "passthrough", [2])], "transformer_list": lambda: [("a", StandardScaler()), ("b", PCA(2))]}
NUMBERS = {"estimator": lambda: Ridge(), "estimators": lambda: [("a", Ridge()), ("b", DecisionTreeRegressor(max_depth=3))]}
# Where a sum has a term for each row of training, the order of the terms shows; how far a row is from itself is a rest of rounding.
LOOSE = ("Birch", "SVC", "NuSVC", "SVR", "NuSVR", "OneClassSVM", "KernelRidge", "PowerTransformer")


def data():
    X, y = make_classification(120, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
    XR, yr = make_regression(120, 5, noise=1.0, random_state=2)
    labels = np.column_stack([y > 0, y > 1]).astype(int)
    counts = RNG.integers(0, 4, (120, 5)).astype(float)
    words = np.array("good bad film plot story actor dull bright".split())
    return {"classes": (X, y), "two": (X, (y > 0).astype(int)), "numbers": (XR, yr / 30), "positive": (np.abs(XR), np.abs(yr) / 30 + 0.1), "counts": (counts, y), "labels": (X, labels), "targets": (XR, np.column_stack([yr, -yr + XR[:, 0]]) / 30),
            "one": (XR[:, :1], yr / 30), "text": ([" ".join(RNG.choice(words, 5)) for _ in range(120)], y)}


def made(name, maker, numbers):
    import inspect
    given = {}
    for parameter in inspect.signature(maker.__init__).parameters.values():
        if parameter.default is parameter.empty and parameter.name in HELD:
            given[parameter.name] = (NUMBERS if numbers and parameter.name in NUMBERS else HELD)[parameter.name]()
    if name.endswith("SearchCV") or name in ("RFECV",):
        given["cv"] = 2
    if numbers and name.endswith("SearchCV"):
        given.update({key: {"alpha": [0.1, 1.0]} for key in ("param_grid", "param_distributions") if key in given})
    if name == "FrozenEstimator":
        given["estimator"] = LogisticRegression().fit(*data()["classes"])
    model = maker(**given)
    if "random_state" in model.get_params():
        model.set_params(random_state=0)
    return model


def ask(name, kind, model, rows):
    for method in METHODS:
        try:
            answer = getattr(model, method)(rows)
        except Exception:  # what Python does not answer
            continue
        if hasattr(answer, "toarray"):
            answer = answer.toarray()
        try:
            missing = isinstance(answer, (list, tuple)) or not np.all(np.isfinite(np.asarray(answer, dtype=float)))
        except (TypeError, ValueError):
            missing = False
        if missing:
            continue
        file, content = dump(model, "cloudpickle")
        asked = pd.DataFrame({"text": rows}) if isinstance(rows, list) else rows
        folder(f"{name}.{kind}.{method}", file, content, {"sklearn": {"code": None, "pickled_model": file}}, method, asked, answer, 1e-6 if name in LOOSE else 1e-8)


def main():
    every = all_estimators()
    drawn = sorted(np.random.default_rng(5).permutation(len(every))[: SAMPLE or len(every)])
    for name, maker in (every[at] for at in drawn):
        fitted = 0
        for kind, (X, y) in data().items():
            if fitted == 2:  # two kinds of data for each
                break
            try:
                model = made(name, maker, kind not in ("classes", "two", "counts", "labels", "text"))
                model.fit(X, y)
            except Exception:  # not made for such data
                continue
            fitted += 1
            rows = X[:20] if isinstance(X, list) else np.vstack([X[:20], X[20:30] + np.where(kind == "counts", 0, 0.3)])
            ask(name, kind, model, rows)
        if not fitted:
            print(f"not fitted: {name}", file=sys.stderr)
    done()


main()
