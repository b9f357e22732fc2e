"""Results of statsmodels of every kind that is evaluated, with and without a formula, and what they predict.

Files are written by `results.save`, as MLflow does. Rows have unseen orders of columns, missing values and columns that no formula takes.
"""

import statsmodels.api as sm
import statsmodels.formula.api as smf


def table(n=120):
    frame = pd.DataFrame({"x": RNG.normal(size=n), "z": RNG.random(n) + 0.5, "town": RNG.choice(["Leeds", "York", "Bath [Spa]: old"], n), "k": RNG.integers(0, 3, n), "flag": RNG.random(n) > 0.5,
                          "size": pd.Categorical(RNG.choice(["s", "m"], n), categories=["s", "m", "l"]), "my col": RNG.random(n), "step": RNG.choice([0.5, 1.0, 2.5], n), "group": np.arange(n) // 10,
                          "day": pd.date_range("2026-01-01", periods=n)})
    frame["y"] = frame.x * 2 - frame.z + (frame.town == "York") + frame.k * frame.x * 0.3 + RNG.normal(size=n) * 0.3
    frame["b"] = (frame.y + RNG.normal(size=n) > 0).astype(int)
    frame["count"] = RNG.poisson(np.exp(0.3 * frame.x + 0.4))
    frame["share"] = RNG.random(n) * 0.8 + 0.1
    frame["amount"] = RNG.gamma(2.0, 1.0, n) + 0.2
    frame["class"] = RNG.integers(0, 3, n)
    return frame


def rows_of(frame):
    """Rows of training in another order of columns, and with a hole in each column."""
    rows = frame.iloc[:12].drop(columns=["y", "b", "count", "share", "amount", "class", "day"])
    holes = frame.iloc[:3][rows.columns].copy()
    holes.loc[0, "x"] = np.nan
    holes.loc[1, "town"] = None
    holes.loc[2, "z"] = -1.0  # of which there is no logarithm
    return pd.concat([rows, holes], ignore_index=True)[sorted(rows.columns)]


def written(results, remove_data=False):
    file = io.BytesIO()
    results.save(file, remove_data)
    return file.getvalue()


def keep(name, fit, rows, remove=True):
    """Both with its data and without it."""
    for suffix, remove_data in [("", False)] + [(".removed", True)] * remove:
        try:
            results = fit()
            content = written(results, remove_data)
            answer = sm.load(io.BytesIO(content)).predict(rows)
        except Exception as error:  # what statsmodels cannot keep or answer itself is no test of ours
            print(f"not answered: {name}{suffix}: {type(error).__name__}: {error}"[:160], file=sys.stderr)
            continue
        if isinstance(answer, pd.DataFrame):
            answer = {str(column): answer[column].tolist() for column in answer}
        write_results(name + suffix, content, rows, answer)


def write_results(name, content, rows, answer):
    flavor = {"statsmodels": {"code": None, "data": "model.statsmodels", "statsmodels_version": sm.__version__ if hasattr(sm, "__version__") else ""}}
    folder(name, "model.statsmodels", content, flavor, "predict", rows, answer, 1e-12)


def by_place(frame):
    X = sm.add_constant(frame[["x", "z"]])
    rows = X.iloc[:10].copy()
    rows.loc[3, "x"] = np.nan
    links = sm.families.links
    families = {
        "gaussian": (sm.families.Gaussian(), "y"), "gaussian_log": (sm.families.Gaussian(links.Log()), "amount"), "binomial": (sm.families.Binomial(), "b"), "probit": (sm.families.Binomial(links.Probit()), "b"),
        "cauchy": (sm.families.Binomial(links.Cauchy()), "b"), "cloglog": (sm.families.Binomial(links.CLogLog()), "b"), "loglog": (sm.families.Binomial(links.LogLog()), "b"), "log_binomial": (sm.families.Binomial(links.Log()), "share"),
        "logc": (sm.families.Binomial(links.LogC()), "share"), "poisson": (sm.families.Poisson(), "count"), "poisson_sqrt": (sm.families.Poisson(links.Sqrt()), "count"), "gamma": (sm.families.Gamma(), "amount"), "gamma_log": (sm.families.Gamma(links.Log()), "amount"),
        "inverse_gaussian": (sm.families.InverseGaussian(), "amount"), "negative_binomial": (sm.families.NegativeBinomial(alpha=0.7), "count"), "negative_binomial_own": (sm.families.NegativeBinomial(links.NegativeBinomial(alpha=0.7), alpha=0.7), "count"),
        "tweedie": (sm.families.Tweedie(var_power=1.5), "amount"), "power": (sm.families.Tweedie(links.Power(3.0), var_power=1.5), "amount"),
    }
    for name, (family, target) in families.items():
        keep(f"glm_{name}", lambda: sm.GLM(frame[target], X, family=family).fit(maxiter=60), rows)
    keep("glm_offset", lambda: sm.GLM(frame["count"], X, family=sm.families.Poisson(), offset=frame["share"], exposure=frame["amount"]).fit(), rows)
    keep("glm_weights", lambda: sm.GLM(frame["y"], X, freq_weights=frame["k"] + 1).fit(), rows)
    keep("glm_regularized", lambda: sm.GLM(frame["b"], X, family=sm.families.Binomial()).fit_regularized(alpha=0.05), rows)
    for name, fit in {
        "ols": lambda: sm.OLS(frame["y"], X).fit(), "ols_robust": lambda: sm.OLS(frame["y"], X).fit(cov_type="HC3"), "ols_arrays": lambda: sm.OLS(frame["y"].to_numpy(), X.to_numpy()).fit(), "ols_regularized": lambda: sm.OLS(frame["y"], X).fit_regularized(alpha=0.1),
        "wls": lambda: sm.WLS(frame["y"], X, weights=frame["amount"]).fit(), "gls": lambda: sm.GLS(frame["y"], X, sigma=frame["amount"]).fit(), "glsar": lambda: sm.GLSAR(frame["y"], X, rho=1).iterative_fit(3),
        "quantile": lambda: sm.QuantReg(frame["y"], X).fit(q=0.7), "robust": lambda: sm.RLM(frame["y"], X).fit(), "logit": lambda: sm.Logit(frame["b"], X).fit(disp=0), "logit_regularized": lambda: sm.Logit(frame["b"], X).fit_regularized(alpha=0.5, disp=0),
        "probit": lambda: sm.Probit(frame["b"], X).fit(disp=0), "poisson": lambda: sm.Poisson(frame["count"], X).fit(disp=0), "poisson_exposure": lambda: sm.Poisson(frame["count"], X, exposure=frame["amount"]).fit(disp=0), "nb2": lambda: sm.NegativeBinomial(frame["count"], X).fit(disp=0),
        "nb1": lambda: sm.NegativeBinomial(frame["count"], X, loglike_method="nb1").fit(disp=0), "geometric": lambda: sm.NegativeBinomial(frame["count"], X, loglike_method="geometric").fit(disp=0), "nbp": lambda: sm.NegativeBinomialP(frame["count"], X).fit(disp=0),
        "generalized_poisson": lambda: sm.GeneralizedPoisson(frame["count"], X).fit(disp=0), "multinomial": lambda: sm.MNLogit(frame["class"], X).fit(disp=0), "gee": lambda: sm.GEE(frame["count"], X, groups=frame["group"], family=sm.families.Poisson()).fit(),
        "mixed": lambda: sm.MixedLM(frame["y"], X, groups=frame["group"]).fit(),
    }.items():
        keep(name, fit, rows)
    one = frame[["x"]]
    keep("ols_one", lambda: sm.OLS(frame["y"], one).fit(), one.iloc[:4])


def by_formula(frame):
    rows = rows_of(frame)
    terms = ["x + z", "x + C(town) + np.log(z)", "x * town", "x:town - 1", "town", "town - 1", "C(k) + flag + I(x ** 2)", "C(k, Sum) * x", "C(town, Treatment(reference='York'))", "size", "size * town", 'Q("my col") + C(step) + I(x > 0)', "flag - 1", "C(flag)",
             "np.power(x, 2) + I(x * z) + I(-x + 1) + x / z", "I( x+z )+ np.log1p( z )", "k:x + C(k):flag", "town:size", "np.exp(-x) + np.sqrt(z) + np.abs(x)", "I(town == 'York') + x", "C(step, Sum)", "1", "(x + z + k) ** 2", "I((x - 1) / z - 2 * x ** 3)", "x + x:z:town"]
    for at, term in enumerate(terms):
        keep(f"formula_{at:02}", lambda: smf.ols(f"y ~ {term}", frame).fit(), rows)
    holes = frame.copy()
    holes.loc[[3, 7, 50], "x"] = np.nan
    holes.loc[[9, 50], "y"] = np.nan
    holes.loc[11, "town"] = None
    keep("formula_holes", lambda: smf.ols("y ~ x + town", holes).fit(), rows)
    # To patsy a text "nan" is a missing value: it is no level, and rows with it answer nothing.
    nan = lambda rows, k: rows.assign(town=rows["town"].astype(object).where(rows["k"] != k, "nan"))
    keep("formula_nan", lambda: smf.ols("y ~ x + town", nan(frame, 1)).fit(), nan(rows, 2))
    keep("formula_subset", lambda: smf.ols("y ~ x + town", frame, subset=frame["k"] > 0).fit(), rows)
    odd = frame.assign(town=frame["town"].astype(object))
    keep("formula_objects", lambda: smf.ols("y ~ x + town", odd).fit(), rows)
    keep("formula_categories", lambda: smf.ols("y ~ x + town", frame.assign(town=frame["town"].astype("category"))).fit(), rows)
    binomial = sm.families.Binomial()
    for name, fit in {
        "glm": lambda: smf.glm("b ~ x * town", frame, family=binomial).fit(), "logit": lambda: smf.logit("b ~ x + town", frame).fit(disp=0), "probit": lambda: smf.probit("b ~ x + C(k)", frame).fit(disp=0), "poisson": lambda: smf.poisson("count ~ x + town", frame, exposure=frame["amount"]).fit(disp=0),
        "wls": lambda: smf.wls("y ~ x + town", frame, weights=frame["amount"]).fit(), "multinomial": lambda: smf.mnlogit("Q('class') ~ x + town", frame).fit(disp=0), "nb": lambda: smf.negativebinomial("count ~ x + town", frame).fit(disp=0), "quantile": lambda: smf.quantreg("y ~ x + town", frame).fit(),
        "mixed": lambda: smf.mixedlm("y ~ x + town", frame, groups=frame["group"]).fit(), "gee": lambda: smf.gee("count ~ x + town", "group", frame, family=sm.families.Poisson()).fit(), "robust": lambda: smf.rlm("y ~ x + np.log(z)", frame).fit(),
    }.items():
        keep(f"formula_{name}", fit, rows)


def refused(frame):
    """What must be refused when it is loaded: its name says by which word."""
    X = sm.add_constant(frame[["x", "z"]])
    for name, fit in {
        "bs()": lambda: smf.ols("y ~ bs(x, df=4)", frame).fit(), "center()": lambda: smf.ols("y ~ center(x)", frame).fit(), "standardize()": lambda: smf.ols("y ~ standardize(x) + z", frame).fit(), "H.Leeds": lambda: smf.ols("y ~ C(town, Helmert)", frame).fit(),
        "Linear": lambda: smf.ols("y ~ C(k, Poly)", frame).fit(), "np.arcsin()": lambda: smf.ols("y ~ np.arcsin(share)", frame).fit(), "% 2": lambda: smf.ols("y ~ I(k % 2)", frame).fit(), "OrderedModel": lambda: ordered(frame), "PHReg": lambda: sm.PHReg(frame["amount"], X[["x"]]).fit(),
        "offset": lambda: sm.GeneralizedPoisson(frame["count"], X, offset=frame["share"]).fit(disp=0), "AutoReg": lambda: sm.tsa.AutoReg(frame["y"], 2).fit(), "builtins.getattr": lambda: sm.ZeroInflatedPoisson(frame["count"], X).fit(disp=0),
    }.items():
        try:
            content = written(fit())
        except Exception as error:
            print(f"not made: {name}: {type(error).__name__}: {error}"[:160], file=sys.stderr)
            continue
        write_results(f"refused_{hash_of(name)}", content, frame[["x"]].iloc[:1], name)


def ordered(frame):
    from statsmodels.miscmodels.ordinal_model import OrderedModel
    return OrderedModel(frame["class"], frame[["x", "z"]], distr="logit").fit(method="bfgs", disp=0)


def hash_of(text):
    return int.from_bytes(text.encode()[:6], "big")


def main():
    frame = table()
    by_place(frame)
    by_formula(frame)
    refused(frame)


main()
done()
