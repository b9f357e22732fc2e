"""Rows of 32 bits through what keeps them so: imputers, column transformers, unions, products, encoders of 32 bits.

What scikit-learn computes exactly is compared to the bit; powers, quantiles of the normal distribution and splines are not.
"""

from sklearn.impute import KNNImputer, MissingIndicator


def frames():
    frame = pd.DataFrame(RNG.normal(size=(80, 3)) * [1.0, 30.0, 0.01] + [0.0, 7.0, 3.0], columns=list("abc"))
    frame["town"] = RNG.choice(["Leeds", "York", "Bath"], 80)
    rows = frame.iloc[:25].copy()
    rows[list("abc")] = rows[list("abc")].astype(np.float32)
    holes = rows.copy()
    holes.loc[2:9:3, "a"] = np.nan
    holes.loc[3:12:4, "b"] = np.nan
    return frame, rows, holes


def steps():
    numbers = list("abc")
    scaled = lambda: ColumnTransformer([("s", StandardScaler(), ["a", "b"]), ("p", "passthrough", ["c"])])
    text = lambda dtype: ColumnTransformer([("s", StandardScaler(), ["a"]), ("o", OneHotEncoder(sparse_output=False, dtype=dtype), ["town"]), ("p", "passthrough", ["b"])])
    return {
        "mean": (SimpleImputer(), numbers), "median": (SimpleImputer(strategy="median"), numbers), "constant": (SimpleImputer(strategy="constant", fill_value=0.1), numbers), "indicator": (SimpleImputer(add_indicator=True), numbers),
        "frequent": (SimpleImputer(strategy="most_frequent"), numbers), "imputed_scaled": (make_pipeline(SimpleImputer(), StandardScaler()), numbers), "imputed_ranged": (make_pipeline(SimpleImputer(add_indicator=True), MinMaxScaler()), numbers), "imputed_robust": (make_pipeline(SimpleImputer(), RobustScaler()), numbers),
        "columns": (scaled(), numbers), "columns_scaled": (make_pipeline(scaled(), StandardScaler()), numbers), "columns_weighted": (ColumnTransformer([("s", StandardScaler(), ["a", "b"]), ("p", "passthrough", ["c"])], transformer_weights={"s": 2.3, "p": 0.1}), numbers),
        "columns_imputed": (ColumnTransformer([("i", make_pipeline(SimpleImputer(), MaxAbsScaler()), ["a", "b"]), ("p", StandardScaler(), ["c"])]), numbers), "union": (FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler()), ("c", "passthrough")]), numbers),
        "union_weighted": (FeatureUnion([("a", StandardScaler()), ("b", "passthrough")], transformer_weights={"a": 0.7}), numbers), "union_twice": (make_pipeline(FeatureUnion([("a", StandardScaler()), ("b", "passthrough")]), StandardScaler()), numbers),
        "products": (PolynomialFeatures(3), numbers), "products_scaled": (make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler()), numbers), "interactions": (PolynomialFeatures(3, interaction_only=True), numbers), "binary": (make_pipeline(Binarizer(threshold=0.3), StandardScaler()), numbers),
        "root": (FunctionTransformer(np.square, validate=True), numbers), "root_frame": (make_pipeline(FunctionTransformer(np.abs), StandardScaler()), numbers), "best": (make_pipeline(SelectKBest(k=2), StandardScaler()), numbers), "variance": (make_pipeline(VarianceThreshold(), RobustScaler()), numbers),
        "text_doubles": (make_pipeline(text(np.float64), StandardScaler()), numbers + ["town"]), "text_singles": (make_pipeline(text(np.float32), StandardScaler()), numbers + ["town"]),
        **{f"normalized_{norm}": (Normalizer(norm), numbers) for norm in ("l1", "l2", "max")}, "normalized_scaled": (make_pipeline(Normalizer(), StandardScaler()), numbers),
        # Not of the column that hardly varies: its exponent is large, and so is what one bit of a logarithm makes.
        "power": (PowerTransformer(), ["a", "b"]), "power_alone": (PowerTransformer(standardize=False), ["a", "b"]), "power_box": (make_pipeline(MinMaxScaler((1, 2)), PowerTransformer(method="box-cox")), numbers),
        "quantiles": (QuantileTransformer(n_quantiles=20), numbers), "quantiles_normal": (QuantileTransformer(n_quantiles=20, output_distribution="normal"), numbers), "quantiles_scaled": (make_pipeline(QuantileTransformer(n_quantiles=9), MinMaxScaler()), numbers),
        "bins": (make_pipeline(KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf"), StandardScaler()), numbers), "bins_one": (KBinsDiscretizer(3, encode="onehot-dense", dtype=np.float32, quantile_method="averaged_inverted_cdf"), numbers),
        "splines": (SplineTransformer(n_knots=4), numbers), "splines_linear": (make_pipeline(SplineTransformer(n_knots=3, extrapolation="linear"), StandardScaler()), numbers), "nearest": (KNNImputer(n_neighbors=3), numbers),
        "one_of_text": (make_pipeline(ColumnTransformer([("o", OrdinalEncoder(dtype=np.float32), ["town"]), ("p", "passthrough", ["a", "b"])]), StandardScaler()), numbers + ["town"]),
    }


def main():
    frame, rows, holes = frames()
    y = (frame["a"] + frame["c"] > 3).astype(int)
    mixed = rows.assign(b=rows["b"].astype(float))
    for name, (step, columns) in steps().items():
        step.fit(frame[columns], y)
        inexact = name.startswith(("power", "quantiles_normal", "splines", "nearest"))
        for kind, given in (("plain", rows), ("holes", holes), ("mixed", mixed)):
            try:
                save_method(f"{name}_{kind}", step, "transform", given[columns], ("cloudpickle",), 2e-6 if inexact else 0)
            except ValueError as error:  # a hole where none is taken
                print(f"not answered: {name}, {kind}: {error}"[:120], file=sys.stderr)
        tree = make_pipeline(step, DecisionTreeClassifier(random_state=0)).fit(frame[columns], y)
        save(f"{name}_tree", tree, rows[columns], ("cloudpickle",))
        if inexact:
            # Fitted to rows of 32 bits: its own numbers are of 32 bits, too.
            step.fit(rows[columns], y[:25])
            save_method(f"{name}_fitted", step, "transform", holes[columns] if name.startswith("nearest") else rows[columns], ("cloudpickle",), 5e-6)
            continue
        # As it is fitted to rows of 32 bits.
        own = make_pipeline(step, RandomForestRegressor(4, random_state=0)).fit(rows[columns], rows["c"])
        save(f"{name}_own", own, rows[columns], ("cloudpickle",))


main()
done()
