//! Values beyond the range of the reference.

use super::numbers::{distinguished, percent};
use crate::column::Column;
use crate::finding::{Finding, FindingKind, Severity};

/// Finding on numbers that are smaller or larger than all of the reference.
pub(super) fn out_of_range(reference: &Column, current: &Column) -> Option<Finding> {
    let (before, after) = (reference.numbers()?, current.numbers()?);
    let (low, high) = (before.min()?, before.max()?);
    let below = after.count_below(low);
    let above = after.len() as u64 - after.count_up_to(high);
    if below + above == 0 {
        return None;
    }
    let share = (below + above) as f64 / after.len() as f64;
    let (smallest, largest) = (after.min()?, after.max()?);
    let [low, high, smallest, largest] = distinguished([low, high, smallest, largest]);
    let message = format!(
        "{} of the current values lie outside the reference's range {low} to {high} ({below} below, {above} above; current {smallest} to {largest})",
        percent(share)
    );
    Some(Finding::new(FindingKind::OutOfRange, Severity::of_share(share), message))
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, Int64Array};

    use super::*;

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
}
