//! Classes and functions that models are made of.

/// Whether a global (`module.name`) is one that models are made of. Everything else is refused by name:
/// nothing is ever called, but what is not known cannot be evaluated either.
pub(crate) fn is_known_global(module: &str, name: &str) -> bool {
    const PACKAGES: [&str; 11] = [
        "sklearn",
        "numpy",
        "scipy",
        "xgboost",
        "lightgbm",
        "catboost",
        "imblearn",
        // Tables of encoders and rows of training.
        "pandas",
        "pyarrow",
        "category_encoders",
        "statsmodels",
    ];
    const BUILTINS: [&str; 17] = [
        "object",
        "list",
        "dict",
        "set",
        "frozenset",
        "tuple",
        "str",
        "unicode",
        "int",
        "long",
        "float",
        "bool",
        "bytes",
        "bytearray",
        "complex",
        "slice",
        "range",
    ];
    let package = module.split('.').next().unwrap_or_default();
    match module {
        "builtins" | "__builtin__" => BUILTINS.contains(&name),
        "collections" => matches!(name, "OrderedDict" | "defaultdict" | "Counter"),
        "copyreg" | "copy_reg" => name == "_reconstructor",
        "_codecs" => name == "encode",
        "functools" => name == "partial",
        // In rows of training.
        "datetime" => matches!(name, "date" | "datetime" | "time" | "timedelta" | "timezone"),
        "joblib.numpy_pickle" => name == "NumpyArrayWrapper",
        _ => PACKAGES.contains(&package) || package == "_loss",
    }
}
