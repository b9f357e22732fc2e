//! What every home of [`Tracking`] must do: the SQL store, our server, and an unmodified upstream
//! server are all put through the same steps, and must answer the same.
//!
//! Each step makes what it needs under names of its own, so that steps can run in any order, at
//! the same time, and against a store that is not empty.

#![expect(clippy::unwrap_used, reason = "a step that cannot go on has failed")]

mod artifacts;
mod experiments;
mod logged_models;
mod metrics;
mod registry;
mod runs;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use trainyard_mlflow::entities::{KeyValue, Run};
use trainyard_mlflow::{CreateRun, ErrorCode, Result, Tracking};

pub use artifacts::{artifacts, artifacts_in_bulk};
pub use experiments::{experiment_search, experiments};
pub use logged_models::logged_models;
pub use metrics::{metric_history, metrics};
pub use registry::{model_versions, registered_models, registry_search};
pub use runs::{datasets, run_search, runs};

/// Every step, one after the other.
pub async fn all(tracking: &dyn Tracking) {
    experiments(tracking).await;
    experiment_search(tracking).await;
    runs(tracking).await;
    run_search(tracking).await;
    datasets(tracking).await;
    metrics(tracking).await;
    metric_history(tracking).await;
    logged_models(tracking).await;
    registered_models(tracking).await;
    model_versions(tracking).await;
    registry_search(tracking).await;
    artifacts(tracking).await;
    artifacts_in_bulk(tracking).await;
}

/// A name that no other step and no earlier run has used.
pub fn unique(stem: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{stem}-{now:x}-{}", COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// A new experiment's id.
pub async fn new_experiment(tracking: &dyn Tracking) -> String {
    tracking.create_experiment(&unique("suite"), None, &[]).await.unwrap()
}

/// A new run in that experiment.
pub async fn new_run(tracking: &dyn Tracking, experiment_id: &str) -> Run {
    let run = CreateRun {
        experiment_id: experiment_id.to_owned(),
        user_id: "tester".to_owned(),
        run_name: None,
        start_time: 1_700_000_000_000,
        tags: Vec::new(),
    };
    tracking.create_run(run).await.unwrap()
}

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue::new(key, value)
}

/// The pairs without those that MLflow adds by itself, sorted.
fn own(pairs: &[KeyValue]) -> Vec<(String, String)> {
    let own = pairs.iter().filter(|pair| !pair.key.starts_with("mlflow."));
    let mut own: Vec<_> = own.map(|pair| (pair.key.clone(), pair.value.clone())).collect();
    own.sort();
    own
}

/// The call must have failed with this code and a message that holds `part`.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T>, code: ErrorCode, part: &str) {
    match result {
        Err(error) if error.is_answer() => {
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(part), "{error:?} does not hold {part:?}");
        }
        other => panic!("expected {code} with {part:?}, found {other:?}"),
    }
}
