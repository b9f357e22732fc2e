//! Models that are not evaluated here and that Python workers could not serve either: what MLflow cannot load, or cannot
//! ask. Each is told what does help.

use crate::Error;
use crate::python::packed;

/// Bytes in which a file of joblib names its first array: it stands behind no more than a few parameters.
const JOBLIB_BYTES_MAX: usize = 1 << 20;

const JOBLIB: &str = "Python workers read no file of joblib: write it again as \
    cloudpickle.dump(joblib.load(\"model.joblib\"), open(\"model.pkl\", \"wb\"))";

const RECORDS: &str = "Python workers cannot serve it either: MLflow hands a DictVectorizer a table, not records. Put a step \
    before it, FunctionTransformer(to_records) with `def to_records(table): return table.to_dict(\"records\")`, log \
    the pipeline again, and they can";

const MAIN: &str = "nothing else can import what was defined in the program that was run: log it with \
    serialization_format=\"cloudpickle\", or move it to a module and log that along (code_paths=[\"module.py\"]); then \
    Python workers run it";

/// The refusal of a model file as it is: where Python workers are no way out, with the way that there is.
pub(crate) fn unservable(error: Error, bytes: &[u8]) -> Error {
    let Error::Unsupported { what, hint } = error else { return error };
    let other = |hint: &str| Error::Unservable { what: what.clone(), hint: hint.to_owned() };
    let has = |word: &str| what.contains(word) || is_in(bytes, word);
    if packed::foreign_compression(bytes).is_some() || what.starts_with("a model that is") {
        // What to do about it is said already.
        return other(&hint);
    }
    if is_joblib(bytes) {
        return other(JOBLIB);
    }
    if what.contains("__main__.") {
        return other(MAIN);
    }
    if has("DictVectorizer") && !has("FunctionTransformer") {
        return other(RECORDS);
    }
    Error::Unsupported { what, hint }
}

/// Whether a file is written as only joblib reads it.
fn is_joblib(bytes: &[u8]) -> bool {
    let start = bytes.get(..JOBLIB_BYTES_MAX).unwrap_or(bytes);
    let is_compressed = bytes.starts_with(b"\x78") || bytes.starts_with(b"\x1f\x8b");
    is_compressed || is_in(start, "joblib.numpy_pickle")
}

fn is_in(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(what: &str, bytes: &[u8]) -> Error {
        unservable(
            Error::Unsupported { what: what.to_owned(), hint: "as it was".to_owned() },
            bytes,
        )
    }

    #[test]
    fn what_python_cannot_serve_is_not_sent_to_its_workers() {
        for (what, bytes, said) in [
            (
                "estimator mine.Model",
                &b"\x80\x04cjoblib.numpy_pickle\nNumpyArrayWrapper\n"[..],
                "no file of joblib",
            ),
            ("estimator mine.Model", b"\x78\x9c", "no file of joblib"),
            ("model.pkl, which is compressed with xz,", b"\xfd7zXZ\0", "as it was"),
            (
                "model.pkl: __main__.Mine is not something that models are made of here, and",
                b"",
                "cloudpickle",
            ),
            ("dtype float32 of scikit-learn's DictVectorizer", b"", "to_records"),
            ("estimator mine.Model", b"\x80\x04 DictVectorizer mine.Model", "to_records"),
            ("a model that is a dict", b"\x80\x04", "as it was"),
        ] {
            let error = refused(what, bytes);
            let Error::Unservable { hint, .. } = &error else { panic!("{what}: {error:?}") };
            assert!(hint.contains(said), "{what}: {hint}");
        }
        for (what, bytes) in [
            ("estimator mine.Model", &b"\x80\x04 cloudpickle"[..]),
            ("estimator mine.Model", b"\x80\x04 FunctionTransformer DictVectorizer"),
        ] {
            assert!(matches!(refused(what, bytes), Error::Unsupported { .. }), "{what}");
        }
    }
}
