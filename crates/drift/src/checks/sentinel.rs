//! One value far from all others that many rows have: -999 where a value is missing.

use super::numbers::{distinguished, percent};
use crate::column::Column;
use crate::finding::{Finding, FindingKind, Severity};
use crate::options::Options;
use crate::values::Numbers;
use crate::values::family::Family;
use crate::values::normal::label_of_number;

/// Share of the values that makes a heap.
const SHARE_MIN: f64 = 0.01;
/// Rows that make one.
const COUNT_MIN: u64 = 5;
/// Distinct values of a column in which one can be far from all others.
const DISTINCT_MIN: usize = 10;

/// Share of a value that is a gap at all: integers beyond 2^53 have some as floats that are none.
const GAP_MIN: f64 = 1e-9;

/// Dates that stand for none in many systems, in microseconds since 1970: 0001-01-01, 1900-01-01, 1970-01-01 and
/// 9999-12-31.
const STAND_INS: [f64; 4] = [-6.213_559_68e16, -2.208_988_8e15, 0.0, 2.534_022_144e17];

/// The smallest or largest value, if many rows have it and it is farther from all others than those are
/// from each other, or it is one of `stand_ins`.
struct Heap {
    value: f64,
    /// The smallest and largest of the others.
    others: [f64; 2],
}

impl Heap {
    fn of(numbers: &Numbers, stand_ins: &[f64]) -> Option<Self> {
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
        let is_far = |value: f64, gap: f64, width: f64| {
            gap > width.max(GAP_MIN * value.abs()) || stand_ins.contains(&value)
        };
        if is_heap(at_low) && is_far(low, second - low, high - second) {
            Some(Self { value: low, others: [second, high] })
        } else if is_heap(at_high) && is_far(high, high - last_but_one, last_but_one - low) {
            Some(Self { value: high, others: [low, last_but_one] })
        } else {
            None
        }
    }
}

/// Finding on a value of current that stands for something else.
pub(super) fn sentinel(reference: &Column, current: &Column, options: &Options) -> Option<Finding> {
    let (before, after) = (reference.numbers()?, current.numbers()?);
    let is_time = current.family() == Family::Instant;
    let stand_ins: &[f64] = if is_time { &STAND_INS } else { &[] };
    let Heap { value, others } = Heap::of(after, stand_ins)?;
    let share = |numbers: &Numbers| {
        let count = numbers.count_up_to(value) - numbers.count_below(value);
        count as f64 / (numbers.len() as f64).max(1.0)
    };
    let (was, is) = (share(before), share(after));
    let is_new = was == 0.0 || (is - was).abs() >= options.missing_share_change.max(SHARE_MIN);
    let values = [value, others[0], others[1]];
    let [value, low, high] = if is_time {
        values.map(|value| label_of_number(value, Family::Instant))
    } else {
        distinguished(values)
    };
    let message = format!(
        "{} of the current values are {value}, beyond all others ({low} to {high}), and {} of the reference: does it stand for a missing value?",
        percent(is),
        percent(was)
    );
    let severity = if is_new { Severity::Warning } else { Severity::Note };
    Some(Finding::new(FindingKind::Sentinel, severity, message))
}

#[cfg(test)]
mod tests {
    use arrow_array::{Date32Array, Float64Array, UInt64Array};

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
            finding.message.contains("4.8 % of the current values are -999, beyond"),
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

    #[test]
    fn neighbours_that_floats_do_not_tell_apart_are_no_heap() {
        let values = (0..400_u64).map(|row| u64::MAX - 3 * row);
        let column = Column::new(&[&UInt64Array::from_iter_values(values)]);
        assert_eq!(sentinel(&column, &column, &Options::default()), None);
    }

    #[test]
    fn dates_that_stand_for_none_are_found() {
        // Births of 68 years, so that 1900 is not farther from them than they are from each other.
        let column = |date: i32, count: usize| {
            let births = (0..500).map(|row| row * 50 - 10_000);
            let dates = births.chain(std::iter::repeat_n(date, count));
            Column::new(&[&Date32Array::from_iter_values(dates)])
        };
        let clean = column(0, 0);
        for (date, count, written) in [
            (2_932_896, 60, "9999-12-31"),
            (-719_162, 500, "0001-01-01"),
            (-25_567, 60, "1900-01-01"),
        ] {
            let finding = sentinel(&clean, &column(date, count), &Options::default()).unwrap();
            assert_eq!(finding.severity, Severity::Warning);
            assert!(
                finding
                    .message
                    .contains(&format!("are {written}, beyond all others (1942-08-16 to")),
                "{}",
                finding.message
            );
        }
        assert_eq!(sentinel(&clean, &column(16_000, 60), &Options::default()), None);
    }
}
