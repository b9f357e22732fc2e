//! The judgement by metrics: what a version must reach, and how it compares with the one in production.

use std::collections::BTreeMap;

use trainyard_base::Better;
use trainyard_train::{Comparison, Difference, Standing};

use super::rules::{Gate, Undecided};
use super::verdict::{Check, Metrics, Verdict};

/// What a version is worth by itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Worth {
    /// Its metrics.
    pub metrics: Metrics,
    /// Whose numbers they are or why there are none, where that is to be said.
    pub note: Option<String>,
    /// Whether it was scored here: what is not among the metrics then cannot be worked out.
    pub is_scored: bool,
}

/// Why a version that was scored has no value of a metric.
const NO_VALUE: &str =
    "it was scored on the holdout, and what it answers gives none (it may lack probabilities)";

/// Logged metrics that are named in the place of one that was not: autologging logs some ten.
const NAMES_MAX: usize = 12;

/// What comparing with the version in production gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Compared {
    /// There is no other version in production, or no rule about it.
    Nothing,
    /// Both versions on the same rows, by metric.
    Rows(BTreeMap<String, Comparison>),
    /// What either version logged of itself, on rows of its own.
    Logged {
        /// Of the version that is judged.
        candidate: Metrics,
        /// Of the version in production.
        production: Metrics,
        /// Why not the same rows.
        note: String,
    },
    /// The version cannot be evaluated here.
    CannotBeEvaluated(String),
    /// The versions cannot be compared on any rows.
    Incomparable(String),
}

/// Judges a version by the project's rules.
pub fn judge(rules: &Gate, worth: &Worth, compared: &Compared) -> Verdict {
    let mut checks = Vec::new();
    for (metric, bounds) in &rules.thresholds {
        let value = worth.metrics.get(metric).copied();
        let note = match value {
            Some(_) => worth.note.clone(),
            None if worth.is_scored => Some(NO_VALUE.to_owned()),
            None => why_missing(worth),
        };
        let mut bound = |rule: String, holds: &dyn Fn(f64) -> bool| {
            checks.push(Check {
                metric: metric.clone(),
                rule,
                value,
                passed: value.is_some_and(holds),
                note: note.clone(),
                ..Check::default()
            });
        };
        if let Some(min) = bounds.min {
            bound(format!("at least {min}"), &|value| value >= min);
        }
        if let Some(max) = bounds.max {
            bound(format!("at most {max}"), &|value| value <= max);
        }
    }
    for (metric, &margin) in &rules.not_worse_than_production {
        checks.extend(against_production(metric, margin, rules.undecided, compared));
    }
    Verdict { checks }
}

/// Why a version that was not scored here has no value of a metric: what its program logged has other names.
fn why_missing(worth: &Worth) -> Option<String> {
    let names: Vec<&str> = worth.metrics.keys().map(String::as_str).take(NAMES_MAX).collect();
    if names.is_empty() {
        return worth.note.clone();
    }
    let more = if names.len() < worth.metrics.len() { ", …" } else { "" };
    let logged = format!("logged were {}{more}", names.join(", "));
    Some(match &worth.note {
        Some(note) => format!("{logged}; {note}"),
        None => logged,
    })
}

/// The check of one metric; none if there is nothing to compare with.
fn against_production(
    metric: &str,
    margin: f64,
    undecided: Undecided,
    compared: &Compared,
) -> Option<Check> {
    let rule = |old: Option<f64>| match old {
        Some(old) => format!("not worse than production's {old:.4} by more than {margin}"),
        None => format!("not worse than production's by more than {margin}"),
    };
    let check = Check { metric: metric.to_owned(), rule: rule(None), ..Check::default() };
    let not_decided = |check: Check, note: String| Check {
        passed: undecided == Undecided::Pass,
        undecided: true,
        note: Some(note),
        ..check
    };
    let lacks = |whose: &str| format!("{whose} has no {metric} on these rows");
    match compared {
        Compared::Nothing => None,
        Compared::CannotBeEvaluated(reason) => Some(Check { note: Some(reason.clone()), ..check }),
        Compared::Incomparable(reason) => {
            Some(not_decided(check, format!("not compared: {reason}")))
        }
        Compared::Logged { candidate, production, note } => {
            let old = *production.get(metric)?;
            let value = candidate.get(metric).copied();
            let worse_by =
                |value: f64| if lower_is_better(metric) { value - old } else { old - value };
            Some(Check {
                rule: rule(Some(old)),
                value,
                // A NaN on either side is no proof: `<=` is false then.
                passed: value.is_some_and(|value| worse_by(value) <= margin),
                note: Some(note.clone()),
                ..check
            })
        }
        Compared::Rows(by_metric) => match by_metric.get(metric)? {
            Comparison::NewLacks => Some(Check { note: Some(lacks("this version")), ..check }),
            Comparison::OldLacks => {
                Some(not_decided(check, format!("not compared: {}", lacks("production's"))))
            }
            Comparison::TooFew(reason) => {
                Some(not_decided(check, format!("not compared: {reason}")))
            }
            Comparison::Made(difference) => {
                let note = sentence(difference, margin);
                let check = Check {
                    rule: rule(Some(difference.old)),
                    value: Some(difference.new),
                    difference: Some(difference.clone()),
                    ..check
                };
                Some(match difference.against(margin) {
                    Standing::NotWorse => Check { passed: true, note: Some(note), ..check },
                    Standing::Worse => Check { note: Some(note), ..check },
                    Standing::Undecided => not_decided(check, note),
                })
            }
        },
    }
}

/// Difference, interval, and what would have been needed.
fn sentence(difference: &Difference, margin: f64) -> String {
    match difference.against(margin) {
        Standing::NotWorse => difference.to_string(),
        Standing::Worse => format!("{difference}, which is beyond chance"),
        Standing::Undecided => {
            let (rows, seen) = (difference.rows, difference.smallest_seen());
            let needed = match difference.rows_needed(margin) {
                Some(rows) => format!("about {rows} rows decide {margin}"),
                None => "no number of rows shows that two models are equal".to_owned(),
            };
            format!(
                "not decided: {difference}; {rows} rows tell differences from {seen:.4}, {needed}"
            )
        }
    }
}

/// Losses and errors shrink as a model gets better; scores grow, and whatever else.
pub(super) fn lower_is_better(metric: &str) -> bool {
    Better::by_name(metric) == Some(Better::Smaller)
}

#[cfg(test)]
mod tests {
    use trainyard_train::{LEVEL, Method};

    use super::*;
    use crate::gate::rules::Bounds;

    fn metrics(pairs: &[(&str, f64)]) -> Metrics {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    fn worth(pairs: &[(&str, f64)]) -> Worth {
        Worth { metrics: metrics(pairs), ..Worth::default() }
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

    fn compared(worse_by: f64, half: f64) -> Compared {
        let difference = Difference {
            new: 0.95 - worse_by,
            old: 0.95,
            worse_by,
            low: worse_by - half,
            high: worse_by + half,
            standard_error: half / 1.96,
            beyond_chance: worse_by > half,
            level: LEVEL,
            rows: 400,
            method: Method::McNemar,
        };
        Compared::Rows([("accuracy".to_owned(), Comparison::Made(difference))].into())
    }

    #[test]
    fn thresholds_are_inclusive() {
        let gate = rules(&[("accuracy", Some(0.9), None), ("log_loss", None, Some(0.5))], &[]);
        let judged = |accuracy, loss| {
            let worth = worth(&[("accuracy", accuracy), ("log_loss", loss)]);
            judge(&gate, &worth, &Compared::Nothing).passed()
        };
        assert!(judged(0.9, 0.5));
        assert!(!judged(0.8999, 0.5));
        assert!(!judged(0.9, 0.51));
    }

    #[test]
    fn a_missing_or_nan_metric_fails_and_is_named() {
        let gate = rules(&[("f1", Some(0.5), None)], &[]);
        let verdict = judge(&gate, &worth(&[]), &Compared::Nothing);
        assert_eq!(
            verdict.to_string(),
            "the gate refused the version: f1 was not logged, must be at least 0.5"
        );
        assert!(!judge(&gate, &worth(&[("f1", f64::NAN)]), &Compared::Nothing).passed());
        let note = Some("it needs Python".to_owned());
        let verdict = judge(&gate, &Worth { note, ..Worth::default() }, &Compared::Nothing);
        assert!(verdict.to_string().ends_with("must be at least 0.5: it needs Python"));
        let others = worth(&[("training_f1", 0.9), ("training_score", 0.9)]);
        let text = judge(&gate, &others, &Compared::Nothing).to_string();
        assert!(text.ends_with("at least 0.5: logged were training_f1, training_score"), "{text}");
        let scored = Worth { is_scored: true, ..worth(&[("accuracy", 0.9)]) };
        let text = judge(&gate, &scored, &Compared::Nothing).to_string();
        assert!(text.contains("f1 has no value") && text.contains("was scored"), "{text}");
    }

    #[test]
    fn a_version_is_refused_only_if_it_is_worse_beyond_chance_and_margin() {
        let gate = rules(&[], &[("accuracy", 0.02)]);
        let judged = |worse_by, half| judge(&gate, &worth(&[]), &compared(worse_by, half));
        assert!(judged(0.0, 0.01).passed());
        assert!(judged(0.03, 0.05).passed());
        assert!(judged(0.01, 0.005).passed());
        let refused = judged(0.05, 0.02).to_string();
        assert_eq!(
            refused,
            "the gate refused the version: accuracy is 0.9000, must be not worse than production's 0.9500 \
             by more than 0.02: worse by 0.0500 (0.0300 to 0.0700 on 400 rows, McNemar), which is beyond \
             chance"
        );
    }

    #[test]
    fn what_the_rows_do_not_decide_is_the_projects_choice_and_says_what_was_needed() {
        let mut gate = rules(&[], &[("accuracy", 0.02)]);
        let verdict = judge(&gate, &worth(&[]), &compared(0.01, 0.04));
        assert!(verdict.passed() && verdict.checks[0].undecided);
        assert_eq!(verdict.summary(), "1 rule holds, 1 of them undecided");
        let text = verdict.checks[0].to_string();
        assert!(text.contains("not decided: worse by 0.0100"), "{text}");
        assert!(text.contains("rows decide 0.02"), "{text}");
        gate.undecided = Undecided::Refuse;
        assert!(!judge(&gate, &worth(&[]), &compared(0.01, 0.04)).passed());
        assert!(judge(&gate, &worth(&[]), &compared(0.0, 0.01)).passed());
        let incomparable = Compared::Incomparable("nobody knows".to_owned());
        assert!(!judge(&gate, &worth(&[]), &incomparable).passed());
    }

    #[test]
    fn logged_numbers_are_compared_in_the_metrics_own_direction() {
        let gate = rules(&[], &[("accuracy", 0.02), ("rmse", 0.1)]);
        let production = metrics(&[("accuracy", 0.95), ("rmse", 1.0)]);
        let judged = |accuracy, rmse| {
            let candidate = metrics(&[("accuracy", accuracy), ("rmse", rmse)]);
            let note = "by what was logged".to_owned();
            let compared = Compared::Logged { candidate, production: production.clone(), note };
            judge(&gate, &worth(&[]), &compared)
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
    fn a_version_that_cannot_be_evaluated_does_not_pass_and_a_first_one_does() {
        let gate = rules(&[], &[("accuracy", 0.0)]);
        assert!(judge(&gate, &worth(&[]), &Compared::Nothing).passed());
        let cannot = Compared::CannotBeEvaluated("it needs Python".to_owned());
        assert!(!judge(&gate, &worth(&[]), &cannot).passed());
    }
}
