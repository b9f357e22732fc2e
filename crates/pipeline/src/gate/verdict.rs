//! What the gate found, rule by rule.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// Metric the rule is about.
    pub metric: String,
    /// The rule in words: `at least 0.9`, `not worse than production 0.95 by more than 0.02`.
    pub rule: String,
    /// Value of the candidate; none if it has no such metric (which fails).
    pub value: Option<f64>,
    /// Whether the rule holds.
    pub passed: bool,
}

impl Verdict {
    /// Whether every rule holds.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some(value) => write!(f, "{} is {value:.4}, must be {}", self.metric, self.rule),
            None if self.metric == CONTRACT => write!(f, "{}: {}", self.metric, self.rule),
            None => write!(f, "{} was not logged, must be {}", self.metric, self.rule),
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
