//! What steps begin with: names that are new, an experiment, a run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use trainyard_mlflow::entities::{KeyValue, Run};
use trainyard_mlflow::{CreateRun, Tracking};

/// A name that no other step and no earlier run has used.
pub fn unique(stem: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{stem}-{now:x}-{}", COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// A new experiment's id.
pub async fn new_experiment(tracking: &Tracking) -> String {
    tracking.experiments.create(&unique("suite"), None, &[]).await.unwrap()
}

/// A new run in that experiment.
pub async fn new_run(tracking: &Tracking, experiment_id: &str) -> Run {
    let run = CreateRun {
        experiment_id: experiment_id.to_owned(),
        user_id: "tester".to_owned(),
        run_name: None,
        start_time: 1_700_000_000_000,
        tags: Vec::new(),
    };
    tracking.runs.create(run).await.unwrap()
}

/// A tag or param.
pub(super) fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue::new(key, value)
}
