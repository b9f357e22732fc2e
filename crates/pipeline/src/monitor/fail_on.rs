//! What ends a comparison with a failure: the verdicts that the user does not accept, and why one was met.

use clap::ValueEnum;
use serde::Deserialize;
use trainyard_drift::{ColumnDrift, DatasetDrift, DatasetVerdict, Status};

/// A verdict that is not accepted. Each includes `broken`: where nobody can tell, nothing is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum FailOn {
    /// The data have drifted, or the verdict is broken
    Drift,
    /// Any verdict but stable
    Warning,
    /// A serious finding, or the verdict is broken
    Serious,
    /// Nothing could be tested, or columns are gone, empty or unreadable
    Broken,
}

impl FailOn {
    /// Whether this verdict, with so many serious findings, is one that is not accepted.
    pub fn holds(self, verdict: DatasetVerdict, serious_findings: usize) -> bool {
        match self {
            Self::Drift => verdict >= DatasetVerdict::Drift,
            Self::Warning => verdict >= DatasetVerdict::Warning,
            Self::Serious => serious_findings > 0 || verdict == DatasetVerdict::Broken,
            Self::Broken => verdict == DatasetVerdict::Broken,
        }
    }
}

/// The verdict with what led to it, in a sentence.
pub(super) fn reason(drift: &DatasetDrift) -> String {
    let verdict = drift.verdict();
    let unknown: Vec<&ColumnDrift> = drift.unknown().collect();
    let why = if drift.is_too_small() && unknown.is_empty() {
        "no column was judged, as there are too few values".to_owned()
    } else if drift.tested == 0 {
        "no column could be compared, so nobody knows whether it drifted".to_owned()
    } else if let Some(unknown) = not_compared(&unknown) {
        unknown
    } else {
        let serious = drift.serious_findings();
        format!(
            "{} of {} columns drifted, with {serious} serious findings",
            drift.drifted, drift.tested
        )
    };
    format!("the verdict is {}: {why}", verdict.name())
}

/// Says of columns that could not be compared how many there are and what is wrong with the first.
pub(super) fn not_compared(columns: &[&ColumnDrift]) -> Option<String> {
    let first = columns.first()?;
    let reason = match &first.status {
        Status::Failed(reason) | Status::Skipped(reason) => reason.as_str(),
        Status::Tested(_) => "it was tested",
    };
    let others = match columns.len() - 1 {
        0 => String::new(),
        others => format!(", and {others} more"),
    };
    Some(format!(
        "the column {:?}{others} could not be compared, so nobody knows whether it drifted: {reason}",
        first.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_includes_broken_and_none_stable() {
        for choice in FailOn::value_variants() {
            assert!(choice.holds(DatasetVerdict::Broken, 0), "{choice:?}");
            assert!(!choice.holds(DatasetVerdict::Stable, 0), "{choice:?}");
        }
        assert!(FailOn::Drift.holds(DatasetVerdict::Drift, 0));
        assert!(!FailOn::Drift.holds(DatasetVerdict::Warning, 3));
        assert!(FailOn::Warning.holds(DatasetVerdict::Warning, 0));
        assert!(FailOn::Serious.holds(DatasetVerdict::Warning, 1));
        assert!(!FailOn::Serious.holds(DatasetVerdict::Drift, 0));
        assert!(!FailOn::Broken.holds(DatasetVerdict::Drift, 1));
    }
}
