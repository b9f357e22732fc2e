//! One value far from all others that many rows have: -999 where a value is missing.

use super::numbers::{distinguished, percent};
use crate::column::Column;
use crate::finding::{Finding, FindingKind, Severity};
use crate::options::Options;
use crate::values::Numbers;

/// Share of the values that makes a heap.
const SHARE_MIN: f64 = 0.01;
/// Rows that make one.
const COUNT_MIN: u64 = 5;
/// Distinct values of a column in which one can be far from all others.
const DISTINCT_MIN: usize = 10;

/// The smallest or largest value, if many rows have it and it is farther from all others than those are
/// from each other.
struct Heap {
    value: f64,
    /// The smallest and largest of the others.
    others: [f64; 2],
}

impl Heap {
    fn of(numbers: &Numbers) -> Option<Self> {
        if numbers.distinct() <= DISTINCT_MIN {
            return None;
        }
        let (low, high) = (numbers.min()?, numbers.max()?);
        let count = numbers.len() as u64;
        let (at_low, at_high) = (numbers.count_up_to(low), count - numbers.count_below(high));
        let second = numbers.at_rank(at_low as usize)?;
        let last_but_one = numbers.at_rank((count - at_high).checked_sub(1)? as usize)?;
        let is_heap =
            |heaped: u64| heaped >= COUNT_MIN && heaped as f64 >= SHARE_MIN * count as f64;
        if is_heap(at_low) && second - low > high - second {
            Some(Self { value: low, others: [second, high] })
        } else if is_heap(at_high) && high - last_but_one > last_but_one - low {
            Some(Self { value: high, others: [low, last_but_one] })
        } else {
            None
        }
    }
}

/// Finding on a value of current that stands for something else.
pub(super) fn sentinel(reference: &Column, current: &Column, options: &Options) -> Option<Finding> {
    let (before, after) = (reference.numbers()?, current.numbers()?);
    let Heap { value, others } = Heap::of(after)?;
    let share = |numbers: &Numbers| {
        let count = numbers.count_up_to(value) - numbers.count_below(value);
        count as f64 / (numbers.len() as f64).max(1.0)
    };
    let (was, is) = (share(before), share(after));
    let is_new = was == 0.0 || (is - was).abs() >= options.missing_share_change.max(SHARE_MIN);
    let [value, low, high] = distinguished([value, others[0], others[1]]);
    let message = format!(
        "{} of the current values are {value}, far from all others ({low} to {high}), and {} of the reference: does it stand for a missing value?",
        percent(is),
        percent(was)
    );
    let severity = if is_new { Severity::Warning } else { Severity::Note };
    Some(Finding::new(FindingKind::Sentinel, severity, message))
}

#[cfg(test)]
mod tests {
    use arrow_array::Float64Array;

    use super::*;

    #[test]
    fn a_heap_far_from_all_others_is_found() {
        let column = |sentinel: f64, count: usize| {
            let values = (0..1000).map(|row| f64::from(row) / 25.0);
            Column::new(&[&Float64Array::from_iter_values(
                values.chain(std::iter::repeat_n(sentinel, count)),
            )])
        };
        let clean = column(0.0, 0);
        let found = |reference: &Column, current: &Column| {
            sentinel(reference, current, &Options::default())
        };
        let finding = found(&clean, &column(-999.0, 50)).unwrap();
        assert!(
            finding.message.contains("4.8 % of the current values are -999, far"),
            "{}",
            finding.message
        );
        assert_eq!(finding.severity, Severity::Warning);
        assert!(found(&clean, &column(9999.0, 50)).is_some());
        let known = column(-999.0, 60);
        assert_eq!(found(&known, &column(-999.0, 50)).unwrap().severity, Severity::Note);
        for (value, count) in [(-999.0, 3), (50.0, 50), (-1.0, 50), (0.0, 0)] {
            assert_eq!(found(&clean, &column(value, count)), None, "{count} of {value}");
        }
    }
}
