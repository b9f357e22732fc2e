//! What a pipeline run ends with, for people and, as JSON, for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Serialize, Serializer};
use trainyard_drift::DatasetVerdict;

use crate::behaviour::Behaviour;
use crate::{Metrics, Step, Verdict};

/// Result of `trainyard run`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub run_id: String,
    pub experiment: String,
    pub model: ModelSummary,
    /// Whether it was trained now: not where there was nothing new to learn from.
    pub is_new: bool,
    /// Metrics on the holdout.
    pub metrics: Metrics,
    pub gate: Verdict,
    /// How the answers of both versions compared before the switch.
    pub behaviour: Option<Behaviour>,
    /// Base URL of the gateway.
    pub url: String,
    /// Tracking pages, where a server shows them.
    pub tracking_url: Option<String>,
    pub requests: RequestsSummary,
    pub drift: Option<DriftSummary>,
    /// A body for `/predict` by which it can be tried, where whoever reaches it may ask. A row of the training data, so it is
    /// shown to the person at the terminal alone.
    #[serde(skip)]
    pub example: Option<String>,
    /// How long each step took, in seconds.
    pub seconds: BTreeMap<Step, f64>,
}

/// The version that now serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelSummary {
    pub name: String,
    pub version: String,
    pub alias: String,
}

/// Traffic that the run sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RequestsSummary {
    pub sent: usize,
}

/// What monitoring found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriftSummary {
    /// The verdict in a word: `stable`, `warning`, `drift` or `broken`.
    #[serde(serialize_with = "word")]
    pub verdict: DatasetVerdict,
    /// Whether the share of drifted columns reached the limit.
    pub drifted: bool,
    pub drifted_columns: usize,
    /// Columns that were tested.
    pub columns: usize,
    /// Columns that could not be tested though both sides should have them.
    pub untested_columns: usize,
    pub serious_findings: usize,
    /// Rows of production data compared.
    pub rows: usize,
    /// The page.
    pub report: String,
    /// Run that the result was logged to.
    pub run_id: Option<String>,
}

impl DriftSummary {
    /// Whether somebody is to be told: the data have drifted, or nobody can tell whether they have.
    pub fn is_alarming(&self) -> bool {
        self.verdict >= DatasetVerdict::Drift
    }

    /// What was found, in a line: the verdict, and what led to it.
    pub fn sentence(&self) -> String {
        let Self { drifted_columns: drifted, columns, rows, .. } = self;
        // Nothing tested is broken, unless there is too little of it.
        let what = if self.columns == 0 && !self.is_alarming() {
            format!("too few values to judge in {rows} requests")
        } else {
            format!("{drifted} of {columns} columns drifted in {rows} requests")
        };
        let mut text = format!("{}: {what}", self.verdict.name());
        for (count, what) in [
            (self.untested_columns, "columns could not be tested"),
            (self.serious_findings, "serious findings"),
        ] {
            if count > 0 {
                // Writing to a String cannot fail.
                let _infallible = write!(text, ", {count} {what}");
            }
        }
        text
    }
}

/// A verdict by its name.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn word<S: Serializer>(verdict: &DatasetVerdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(verdict.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_broken_is_said_and_alarming_without_any_drift() {
        let mut drift = DriftSummary {
            verdict: DatasetVerdict::Broken,
            drifted: false,
            drifted_columns: 0,
            columns: 1,
            untested_columns: 3,
            serious_findings: 3,
            rows: 20,
            report: "reports/drift.html".to_owned(),
            run_id: None,
        };
        assert!(drift.is_alarming());
        assert_eq!(
            drift.sentence(),
            "broken: 0 of 1 columns drifted in 20 requests, 3 columns could not be tested, \
             3 serious findings"
        );
        let json = serde_json::to_value(&drift).unwrap();
        assert_eq!(json["verdict"], "broken");
        drift.verdict = DatasetVerdict::Warning;
        assert!(!drift.is_alarming());
        (drift.columns, drift.untested_columns, drift.serious_findings) = (0, 0, 0);
        assert_eq!(drift.sentence(), "warning: too few values to judge in 20 requests");
    }
}
