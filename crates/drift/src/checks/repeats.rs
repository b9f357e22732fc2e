//! Data that were delivered several times.
//!
//! Rows are gone when columns are compared, but their copies show: where every row came n times, so did
//! every value of every column.

use crate::finding::{Finding, FindingKind, Severity};
use crate::repeats::divisor;
use crate::side::Side;
use crate::verdict::ColumnDrift;

/// Different rows from which on copies are no accident of small counts.
const ROWS_MIN: u64 = 10;

/// Finding on rows that all came several times, if those of the reference did not.
pub(super) fn on_repeats(
    columns: &[ColumnDrift],
    reference_rows: u64,
    current_rows: u64,
) -> Option<Finding> {
    let both = || {
        let columns = columns.iter().filter(|column| column.reference.is_some());
        columns.filter(|column| column.current.as_ref().is_some_and(has_values))
    };
    let times = |rows: u64, side: fn(&ColumnDrift) -> Option<&Side>| {
        both().filter_map(side).fold(rows, |common, side| divisor(common, side.repeats))
    };
    let now = times(current_rows, |column| column.current.as_ref());
    let before = times(reference_rows, |column| column.reference.as_ref());
    let rows = current_rows.checked_div(now)?;
    // Without a column that tells rows apart, equal counts are no equal rows.
    let tells = |column: &ColumnDrift| {
        column.current.as_ref().is_some_and(|side| 2 * side.distinct >= rows)
    };
    if now < 2 || before % now == 0 || rows < ROWS_MIN || !both().any(tells) {
        return None;
    }
    let message = format!(
        "every row of current came {now} times: {current_rows} rows, {rows} different ones"
    );
    Some(Finding::new(FindingKind::DuplicateRows, Severity::Warning, message))
}

/// A column that came without a value tells no rows apart any more, though it does in the reference.
fn has_values(side: &Side) -> bool {
    side.missing < side.rows
}

#[cfg(test)]
mod tests {
    use arrow_array::Float64Array;

    use super::*;
    use crate::{Column, Options, compare_columns};

    #[test]
    fn rows_that_all_came_forty_times_are_said() {
        let values = |copies: usize, rows: usize| {
            Column::new(&[&Float64Array::from_iter_values(
                (0..rows * copies).map(|row| (row % rows) as f64 / 7.0),
            )])
        };
        let said = |before: usize, after: usize, rows: usize| {
            let (reference, current) = (values(before, rows), values(after, rows));
            let column =
                compare_columns("x", Some(&reference), Some(&current), &Options::default());
            on_repeats(&[column], reference.rows(), current.rows())
        };
        let finding = said(1, 40, 500).unwrap();
        assert_eq!(
            finding.message,
            "every row of current came 40 times: 20000 rows, 500 different ones"
        );
        assert_eq!(said(1, 1, 500), None);
        assert_eq!(said(40, 40, 500), None);
        // Four labels, equally frequent.
        assert_eq!(said(1, 500, 4), None);
    }

    #[test]
    fn columns_that_came_empty_are_no_copies() {
        let column = |values: Vec<Option<f64>>| Column::new(&[&Float64Array::from(values)]);
        let pairs = column((0..100).map(|row| Some(f64::from(row / 2) / 7.0)).collect());
        let ids = column((0..100).map(|row| Some(f64::from(row) / 3.0)).collect());
        let said = |after: &Column| {
            let compare = |name: &str, before: &Column, after: &Column| {
                compare_columns(name, Some(before), Some(after), &Options::default())
            };
            let columns = [compare("x", &pairs, &pairs), compare("id", &ids, after)];
            on_repeats(&columns, 100, 100)
        };
        assert_eq!(said(&column(vec![None; 100])), None);
        assert!(said(&pairs).is_some());
    }
}
