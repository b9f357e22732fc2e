//! `[gate]`: the rules that a version must keep.

use std::collections::BTreeMap;

use serde::Deserialize;
use trainyard_base::did_you_mean;
use trainyard_train::{METRICS, Task, metrics_of};

use super::contract_rule::ContractRule;
use crate::behaviour::BehaviourRules;

/// People that may have to approve a version: more do not look at one.
const APPROVALS_MAX: u8 = 20;

/// `[gate]`: a version must pass all of it to be approved.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// Metric and the bounds it must keep.
    pub thresholds: BTreeMap<String, Bounds>,
    /// Metrics on which the version must not be worse than the one in production, on the same
    /// holdout, by more than the number given.
    pub not_worse_than_production: BTreeMap<String, f64>,
    /// Whose numbers count.
    pub metrics: Source,
    /// What becomes of a comparison that the rows do not decide.
    pub undecided: Undecided,
    /// How many people have to approve what passed before it is released, none of them the one who asks for it.
    pub approvals: u8,
    /// Whether the signature may break clients of the version in production.
    pub contract: ContractRule,
    /// Whether this call lets it break them (`promote --allow-break`).
    #[serde(skip)]
    pub allow_break: bool,
    /// How far answers may differ from those of the version that serves.
    pub behaviour: BehaviourRules,
}

/// Whose numbers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// What Trainyard finds on the project's holdout.
    #[default]
    Holdout,
    /// What the training program logged of itself.
    Logged,
}

/// What becomes of a comparison that the rows do not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Undecided {
    /// It holds, with a warning.
    #[default]
    Pass,
    /// It does not hold.
    Refuse,
}

/// Bounds of one metric, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    pub min: Option<f64>,
    pub max: Option<f64>,
}

impl Gate {
    /// Metrics that are named, by either kind of rule.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.thresholds.keys().chain(self.not_worse_than_production.keys())
    }

    /// Rules that span keys. What Trainyard itself finds is known beforehand (`is_ours`), what a program logs
    /// is not.
    pub(crate) fn check(&self, is_ours: bool) -> Result<(), String> {
        let unknown = self.names().find(|metric| is_ours && !METRICS.contains(&metric.as_str()));
        if let Some(metric) = unknown {
            return Err(format!(
                "[gate] names the metric {metric:?}{}; there are {}",
                did_you_mean(metric, METRICS.into_iter()),
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
        for (metric, margin) in &self.not_worse_than_production {
            if margin.is_nan() || *margin < 0.0 {
                return Err(format!(
                    "gate.not_worse_than_production.{metric} = {margin}: how much worse is accepted, 0 or more"
                ));
            }
        }
        if self.approvals > APPROVALS_MAX {
            return Err(format!(
                "gate.approvals = {}: up to {APPROVALS_MAX} people may be asked",
                self.approvals
            ));
        }
        self.behaviour.check()
    }

    /// Refuses metrics that the data do not have, before anything is trained on them.
    pub(crate) fn check_task(
        &self,
        task: Task,
        has_positive: bool,
        target: &str,
    ) -> Result<(), String> {
        let defined = metrics_of(task, has_positive);
        let Some(metric) = self.names().find(|metric| !defined.contains(&metric.as_str())) else {
            return Ok(());
        };
        let what = match (task, metrics_of(task, true).contains(&metric.as_str())) {
            (_, true) => {
                "is about one class of two, or the one that `positive` under [train] names"
            }
            (Task::Regression, false) => "is for classes, and the target is a quantity",
            (_, false) => "is for quantities, and the target is a class",
        };
        Err(format!(
            "[gate] names the metric {metric:?}, which {what} ({target:?}); there are {}",
            defined.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(text: &str) -> Gate {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn names_are_checked_where_they_are_known() {
        let own = gate("[thresholds]\nprofit = { min = 1.0 }");
        assert!(own.check(true).unwrap_err().contains("\"profit\"; there are"));
        let slip = gate("[thresholds]\naccurracy = { min = 0.5 }").check(true).unwrap_err();
        assert!(slip.contains("(did you mean \"accuracy\"?)"), "{slip}");
        assert_eq!(own.check(false), Ok(()));
        for metric in ["f1", "precision", "recall", "average_precision", "brier"] {
            assert_eq!(
                gate(&format!("[thresholds]\n{metric} = {{ max = 1 }}")).check(true),
                Ok(())
            );
        }
    }

    #[test]
    fn a_margin_is_no_less_than_nothing() {
        let negative = gate("[not_worse_than_production]\naccuracy = -0.1");
        assert!(negative.check(true).unwrap_err().contains("0 or more"));
    }

    #[test]
    fn metrics_that_the_data_do_not_have_are_refused_before_training() {
        let gate = gate("[thresholds]\nf1 = { min = 0.5 }");
        assert_eq!(gate.check_task(Task::Classification, true, "churn"), Ok(()));
        let refused = gate.check_task(Task::Classification, false, "species").unwrap_err();
        assert!(refused.contains("`positive`") && refused.contains("\"species\""), "{refused}");
        let refused = gate.check_task(Task::Regression, false, "price").unwrap_err();
        assert!(refused.contains("a quantity") && refused.contains("rmse"), "{refused}");
    }
}
