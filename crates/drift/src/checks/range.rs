//! Values beyond the range of the reference.

use super::numbers::{distinguished, percent};
use super::unseen::severity;
use crate::column::Column;
use crate::finding::{Finding, FindingKind};
use crate::values::Numbers;
use crate::values::family::Family;
use crate::values::normal::label_of_number;

/// Values beyond both ends of a range compete with two, those at the ends; see [`super::unseen`].
const BESIDE_TWO_ENDS: u64 = 1;
const BESIDE_ONE_END: u64 = 0;

/// Finding on numbers that are smaller or larger than all of the reference.
pub(super) fn out_of_range(reference: &Column, current: &Column) -> Option<Finding> {
    let (before, after) = (reference.numbers()?, current.numbers()?);
    let [below, above] = after.outside(before)?;
    let count = below + above;
    if count == 0 {
        return None;
    }
    let [low, high, smallest, largest] = ends(before, after)?;
    let message = format!(
        "{} of the current values lie outside the reference's range {low} to {high} ({below} below, {above} above; current {smallest} to {largest})",
        percent(count as f64 / current.len() as f64)
    );
    let severity = severity(count, BESIDE_TWO_ENDS, [current.len(), reference.len()]);
    Some(Finding::new(FindingKind::OutOfRange, severity, message))
}

/// Finding on times before all of the reference. Later ones are what time brings.
pub(super) fn earlier(reference: &Column, current: &Column) -> Option<Finding> {
    let (before, after) = (reference.numbers()?, current.numbers()?);
    let [below, _] = after.outside(before)?;
    if below == 0 {
        return None;
    }
    let time = |micros: Option<f64>| Some(label_of_number(micros?, Family::Instant));
    let message = format!(
        "{} of the current times are earlier than all of the reference ({} to {}); the first is {}",
        percent(below as f64 / current.len() as f64),
        time(before.min())?,
        time(before.max())?,
        time(after.min())?
    );
    let severity = severity(below, BESIDE_ONE_END, [current.len(), reference.len()]);
    Some(Finding::new(FindingKind::OutOfRange, severity, message))
}

/// The smallest and the largest of both sides, written so that those that differ look different.
fn ends(before: &Numbers, after: &Numbers) -> Option<[String; 4]> {
    if let (Some([low, high]), Some([smallest, largest])) =
        (before.whole_ends(), after.whole_ends())
    {
        return Some([low, high, smallest, largest]);
    }
    Some(distinguished([before.min()?, before.max()?, after.min()?, after.max()?]))
}

#[cfg(test)]
mod tests {
    use arrow_array::{Date32Array, Float64Array, Int64Array};

    use super::*;
    use crate::finding::Severity;

    #[test]
    fn messages_do_not_contradict_themselves() {
        let column = |values: Vec<f64>| Column::new(&[&Float64Array::from(values)]);
        let reference = column(vec![0.1, 0.2, 0.3, 0.4]);
        let current = column(vec![0.1 - 1e-9, 0.2, 0.3, 0.4]);
        let message = out_of_range(&reference, &current).unwrap().message;
        assert!(message.contains("range 0.1 to 0.4 (1 below, 0 above"), "{message}");
        assert!(message.contains("current 0.099999999 to 0.4)"), "{message}");
        let ids = |from: i64| Column::new(&[&Int64Array::from_iter_values(from..from + 50)]);
        let message = out_of_range(&ids(4_000_000_000), &ids(4_000_000_010)).unwrap().message;
        assert!(message.contains("4000000000 to 4000000049"), "{message}");
        assert!(message.contains("4000000010 to 4000000059"), "{message}");
    }

    #[test]
    fn large_ids_are_compared_whole() {
        let ids = |from: i64, count: i64| {
            Column::new(&[&Int64Array::from_iter_values(from..from + count)])
        };
        let (first, digits) = (9_007_199_254_740_993, "9007199254740993 to 9007199254741092");
        assert_eq!(out_of_range(&ids(first, 100), &ids(first, 100)), None);
        let finding = out_of_range(&ids(first, 100), &ids(first - 1, 100)).unwrap();
        assert!(finding.message.contains(digits), "{}", finding.message);
        assert!(finding.message.contains("(1 below, 0 above"), "{}", finding.message);
    }

    #[test]
    fn halves_of_one_sample_reach_beyond_each_other() {
        let column = |values: std::ops::Range<i32>| {
            Column::new(&[&Float64Array::from_iter_values(values.map(|it| f64::from(it) / 7.0))])
        };
        let severity = |to: i32| out_of_range(&column(0..50), &column(0..to)).unwrap().severity;
        assert_eq!((severity(53), severity(80)), (Severity::Note, Severity::Warning));
    }

    #[test]
    fn only_earlier_times_are_said() {
        let days =
            |days: std::ops::Range<i32>| Column::new(&[&Date32Array::from_iter_values(days)]);
        let finding = earlier(&days(20_454..20_554), &days(20_434..20_534)).unwrap();
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(
            finding.message,
            "20.0 % of the current times are earlier than all of the reference (2026-01-01 to 2026-04-10); the first is 2025-12-12"
        );
        assert_eq!(earlier(&days(20_454..20_554), &days(20_500..20_700)), None);
    }
}
