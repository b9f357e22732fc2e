//! Names of the metrics, and when each is defined.

use crate::config::Task;

/// All metrics that training logs, by name.
pub const METRICS: [&str; 18] = [
    "accuracy",
    "average_precision",
    "brier",
    "f1",
    "f1_macro",
    "f1_weighted",
    "log_loss",
    "precision",
    "precision_macro",
    "precision_weighted",
    "recall",
    "recall_macro",
    "recall_weighted",
    "roc_auc",
    "mae",
    "mape",
    "r2",
    "rmse",
];

/// Metrics of one class, which must be known.
const OF_POSITIVE: [&str; 5] = ["average_precision", "brier", "f1", "precision", "recall"];
const OF_QUANTITIES: [&str; 4] = ["mae", "mape", "r2", "rmse"];

/// Metrics that a task has: those of a positive class only where one is known.
pub fn metrics_of(task: Task, has_positive: bool) -> Vec<&'static str> {
    let is_defined = |metric: &&str| match task {
        Task::Regression => OF_QUANTITIES.contains(metric),
        Task::Classification | Task::Auto => {
            !OF_QUANTITIES.contains(metric) && (has_positive || !OF_POSITIVE.contains(metric))
        }
    };
    METRICS.into_iter().filter(is_defined).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_has_its_own_metrics() {
        assert_eq!(metrics_of(Task::Regression, false), ["mae", "mape", "r2", "rmse"]);
        assert_eq!(metrics_of(Task::Classification, true).len(), 14);
        assert!(!metrics_of(Task::Classification, false).contains(&"f1"));
    }
}
