//! What is said of the quality of current beyond its columns: rules on rows, age, copies of rows, and how many
//! rows came in windows of time before.

use std::cmp::Reverse;

use trainyard_data::{Error as DataError, RowRule};
use trainyard_drift::{
    ColumnDrift, Compat, DatasetDrift, Finding, FindingKind, Freshness, Kind, Options, Severity,
};

use super::source::Data;

/// Windows of time from which on their number of rows says what is usual.
const WINDOWS_MIN: usize = 3;

/// What current is held to.
#[derive(Debug, Clone, Default)]
pub(super) struct Quality {
    /// Rules that every row must keep.
    pub(super) rules: Vec<RowRule>,
    /// The share of rows that may break one without more than a note.
    pub(super) tolerance: f64,
    pub(super) freshness: Option<Freshness>,
    /// Whether rows of current may be alike without anybody being to blame: those of a prediction log.
    pub(super) may_repeat: bool,
    /// How many rows came in earlier windows as long as that of current, the last first.
    pub(super) windows: Vec<u64>,
    /// Times the usual number of a window, or one over it, that are a finding; 0 for never.
    pub(super) window_factor: f64,
}

impl Quality {
    /// Findings on the table as a whole, of which the columns were compared already.
    pub(super) fn findings(
        &self,
        [reference, current]: [&Data; 2],
        drift: &DatasetDrift,
        options: &Options,
        memory: u64,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for rule in &self.rules {
            findings.extend(self.on_rule(rule, current));
        }
        if let Some(freshness) = &self.freshness {
            findings.extend(match current.column(&freshness.column, options, memory) {
                Ok(times) => freshness.check(times.as_ref()),
                Err(error) => Some(freshness.unreadable(&error.message())),
            });
        }
        if !self.may_repeat {
            findings.extend(on_copies(reference, current, drift, options));
        }
        findings.extend(self.on_windows(current.rows()));
        findings
    }

    fn on_rule(&self, rule: &RowRule, current: &Data) -> Option<Finding> {
        let finding =
            |severity, message| Some(Finding { kind: FindingKind::Rule, severity, message });
        let text = rule.text();
        let kept = match current.check(rule) {
            None => {
                let what = if current.engine().is_some() {
                    "summed up in its engine"
                } else {
                    "a profile"
                };
                let message = format!("current is {what}: it has no rows to hold to {text:?}");
                return finding(Severity::Warning, message);
            }
            Some(Err(error)) => {
                let reason = match error {
                    DataError::Condition { reason, .. } => reason,
                    error => error.to_string(),
                };
                let message = format!("no row can be held to {text:?}: {reason}");
                return finding(Severity::Serious, message);
            }
            Some(Ok(kept)) => kept,
        };
        if kept.broken == 0 {
            return None;
        }
        let share = kept.broken as f64 / kept.rows.max(1) as f64;
        let severity = if share > self.tolerance { Severity::Serious } else { Severity::Note };
        let rows: Vec<String> = kept.examples.iter().map(|row| (row + 1).to_string()).collect();
        let further = if kept.broken > rows.len() { ", …" } else { "" };
        let message = format!(
            "{} of {} rows break {text:?}: row {}{further}",
            kept.broken,
            kept.rows,
            rows.join(", ")
        );
        finding(severity, message)
    }

    /// Finding on a window with far more or fewer rows than those before it have: than their median, which one
    /// odd window does not move.
    fn on_windows(&self, rows: u64) -> Option<Finding> {
        let mut windows = self.windows.clone();
        windows.sort_unstable();
        let usual = *windows.get(windows.len() / 2)?;
        if windows.len() < WINDOWS_MIN || self.window_factor <= 0.0 || usual == 0 {
            return None;
        }
        let times = (rows.max(usual) as f64) / (rows.min(usual) as f64);
        if times < self.window_factor {
            return None;
        }
        let message = format!(
            "{rows} rows in this window of time; {usual} are usual in the {} before it",
            windows.len()
        );
        Some(Finding { kind: FindingKind::Volume, severity: Severity::Warning, message })
    }
}

/// Finding on rows that repeat others more often than those of the reference do. Where some columns alone are
/// compared, rows that are alike in them are no copies.
fn on_copies(
    reference: &Data,
    current: &Data,
    drift: &DatasetDrift,
    options: &Options,
) -> Option<Finding> {
    let is_said = drift.findings.iter().any(|one| one.kind == FindingKind::DuplicateRows);
    if is_said || options.compat == Compat::Evidently || options.columns.is_some() {
        return None;
    }
    // Names of rows would tell copies apart; what is not compared is of no kind, too. That a column was emptied is
    // said of the column.
    let has_values =
        |column: &ColumnDrift| column.current.as_ref().is_some_and(|side| side.values > 0);
    let is_compared = |column: &&ColumnDrift| column.kind != Kind::Unknown && has_values(column);
    let columns = || drift.columns.iter().filter(is_compared);
    // Rows are at least as many different ones as there are values in any column.
    let sides = columns().filter_map(|column| column.current.as_ref());
    let different = sides.map(|side| side.distinct).max()?;
    let share = 1.0 - different as f64 / drift.current_rows.max(1) as f64;
    if share < options.duplicate_share_change {
        return None;
    }
    // Those that tell most rows apart first, as few of them may be enough.
    let distinct = |column: &&ColumnDrift| column.current.as_ref().map_or(0, |side| side.distinct);
    let mut ordered: Vec<&ColumnDrift> = columns().collect();
    ordered.sort_by_key(|column| Reverse(distinct(column)));
    let names: Vec<&str> = ordered.iter().map(|column| column.name.as_str()).collect();
    let after = current.row_counts(&names, options.duplicate_share_change)?;
    after.more_than(&reference.row_counts(&names, 0.0)?, options.duplicate_share_change)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    use trainyard_drift::compare;

    use super::*;

    fn table(pairs: impl IntoIterator<Item = (i64, i64)>) -> RecordBatch {
        let (a, b): (Vec<i64>, Vec<i64>) = pairs.into_iter().unzip();
        let column = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
        RecordBatch::try_from_iter([("a", column(a)), ("b", column(b))]).unwrap()
    }

    fn found(quality: &Quality, before: &RecordBatch, after: &RecordBatch) -> Vec<Finding> {
        let options = Options::default();
        let drift = compare(before, after, &options);
        let [reference, current] = [before, after].map(|batch| Data::from(batch.clone()));
        quality.findings([&reference, &current], &drift, &options, 1 << 20)
    }

    #[test]
    fn rules_that_rows_break_are_said() {
        let rows = table((0..100).map(|row| (row, if row % 50 == 7 { row - 1 } else { row + 1 })));
        let of = |rule: &str, tolerance: f64| {
            let rules = vec![RowRule::parse(rule).unwrap()];
            found(&Quality { rules, tolerance, ..Quality::default() }, &rows, &rows)
        };
        let broken = of("a <= b", 0.0);
        assert_eq!(broken[0].message, "2 of 100 rows break \"a <= b\": row 8, 58");
        assert_eq!(broken[0].severity, Severity::Serious);
        assert_eq!(of("a <= b", 0.02)[0].severity, Severity::Note);
        assert!(of("a <= b or b < a", 0.0).is_empty());
        let wrong = of("a <= c", 0.0).remove(0).message;
        assert!(wrong.starts_with("no row can be held to \"a <= c\": \"c\" cannot"), "{wrong}");
    }

    #[test]
    fn copies_are_said_where_the_reference_has_fewer() {
        let rows = |twice: i64| (0..1000).chain(0..twice).map(|row| (row % 40, row / 40));
        let quality = Quality::default();
        let (once, partly) = (table(rows(0)), table(rows(300)));
        let copies = found(&quality, &once, &partly);
        assert_eq!(copies.len(), 1, "{copies:?}");
        assert_eq!(copies[0].kind, FindingKind::DuplicateRows);
        assert!(found(&quality, &partly, &once).is_empty());
        assert!(found(&quality, &partly, &partly).is_empty());
        assert!(found(&Quality { may_repeat: true, ..quality }, &once, &partly).is_empty());
    }

    #[test]
    fn a_window_is_held_to_those_before_it() {
        let said = |windows: &[u64], rows: u64| {
            let windows = windows.to_vec();
            Quality { windows, window_factor: 3.0, ..Quality::default() }.on_windows(rows)
        };
        assert_eq!(said(&[100, 110, 90, 5], 40), None);
        assert!(
            said(&[100, 110, 90, 5], 30).unwrap().message.starts_with("30 rows in this window")
        );
        assert!(said(&[100, 110, 90], 400).is_some());
        assert!(said(&[100, 110, 90], 0).is_some());
        assert_eq!(said(&[100, 110], 1), None);
        assert_eq!(said(&[0, 0, 90], 1), None);
        assert_eq!(said(&[], 1), None);
    }
}
