//! `[gate]`: the rules that a version must keep.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::contract_rule::ContractRule;
use crate::behaviour::BehaviourRules;

/// Metrics that the built-in algorithms log.
const METRICS: [&str; 13] = [
    "accuracy",
    "f1_macro",
    "f1_weighted",
    "log_loss",
    "precision_macro",
    "precision_weighted",
    "recall_macro",
    "recall_weighted",
    "roc_auc",
    "mae",
    "mape",
    "r2",
    "rmse",
];

/// `[gate]`: a version must pass all of it to get an alias.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// Metric and the bounds it must keep.
    pub thresholds: BTreeMap<String, Bounds>,
    /// Metrics on which the version must not be worse than the one in production, on the same
    /// holdout, by more than the number given.
    pub not_worse_than_production: BTreeMap<String, f64>,
    /// Whether the signature may break clients of the version in production.
    pub contract: ContractRule,
    /// Whether this call lets it break them (`promote --allow-break`).
    #[serde(skip)]
    pub allow_break: bool,
    /// How far answers may differ from those of the version that serves.
    pub behaviour: BehaviourRules,
}

/// Bounds of one metric, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    pub min: Option<f64>,
    pub max: Option<f64>,
}

impl Gate {
    /// Rules that span keys; a built-in algorithm logs what is known beforehand.
    pub(crate) fn check(&self, is_built_in: bool) -> Result<(), String> {
        let mut named = self.thresholds.keys().chain(self.not_worse_than_production.keys());
        let unknown = named.find(|metric| is_built_in && !METRICS.contains(&metric.as_str()));
        if let Some(metric) = unknown {
            return Err(format!(
                "[gate] names the metric {metric:?}; training logs {}",
                METRICS.join(", ")
            ));
        }
        for (metric, bounds) in &self.thresholds {
            let key = format!("gate.thresholds.{metric}");
            match (bounds.min, bounds.max) {
                (None, None) => return Err(format!("{key} needs `min` or `max`")),
                (min, max) if min.into_iter().chain(max).any(f64::is_nan) => {
                    return Err(format!("{key}: nothing is above or below nan"));
                }
                (Some(min), Some(max)) if min > max => {
                    return Err(format!("{key}: min {min} is above max {max}"));
                }
                _ => {}
            }
        }
        self.behaviour.check()
    }
}
