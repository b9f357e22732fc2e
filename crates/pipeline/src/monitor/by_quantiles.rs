//! Columns of which there are quantiles in the place of their values.

use trainyard_drift::{
    Column, ColumnDrift, Finding, FindingKind, Options, Severity, compare_columns,
};

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
    let rule = options.rules.get_mut(name).filter(|_| is_current);
    let is_to_be_unique = rule.is_some_and(|rule| std::mem::take(&mut rule.unique));
    let mut drift = compare_columns(name, reference, current, &options);
    if is_current {
        drift.findings.retain(|finding| finding.kind != FindingKind::LostUniqueness);
    }
    if is_to_be_unique {
        let message =
            "current has quantiles in the place of its values: nobody knows whether these are unique"
                .to_owned();
        let (kind, severity) = (FindingKind::Rule, Severity::Warning);
        drift.findings.push(Finding { kind, severity, message });
    }
    let sides = [&mut drift.reference, &mut drift.current];
    for (side, are_quantiles) in sides.into_iter().zip(are_quantiles) {
        if are_quantiles && let Some(side) = side {
            side.repeats = 1;
        }
    }
    drift
}

#[cfg(test)]
mod tests {
    use arrow_array::Float64Array;
    use trainyard_drift::ColumnRule;

    use super::*;

    #[test]
    fn that_values_are_unique_is_not_taken_for_granted() {
        let values = Float64Array::from_iter_values((0..100).map(f64::from));
        let column = Column::counted(&values, &[2; 100], 0);
        let rule = ColumnRule { unique: true, ..ColumnRule::default() };
        let options = Options {
            rules: [("id".to_owned(), rule)].into_iter().collect(),
            ..Options::default()
        };
        let said = |are_quantiles| {
            let drift = compared("id", [Some(&column), Some(&column)], are_quantiles, &options);
            let rules = drift.findings.into_iter().filter(|found| found.kind == FindingKind::Rule);
            rules.map(|found| (found.severity, found.message)).collect::<Vec<_>>()
        };
        let found = said([false, true]);
        assert_eq!((found.len(), found[0].0), (1, Severity::Warning));
        assert!(found[0].1.contains("nobody knows"), "{found:?}");
        assert!(said([false, false])[0].1.contains("repeat"));
    }
}
