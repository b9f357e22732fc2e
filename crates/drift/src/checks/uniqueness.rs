//! Values that were all different, and are not any more.

use crate::column::Column;
use crate::finding::{Finding, FindingKind, Severity};
use crate::kind::Kind;
use crate::options::Options;

/// A handful of rows is distinct by chance.
const ROWS_MIN: u64 = 100;
/// Repetitions that chance may leave among as many numbers as the reference has, when it happens to have
/// none: with more on average, it would have none in one case of 150.
const CHANCE_MAX: f64 = 5.0;

/// Finding on a column that no longer tells rows apart. Two equal texts are one too many; numbers may be
/// equal by chance, and the more so by the square of their count.
pub(super) fn lost_uniqueness(
    reference: &Column,
    current: &Column,
    kind: Kind,
    options: &Options,
) -> Option<Finding> {
    let repeated = current.len() - current.distinct();
    let was_unique = reference.len() >= ROWS_MIN && reference.distinct() == reference.len();
    if !was_unique || repeated == 0 {
        return None;
    }
    let growth = current.len() as f64 / reference.len() as f64;
    let is_lost = match kind {
        Kind::Text => true,
        Kind::Unknown => false,
        _ => !options.is_evidently() && repeated as f64 > CHANCE_MAX * growth * growth,
    };
    is_lost.then(|| {
        let message = format!(
            "every reference value is different; {repeated} of {} in current repeat one",
            current.len()
        );
        Finding::new(FindingKind::LostUniqueness, Severity::Warning, message)
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;

    use super::*;
    use crate::Compat::{Evidently, Trainyard};

    #[test]
    fn chance_is_no_finding() {
        let ids = |count: i64, repeated: i64| {
            let repeated = (0..repeated).map(|row| row * 10);
            Column::new(&[&Int64Array::from_iter_values(
                (0..count).map(|row| row * 10).chain(repeated),
            )])
        };
        let found = |current: &Column, compat| {
            let options = Options { compat, ..Options::default() };
            lost_uniqueness(&ids(1000, 0), current, Kind::Numerical, &options).is_some()
        };
        assert!(found(&ids(1000, 300), Trainyard));
        assert!(!found(&ids(1000, 300), Evidently));
        assert!(!found(&ids(1000, 3), Trainyard));
        assert!(!found(&ids(1000, 0), Trainyard));
    }
}
