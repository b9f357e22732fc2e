//! Which way metrics go.

/// Whether a larger value of this metric is better.
pub fn greater_is_better(metric: &str) -> bool {
    !matches!(metric, "log_loss" | "brier" | "rmse" | "mae" | "mape")
}
