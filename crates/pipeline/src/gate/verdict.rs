//! What the gate found, rule by rule.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use trainyard_train::Difference;

/// What the check of the signature is called, among metrics; it has no value.
pub(crate) const CONTRACT: &str = "contract";

/// Metric values by name.
pub type Metrics = BTreeMap<String, f64>;

/// What the gate found, rule by rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Every rule, in the order of the project file (by metric).
    pub checks: Vec<Check>,
}

/// One rule and both values.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Check {
    /// Metric the rule is about.
    pub metric: String,
    /// The rule in words: `at least 0.9`, `not worse than production's 0.95 by more than 0.02`.
    pub rule: String,
    /// Value of the candidate; none if it has no such metric (which fails).
    pub value: Option<f64>,
    /// Whether the rule holds.
    pub passed: bool,
    /// Whether nothing shows that the rule holds, nor that it does not: `passed` is then the project's choice.
    pub undecided: bool,
    /// What else is to know: the difference and its interval, what is missing, whose number it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The comparison with the version in production.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
}

impl Verdict {
    /// Whether every rule holds.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }

    /// Every rule with a mark, those that do not hold first.
    pub fn lines(&self) -> Vec<String> {
        let (held, failed): (Vec<&Check>, Vec<&Check>) =
            self.checks.iter().partition(|check| check.passed);
        failed.into_iter().chain(held).map(Check::line).collect()
    }

    /// What was decided, in a few words: `3 rules hold, 1 of them undecided`.
    pub fn summary(&self) -> String {
        let undecided = self.checks.iter().filter(|check| check.undecided).count();
        let hold = match self.checks.len() {
            0 => return "there is no rule, so nothing is refused".to_owned(),
            1 => "1 rule holds".to_owned(),
            rules => format!("{rules} rules hold"),
        };
        match undecided {
            0 => hold,
            _ => format!("{hold}, {undecided} of them undecided"),
        }
    }
}

impl Check {
    /// The rule with a mark that says whether it holds: `✕ accuracy is 0.8000, must be at least 0.9`.
    pub fn line(&self) -> String {
        let mark = match (self.passed, self.undecided) {
            (false, _) => '✕',
            (true, true) => '?',
            (true, false) => '✓',
        };
        format!("{mark} {self}")
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.value, &self.note) {
            (Some(value), _) => write!(f, "{} is {value:.4}, must be {}", self.metric, self.rule)?,
            (None, None) if self.metric == CONTRACT => {
                write!(f, "{}: {}", self.metric, self.rule)?;
            }
            (None, None) => write!(f, "{} was not logged, must be {}", self.metric, self.rule)?,
            (None, Some(_)) => write!(f, "{} has no value, must be {}", self.metric, self.rule)?,
        }
        match &self.note {
            Some(note) => write!(f, ": {note}"),
            None => Ok(()),
        }
    }
}

/// The failed rules, one sentence.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed: Vec<String> =
            self.checks.iter().filter(|check| !check.passed).map(Check::to_string).collect();
        if failed.is_empty() {
            return write!(f, "the gate passed ({} rules)", self.checks.len());
        }
        write!(f, "the gate refused the version: {}", failed.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_do_not_hold_come_first() {
        let check = |metric: &str, value: f64, passed: bool, undecided: bool| Check {
            metric: metric.to_owned(),
            rule: "at least 0.9".to_owned(),
            value: Some(value),
            passed,
            undecided,
            ..Check::default()
        };
        let verdict = Verdict {
            checks: vec![
                check("a", 0.95, true, false),
                check("b", 0.9, true, true),
                check("c", 0.1, false, false),
            ],
        };
        assert_eq!(
            verdict.lines(),
            [
                "✕ c is 0.1000, must be at least 0.9",
                "✓ a is 0.9500, must be at least 0.9",
                "? b is 0.9000, must be at least 0.9",
            ]
        );
    }
}
