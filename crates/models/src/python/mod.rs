//! Python objects as data: what pickle and skops files hold, without running any of it.
//!
//! Both readers fill a [`Heap`] of nodes that refer to each other by number (pickles may share nodes and
//! even hold circles). Estimators are looked at through [`Value`].

pub(crate) mod array;
mod dtype;
pub(crate) mod pickle;
pub(crate) mod skops;
mod value;
mod zip;

pub(crate) use array::{Array, Elements};
pub(crate) use value::{Heap, Id, Node, Object, Value};

/// Objects of one file; a forest of 1000 trees has some 50 000, a vocabulary two for each term.
pub(crate) const MAX_NODES: usize = 8_000_000;

/// Bytes in memory for each byte of a file: a byte of a pickle can make an empty list, and an element of
/// one byte becomes one of eight.
const EXPANSION: usize = 64;

/// Bytes in memory that any file may take.
const FREE_BYTES: usize = 64 << 20;

/// Depth to which objects nest; pipelines of ensembles of pipelines stay below 40.
pub(crate) const MAX_DEPTH: usize = 150;

/// Whether a global (`module.name`) is one that models are made of. Everything else is refused by name:
/// nothing is ever called, but what is not known cannot be evaluated either.
pub(crate) fn is_known_global(module: &str, name: &str) -> bool {
    const PACKAGES: [&str; 5] = ["sklearn", "numpy", "scipy", "xgboost", "lightgbm"];
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
        _ => PACKAGES.contains(&package) || package == "_loss",
    }
}
