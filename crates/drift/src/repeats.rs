//! How often every value of a column came at least: what divides all of their counts.

use crate::column::Column;
use crate::values::Values;

/// The largest number that divides how often each value of a column occurs, missing ones among them; 0 for
/// a column without values.
pub(crate) fn repeats(column: &Column) -> u64 {
    // With fewer than two of each on average, one at least is alone.
    if column.len() < 2 * column.distinct() {
        return 1;
    }
    let infinities = divisor(column.negative_infinities, column.positive_infinities);
    let mut common = divisor(column.missing(), infinities);
    let mut add = |count: u64| {
        if common != 1 {
            common = divisor(common, count);
        }
    };
    match column.values() {
        Values::Numbers(numbers) => numbers.for_each_run(|_, count| add(count)),
        Values::Strings(strings) => strings.iter().for_each(|(_, count)| add(count)),
        // Nobody knows which of them are equal.
        Values::Other => return 0,
    }
    common
}

/// The greatest common divisor; that of 0 and a number is the number.
pub(crate) fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;

    use super::*;

    #[test]
    fn what_divides_all_counts() {
        let of = |values: Vec<Option<i64>>| repeats(&Column::new(&[&Int64Array::from(values)]));
        assert_eq!(of(vec![Some(1), Some(1), None, None, Some(2), Some(2)]), 2);
        assert_eq!(of(vec![Some(1), Some(1), None, None, None]), 1);
        assert_eq!(of(vec![Some(1), Some(2), Some(3)]), 1);
        assert_eq!(of(vec![]), 0);
    }
}
