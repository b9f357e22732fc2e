//! How steps look at answers.

use trainyard_mlflow::entities::KeyValue;
use trainyard_mlflow::{ErrorCode, Result};

/// The pairs without those that MLflow adds by itself, sorted.
pub(super) fn own(pairs: &[KeyValue]) -> Vec<(String, String)> {
    let own = pairs.iter().filter(|pair| !pair.key.starts_with("mlflow."));
    let mut own: Vec<_> = own.map(|pair| (pair.key.clone(), pair.value.clone())).collect();
    own.sort();
    own
}

/// The call must have failed with this code and a message that holds `part`.
#[track_caller]
pub(super) fn assert_refused<T: std::fmt::Debug>(result: Result<T>, code: ErrorCode, part: &str) {
    match result {
        Err(error) => {
            assert_eq!(error.code(), code, "{error:?}");
            assert!(error.to_string().contains(part), "{error:?} does not hold {part:?}");
        }
        Ok(answer) => panic!("expected {code} with {part:?}, found {answer:?}"),
    }
}
