//! What ends a comparison with a failure: the verdicts that the user does not accept, and why one was met.

use clap::ValueEnum;
use serde::Deserialize;
use trainyard_drift::{ColumnDrift, DatasetDrift, DatasetVerdict, Severity, Status};

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
    } else if drift.is_untested() {
        "no column could be compared, so nobody knows whether it drifted".to_owned()
    } else if let Some(unknown) = not_compared(&unknown) {
        unknown
    } else {
        let serious = drift.serious_findings();
        let counts = format!(
            "{} of {} columns drifted, with {serious} serious findings",
            drift.drifted, drift.tested
        );
        let parts: Vec<String> = std::iter::once(counts).chain(decisive(drift)).collect();
        parts.join("; ")
    };
    format!("the verdict is {}: {why}", verdict.name())
}

/// What decided, by name: the worst of the findings, and of drift the column or the segment.
fn decisive(drift: &DatasetDrift) -> Vec<String> {
    let finding = |severity: Severity| {
        let (column, finding) =
            drift.all_findings().find(|(_, finding)| finding.severity == severity)?;
        let place = column.map(|name| format!("the column {name:?}: ")).unwrap_or_default();
        Some(format!("{place}{}", finding.message))
    };
    let column = || {
        let has_drifted = |column: &&ColumnDrift| {
            column.counted && column.verdict().is_some_and(|verdict| verdict.drifted)
        };
        let worst = drift.by_severity().into_iter().find(has_drifted)?;
        Some(format!("most of all the column {:?}", worst.name))
    };
    let segment = || {
        let worst = drift.segments.iter().max_by_key(|segment| segment.drift.verdict())?;
        let verdict = worst.drift.verdict();
        let column =
            worst.worst().map(|column| format!(", most of all the column {:?}", column.name));
        (verdict != DatasetVerdict::Stable).then(|| {
            let column = column.unwrap_or_default();
            format!("the segment {} is {}{column}", worst.name, verdict.name())
        })
    };
    let serious = finding(Severity::Serious);
    let drifted = if drift.drifted > 0 && (drift.dataset_drift || drift.segments.is_empty()) {
        column()
    } else {
        segment().or_else(column)
    };
    if serious.is_none() && drifted.is_none() {
        return finding(Severity::Warning).into_iter().collect();
    }
    serious.into_iter().chain(drifted).collect()
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
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch};
    use trainyard_drift::{Options, SegmentDrift, compare};

    use super::*;

    #[test]
    fn what_decided_is_named() {
        let table = |from: i32| {
            let values = Float64Array::from_iter_values((from..from + 200).map(f64::from));
            RecordBatch::try_from_iter([("fee", Arc::new(values) as ArrayRef)]).unwrap()
        };
        let drifted = compare(&table(0), &table(500), &Options::default());
        let said = reason(&drifted);
        assert!(said.contains("1 of 1 columns drifted"), "{said}");
        assert!(said.contains("most of all the column \"fee\""), "{said}");
        let segment = SegmentDrift { name: "region = b".to_owned(), drift: drifted };
        let whole = compare(&table(0), &table(0), &Options::default());
        let said = reason(&whole.with_segments(vec![segment]));
        assert!(said.contains("the segment region = b is drift"), "{said}");
    }

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
