//! What changed in a column, in words and numbers: the answer to the first question after the verdict.

use trainyard_drift::{
    Category, ColumnDrift, Distribution, FindingKind, Kind, NumberSummary, QUANTILES, Scale,
};

use crate::number::{percent, value};

/// Share of missing values that has to come or go before it is said here.
const MISSING_CHANGE_MIN: f64 = 0.01;

/// Change of a label's share below which no label is named.
const LABEL_CHANGE_MIN: f64 = 0.0005;

/// What changed, in a few words: `median 0.5 → 0.9`, `"red" 30 % → 12 %`, `"refund" 1 % → 20 %` for a word in texts, `missing 0 % → 20 %`, `gone`. Empty
/// where there is nothing to compare, or nothing changed that a number shows.
pub(super) fn change(column: &ColumnDrift) -> String {
    for (kind, word) in [(FindingKind::MissingColumn, "gone"), (FindingKind::NewColumn, "new")] {
        if column.findings.iter().any(|finding| finding.kind == kind) {
            return word.to_owned();
        }
    }
    let (Some(before), Some(after)) = (&column.reference, &column.current) else {
        return String::new();
    };
    let mut parts = Vec::new();
    // Of texts, a word says more than their lengths.
    let word = of_labels(&column.words);
    match (&before.numbers, &after.numbers, &column.distribution) {
        _ if word.is_some() => parts.extend(word),
        (Some(before), Some(after), _) => parts.extend(of_numbers(before, after, column)),
        (_, _, Some(Distribution::Categories { top, .. })) => parts.extend(of_labels(top)),
        _ => {}
    }
    let (missing_before, missing_after) = (before.missing_share(), after.missing_share());
    if (missing_after - missing_before).abs() >= MISSING_CHANGE_MIN {
        parts.push(format!("missing {} → {}", percent(missing_before), percent(missing_after)));
    }
    parts.join(", ")
}

/// The first of median, mean and spread that differs as it is written.
fn of_numbers(
    before: &NumberSummary,
    after: &NumberSummary,
    column: &ColumnDrift,
) -> Option<String> {
    let is_text = column.kind == Kind::Text;
    let scale = if is_text { Scale::Continuous } else { column.scale };
    let of = if is_text { " length" } else { "" };
    let median = QUANTILES.iter().position(|probability| *probability == 0.5)?;
    let mean_scale = if scale == Scale::Integer { Scale::Continuous } else { scale };
    // A deviation of dates is a time.
    let spread_scale = if scale == Scale::Instant { Scale::Interval } else { Scale::Continuous };
    let pairs = [
        ("median", *before.quantiles.get(median)?, *after.quantiles.get(median)?, scale),
        ("mean", before.mean, after.mean, mean_scale),
        ("spread", before.deviation, after.deviation, spread_scale),
    ];
    pairs.into_iter().find_map(|(name, before, after, scale)| {
        let (before, after) = (value(before, scale), value(after, scale));
        (before != after).then(|| format!("{name}{of} {before} → {after}"))
    })
}

/// The label whose share changed most.
fn of_labels(top: &[Category]) -> Option<String> {
    let change = |label: &Category| (label.current - label.reference).abs();
    // The first of those that changed alike.
    let most = top.iter().rev().max_by(|a, b| change(a).total_cmp(&change(b)))?;
    (change(most) >= LABEL_CHANGE_MIN).then(|| {
        format!("{:?} {} → {}", most.label, percent(most.reference), percent(most.current))
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, Float64Array, StringArray};
    use trainyard_drift::{Options, compare_arrays};

    use super::*;

    fn said(before: &dyn Array, after: &dyn Array) -> String {
        change(&compare_arrays("x", before, after, &Options::default()))
    }

    #[test]
    fn the_number_that_moved_is_named() {
        let numbers = |factor: f64, shift: f64| {
            Float64Array::from_iter_values((-50..=50).map(|i| f64::from(i) * factor + shift))
        };
        assert_eq!(said(&numbers(1.0, 0.0), &numbers(1.0, 7.0)), "median 0 → 7");
        assert_eq!(said(&numbers(1.0, 0.0), &numbers(2.0, 0.0)), "spread 29.15 → 58.31");
        assert_eq!(said(&numbers(1.0, 0.0), &numbers(1.0, 0.0)), "");
        let gaps: Float64Array = (-50..=50).map(|i| (i % 2 == 0).then_some(f64::from(i))).collect();
        let gaps = said(&numbers(1.0, 0.0), &gaps);
        assert!(gaps.ends_with("missing 0 % → 49.5 %"), "{gaps}");
    }

    #[test]
    fn a_word_is_named_before_lengths() {
        let texts = |word: &str| {
            StringArray::from_iter_values((0..200).map(|row| format!("{word} number {row}")))
        };
        assert_eq!(said(&texts("parcel"), &texts("letter")), "\"letter\" 0 % → 100 %");
    }

    #[test]
    fn the_label_that_moved_is_named() {
        let labels = |red: usize| {
            StringArray::from_iter_values((0..100).map(|i| if i < red { "red" } else { "blue" }))
        };
        let text = said(&labels(30), &labels(12));
        assert!(text == "\"red\" 30 % → 12 %" || text == "\"blue\" 70 % → 88 %", "{text}");
    }
}
