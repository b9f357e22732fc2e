//! Findings put together: one fact is said once, with the columns that it is about.

use std::cmp::Reverse;
use std::collections::HashMap;

use trainyard_drift::{ColumnDrift, DatasetDrift, Finding, FindingKind, Severity};

/// Columns that a group names; the rest is counted.
const NAMED_MAX: usize = 5;

/// A fact, and the columns that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group<'a> {
    pub(super) severity: Severity,
    /// None where it is about the dataset.
    pub(super) columns: Vec<&'a str>,
    pub(super) message: String,
}

impl Group<'_> {
    /// The columns in words: `a`, `a, b and 6 more`; empty for the dataset.
    pub(super) fn names(&self) -> String {
        let named = self.columns.get(..NAMED_MAX.min(self.columns.len())).unwrap_or_default();
        match self.columns.len() - named.len() {
            0 => named.join(", "),
            more => format!("{} and {more} more", named.join(", ")),
        }
    }
}

/// Findings of at least [`Severity::Warning`], the most serious first, then by how much their columns need
/// attention. What is said of several columns in the same words is one group.
pub(super) fn grouped(drift: &DatasetDrift) -> Vec<Group<'_>> {
    let mut all = groups(drift, |_| true);
    all.retain(|group| group.severity >= Severity::Warning);
    all.sort_by_key(|group| Reverse(group.severity));
    all
}

/// What was made of files and text where nothing is wrong with it, in groups.
pub(super) fn guesses(drift: &DatasetDrift) -> Vec<Group<'_>> {
    groups(drift, |finding| {
        finding.severity == Severity::Note
            && matches!(finding.kind, FindingKind::ReadAs | FindingKind::Unread)
    })
}

fn groups(drift: &DatasetDrift, keep: fn(&Finding) -> bool) -> Vec<Group<'_>> {
    let of_dataset = drift.findings.iter().filter(|finding| keep(finding)).map(|finding| Group {
        severity: finding.severity,
        columns: Vec::new(),
        message: finding.message.clone(),
    });
    let mut groups: Vec<Group<'_>> = Vec::new();
    // Where a group of columns is, by what it says: a thousand columns may say the same.
    let mut places: HashMap<(&str, String), usize> = HashMap::new();
    for column in drift.by_severity() {
        for (severity, message) in facts(column, keep) {
            let place = places.entry((severity.name(), message.clone())).or_insert(groups.len());
            match groups.get_mut(*place) {
                Some(group) => group.columns.push(&column.name),
                None => {
                    groups.push(Group { severity, columns: vec![column.name.as_str()], message });
                }
            }
        }
    }
    of_dataset.chain(groups).collect()
}

/// What is said of a column. New and vanished labels are one fact: a renamed label is both.
fn facts(column: &ColumnDrift, keep: fn(&Finding) -> bool) -> Vec<(Severity, String)> {
    let mut facts: Vec<(Severity, String)> = Vec::new();
    let mut labels = None;
    for finding in column.findings.iter().filter(|finding| keep(finding)) {
        let is_labels =
            matches!(finding.kind, FindingKind::NewCategories | FindingKind::VanishedCategories);
        let before = labels.filter(|_| is_labels).and_then(|place: usize| facts.get_mut(place));
        if let Some((severity, message)) = before {
            *severity = finding.severity.max(*severity);
            message.push_str("; ");
            message.push_str(&finding.message);
            continue;
        }
        if is_labels {
            labels = Some(facts.len());
        }
        facts.push((finding.severity, finding.message.clone()));
    }
    facts
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
    use trainyard_drift::{Options, compare};

    use super::*;

    #[test]
    fn one_fact_is_said_once() {
        let numbers = || Arc::new(Float64Array::from_iter_values((0..100).map(f64::from)));
        let town = |name: &str| {
            let names = (0..100).map(|i| if i % 2 == 0 { name } else { "both" });
            Arc::new(StringArray::from_iter_values(names)) as ArrayRef
        };
        let mut before: Vec<(String, ArrayRef)> =
            (0..8).map(|i| (format!("x{i}"), numbers() as ArrayRef)).collect();
        before.insert(0, ("town".to_owned(), town("old")));
        let reference = RecordBatch::try_from_iter(before).unwrap();
        let current = RecordBatch::try_from_iter([("town", town("new"))]).unwrap();
        let drift = compare(&reference, &current, &Options::default());
        let groups = grouped(&drift);
        assert_eq!(groups.len(), 2, "{groups:?}");
        let (gone, labels) = (&groups[0], &groups[1]);
        assert_eq!((gone.severity, gone.columns.len()), (Severity::Serious, 8));
        assert_eq!(gone.names(), "x0, x1, x2, x3, x4 and 3 more");
        assert_eq!(labels.columns, ["town"]);
        assert!(labels.message.contains("\"new\"; ") && labels.message.contains("\"old\""));
    }

    #[test]
    fn guesses_are_notes_on_reading() {
        let numbers: ArrayRef = Arc::new(Float64Array::from_iter_values((0..100).map(f64::from)));
        let table = RecordBatch::try_from_iter([("x", numbers)]).unwrap();
        let mut drift = compare(&table, &table, &Options::default());
        let finding =
            |kind, severity, message: &str| Finding { kind, severity, message: message.to_owned() };
        drift.findings.push(finding(FindingKind::ReadAs, Severity::Note, "separated by ';'"));
        drift.columns[0].findings.extend([
            finding(FindingKind::ReadAs, Severity::Note, "numbers, $ left off"),
            finding(FindingKind::ReadAs, Severity::Warning, "written with $"),
            finding(FindingKind::OutOfRange, Severity::Note, "beyond"),
        ]);
        let said: Vec<String> = guesses(&drift)
            .iter()
            .map(|group| format!("{}: {}", group.names(), group.message))
            .collect();
        assert_eq!(said, [": separated by ';'", "x: numbers, $ left off"]);
        assert_eq!(grouped(&drift).len(), 1);
    }
}
