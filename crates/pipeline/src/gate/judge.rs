//! The judgement by metrics: what a version must reach, and how it compares with the one in production.

use super::rules::Gate;
use super::verdict::{Check, Metrics, Verdict};

/// Both versions on the same holdout.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    pub candidate: Metrics,
    pub production: Metrics,
}

/// Judges a version by the project's rules: `logged` is what it was trained to, `compared` is how
/// it and the version in production do on the same holdout (without one, rules about it hold).
pub fn judge(rules: &Gate, logged: &Metrics, compared: Option<&Compared>) -> Verdict {
    let mut checks = Vec::new();
    for (metric, bounds) in &rules.thresholds {
        let value = logged.get(metric).copied();
        if let Some(min) = bounds.min {
            checks.push(Check {
                metric: metric.clone(),
                rule: format!("at least {min}"),
                value,
                passed: value.is_some_and(|value| value >= min),
            });
        }
        if let Some(max) = bounds.max {
            checks.push(Check {
                metric: metric.clone(),
                rule: format!("at most {max}"),
                value,
                passed: value.is_some_and(|value| value <= max),
            });
        }
    }
    for (metric, &tolerance) in &rules.not_worse_than_production {
        let Some(compared) = compared else { continue };
        let Some(&old) = compared.production.get(metric) else { continue };
        let value = compared.candidate.get(metric).copied();
        let worse_by = |value: f64| if lower_is_better(metric) { value - old } else { old - value };
        checks.push(Check {
            metric: metric.clone(),
            rule: format!("not worse than production's {old:.4} by more than {tolerance}"),
            value,
            // A NaN on either side is no proof: `<=` is false then.
            passed: value.is_some_and(|value| worse_by(value) <= tolerance),
        });
    }
    Verdict { checks }
}

/// Losses and errors shrink as a model gets better; scores grow.
fn lower_is_better(metric: &str) -> bool {
    let name = metric.to_ascii_lowercase();
    ["loss", "error", "rmse", "mse", "mae", "mape"].iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::rules::Bounds;

    fn metrics(pairs: &[(&str, f64)]) -> Metrics {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    fn rules(thresholds: &[(&str, Option<f64>, Option<f64>)], relative: &[(&str, f64)]) -> Gate {
        Gate {
            thresholds: thresholds
                .iter()
                .map(|&(name, min, max)| (name.to_owned(), Bounds { min, max }))
                .collect(),
            not_worse_than_production: metrics(relative),
            ..Gate::default()
        }
    }

    #[test]
    fn thresholds_are_inclusive() {
        let gate = rules(&[("accuracy", Some(0.9), None), ("log_loss", None, Some(0.5))], &[]);
        assert!(judge(&gate, &metrics(&[("accuracy", 0.9), ("log_loss", 0.5)]), None).passed());
        assert!(!judge(&gate, &metrics(&[("accuracy", 0.8999), ("log_loss", 0.5)]), None).passed());
        assert!(!judge(&gate, &metrics(&[("accuracy", 0.9), ("log_loss", 0.51)]), None).passed());
    }

    #[test]
    fn a_missing_or_nan_metric_fails_and_is_named() {
        let gate = rules(&[("f1", Some(0.5), None)], &[]);
        let verdict = judge(&gate, &metrics(&[]), None);
        assert_eq!(
            verdict.to_string(),
            "the gate refused the version: f1 was not logged, must be at least 0.5"
        );
        assert!(!judge(&gate, &metrics(&[("f1", f64::NAN)]), None).passed());
    }

    #[test]
    fn production_is_compared_in_the_metrics_own_direction() {
        let gate = rules(&[], &[("accuracy", 0.02), ("rmse", 0.1)]);
        let production = metrics(&[("accuracy", 0.95), ("rmse", 1.0)]);
        let judged = |accuracy, rmse| {
            let candidate = metrics(&[("accuracy", accuracy), ("rmse", rmse)]);
            let compared = Compared { candidate, production: production.clone() };
            // What was logged is of no matter to rules about production.
            judge(&gate, &Metrics::new(), Some(&compared))
        };
        assert!(judged(0.94, 1.05).passed());
        assert!(judged(0.99, 0.5).passed());
        let refused = judged(0.9, 1.2);
        assert!(!refused.passed());
        let text = refused.to_string();
        assert!(text.contains("accuracy is 0.9000, must be not worse than production's 0.9500"));
        assert!(text.contains("rmse is 1.2000"), "{text}");
    }

    #[test]
    fn without_a_version_in_production_relative_rules_hold() {
        let gate = rules(&[], &[("accuracy", 0.0)]);
        assert!(judge(&gate, &metrics(&[("accuracy", 0.1)]), None).passed());
    }
}
