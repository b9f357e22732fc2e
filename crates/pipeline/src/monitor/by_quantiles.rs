//! Columns of which there are quantiles in the place of their values.

use trainyard_drift::{Column, ColumnDrift, FindingKind, Options, compare_columns};

/// Compares the reference's column with current's, where quantiles may stand for the values of either: nothing is said
/// then of whether values repeat, which those do.
pub(super) fn compared(
    name: &str,
    [reference, current]: [Option<&Column>; 2],
    are_quantiles: [bool; 2],
    options: &Options,
) -> ColumnDrift {
    if are_quantiles == [false, false] {
        return compare_columns(name, reference, current, options);
    }
    let mut options = options.clone();
    let [_, is_current] = are_quantiles;
    if is_current && let Some(rule) = options.rules.get_mut(name) {
        rule.unique = false;
    }
    let mut drift = compare_columns(name, reference, current, &options);
    if is_current {
        drift.findings.retain(|finding| finding.kind != FindingKind::LostUniqueness);
    }
    let sides = [&mut drift.reference, &mut drift.current];
    for (side, are_quantiles) in sides.into_iter().zip(are_quantiles) {
        if are_quantiles && let Some(side) = side {
            side.repeats = 1;
        }
    }
    drift
}
