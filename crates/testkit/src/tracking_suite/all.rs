//! The whole suite.

use trainyard_mlflow::Tracking;

use super::artifacts::{artifacts, artifacts_in_bulk};
use super::experiments::{experiment_search, experiments};
use super::logged_models::logged_models;
use super::metrics::{metric_extremes, metric_history, metrics};
use super::registry::{model_versions, registered_models, registry_search};
use super::runs::{datasets, run_search, runs};

/// Every step, one after the other.
pub async fn all(tracking: &Tracking) {
    experiments(tracking).await;
    experiment_search(tracking).await;
    runs(tracking).await;
    run_search(tracking).await;
    datasets(tracking).await;
    metrics(tracking).await;
    metric_history(tracking).await;
    metric_extremes(tracking).await;
    logged_models(tracking).await;
    registered_models(tracking).await;
    model_versions(tracking).await;
    registry_search(tracking).await;
    artifacts(tracking).await;
    artifacts_in_bulk(tracking).await;
}
