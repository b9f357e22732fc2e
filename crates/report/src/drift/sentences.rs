//! The sentences that all outputs share.

use std::fmt::Write as _;

use trainyard_drift::{
    ColumnDrift, Correction, DatasetDrift, DatasetVerdict, Role, ScoreKind, SegmentDrift, Verdict,
};

use super::change::change;
use crate::number::{count, percent, short};

/// The verdict in a few words, of which the first is its name.
pub(super) fn headline(drift: &DatasetDrift) -> &'static str {
    match drift.verdict() {
        DatasetVerdict::Stable if drift.is_untested() => {
            "Stable: no column has a value on either side"
        }
        DatasetVerdict::Stable if drift.tested == 0 => "Stable: only times could be compared",
        DatasetVerdict::Stable => "Stable: no drift",
        DatasetVerdict::Warning if drift.drifted > 0 => "Warning: some columns have drifted",
        DatasetVerdict::Warning if drift.is_too_small() => "Warning: too few values to judge",
        DatasetVerdict::Warning if drift.is_untested() => "Warning: nothing could be compared",
        DatasetVerdict::Warning if gone(drift) > 0 => "Warning: no drift, but segments are gone",
        DatasetVerdict::Warning => "Warning: no drift, but there are findings",
        DatasetVerdict::Drift if !drift.dataset_drift && gone(drift) > 0 => {
            "Drift: segments have drifted, others are gone"
        }
        DatasetVerdict::Drift if !drift.dataset_drift => "Drift: segments have drifted",
        DatasetVerdict::Drift => "Drift: the data have drifted",
        DatasetVerdict::Broken if drift.is_too_small() => {
            "Broken: too few values to judge, and not all could be compared"
        }
        DatasetVerdict::Broken if drift.tested == 0 => "Broken: nothing could be tested",
        DatasetVerdict::Broken if drift.untestable() == 0 => "Broken: a serious finding",
        DatasetVerdict::Broken if drift.dataset_drift => {
            "Broken: the data have drifted, and not all could be compared"
        }
        DatasetVerdict::Broken if drift.drifted > 0 => {
            "Broken: some columns have drifted, others could not be compared"
        }
        DatasetVerdict::Broken => "Broken: no drift in what could be compared",
    }
}

/// Columns that a sentence names.
const NAMED_MAX: usize = 5;

/// What a role is to the model, and the verdict on its columns.
fn of_role((role, verdict): (Role, DatasetVerdict)) -> String {
    let who = match role {
        Role::Feature => "features",
        Role::Prediction => "the prediction",
        Role::Target => "the target",
    };
    format!("{who} {}", verdict.name())
}

/// The verdict with its numbers.
pub(super) fn summary(drift: &DatasetDrift) -> String {
    if drift.is_too_small() {
        return "No column of the two datasets has enough values on both sides to be judged."
            .to_owned();
    }
    if drift.is_untested() && drift.verdict() == DatasetVerdict::Stable {
        return "No column of the two datasets has a value: there is nothing to compare."
            .to_owned();
    }
    if drift.is_untested() {
        return "No column of the two datasets could be compared.".to_owned();
    }
    if drift.tested == 0 {
        return "Only times could be compared, which go on and are not counted.".to_owned();
    }
    let mut text = format!(
        "{} of {} tested columns drifted ({}). The dataset counts as drifted from {} on.",
        drift.drifted,
        drift.tested,
        percent(drift.share),
        percent(drift.drift_share)
    );
    if let Some(worst) = worst(drift) {
        let change = change(worst);
        let change = if change.is_empty() { change } else { format!(" ({change})") };
        let _infallible = write!(text, " Most of all: {}{change}.", worst.name);
    }
    let roles: Vec<String> = drift.by_role().into_iter().map(of_role).collect();
    if !roles.is_empty() {
        let _infallible = write!(text, " By themselves: {}.", roles.join(", "));
    }
    let unknown: Vec<&str> = drift.unknown().map(|column| column.name.as_str()).collect();
    if !unknown.is_empty() {
        let _infallible =
            write!(text, " {} could not be compared ({}).", unknown.len(), named(&unknown));
    }
    let times: Vec<&str> = drift
        .columns
        .iter()
        .filter(|column| !column.counted && column.verdict().is_some_and(|verdict| verdict.drifted))
        .map(|column| column.name.as_str())
        .collect();
    if !times.is_empty() {
        let _infallible = write!(text, " Times go on, and are not counted ({}).", named(&times));
    }
    match drift.correction {
        Correction::None => {}
        Correction::BenjaminiHochberg => {
            text.push_str(" p-values are adjusted for the number of columns (Benjamini–Hochberg).");
        }
        Correction::Bonferroni => {
            text.push_str(" p-values are adjusted for the number of columns (Bonferroni).");
        }
    }
    let drifted = drift
        .segments
        .iter()
        .filter(|segment| segment.drift.verdict() == DatasetVerdict::Drift)
        .count();
    if !drift.segments.is_empty() {
        let _infallible = write!(text, " {drifted} of {} segments drifted", drift.segments.len());
        let _infallible = match gone(drift) {
            0 => write!(text, "."),
            1 => write!(text, ", 1 is gone."),
            gone => write!(text, ", {gone} are gone."),
        };
    }
    text
}

/// The column that drifted most.
fn worst(drift: &DatasetDrift) -> Option<&ColumnDrift> {
    let drifted = |column: &&ColumnDrift| {
        column.counted && column.verdict().is_some_and(|verdict| verdict.drifted)
    };
    drift.by_severity().into_iter().find(drifted)
}

/// How many segments the reference has and current has not.
fn gone(drift: &DatasetDrift) -> usize {
    drift.segments.iter().filter(|segment| is_gone(segment)).count()
}

fn is_gone(segment: &SegmentDrift) -> bool {
    segment.drift.current_rows == 0 && segment.drift.reference_rows > 0
}

/// The first of these names.
fn named(names: &[&str]) -> String {
    let more = if names.len() > NAMED_MAX { ", …" } else { "" };
    let shown = names.get(..NAMED_MAX.min(names.len())).unwrap_or_default();
    format!("{}{more}", shown.join(", "))
}

/// What there is to say of a segment: rows, columns that drifted, and what changed most.
pub(super) fn segment_words(segment: &SegmentDrift) -> String {
    let drift = &segment.drift;
    if is_gone(segment) {
        let rows = count(drift.reference_rows);
        return format!("gone: current has no rows, the reference has {rows}");
    }
    let mut text = format!(
        "{} of {} columns drifted in {} rows against {}",
        drift.drifted,
        drift.tested,
        count(drift.current_rows),
        count(drift.reference_rows)
    );
    if let Some(worst) = segment.worst() {
        let change = change(worst);
        let change = if change.is_empty() { change } else { format!(" {change}") };
        let _infallible = write!(text, "; most: {}{change}", worst.name);
    }
    text
}

/// P-values below this are not told apart: no test is that exact, and zero is not a probability that
/// anything has.
const P_VALUE_MIN: f64 = 1e-300;

/// The score as people read it, with the adjusted one that decides when there is one.
pub(super) fn score(verdict: &Verdict) -> String {
    let p_value = |value: f64| {
        if value < P_VALUE_MIN { "< 1e-300".to_owned() } else { short(value) }
    };
    match (verdict.score_kind, verdict.adjusted_score) {
        (ScoreKind::PValue, Some(adjusted)) => {
            format!("p {} (adjusted {})", p_value(verdict.score), p_value(adjusted))
        }
        (ScoreKind::PValue, None) => format!("p {}", p_value(verdict.score)),
        (ScoreKind::Distance, Some(adjusted)) => {
            format!("{} (adjusted {})", short(verdict.score), short(adjusted))
        }
        (ScoreKind::Distance, None) => short(verdict.score),
    }
}

/// The comparison that decided, as a formula: `p 0.012 ≤ 0.05`; where the p-value is only known to be tiny, with
/// the threshold beside it, as two signs in a row read as a riddle.
pub(super) fn decision(verdict: &Verdict) -> String {
    let (decisive, threshold) = (verdict.decisive_score(), verdict.threshold);
    if decisive.is_nan() {
        return "the score is not a number, which never counts as drift".to_owned();
    }
    if verdict.score_kind == ScoreKind::PValue && decisive < P_VALUE_MIN {
        return format!("{} (threshold {})", score(verdict), short(threshold));
    }
    let inclusive = verdict.method.is_drift(threshold, threshold);
    let sign = match (verdict.score_kind, inclusive, verdict.drifted) {
        (ScoreKind::PValue, true, true) | (ScoreKind::Distance, false, false) => "≤",
        (ScoreKind::PValue, false, true) | (ScoreKind::Distance, true, false) => "<",
        (ScoreKind::PValue, true, false) | (ScoreKind::Distance, false, true) => ">",
        (ScoreKind::PValue, false, false) | (ScoreKind::Distance, true, true) => "≥",
    };
    format!("{} {sign} {}", score(verdict), short(threshold))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{ArrayRef, Date32Array, Float64Array, ListArray, RecordBatch};
    use trainyard_drift::{Method, Options, compare, compare_arrays};

    use super::*;

    #[test]
    fn tables_of_which_nothing_counts_are_no_defect() {
        let dates: ArrayRef = Arc::new(Date32Array::from_iter_values(0..100));
        let none: ArrayRef = Arc::new(Float64Array::from(vec![None; 100]));
        let numbers: ArrayRef = Arc::new(Float64Array::from_iter_values((0..100).map(f64::from)));
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(
            (0..100).map(|row| Some(vec![Some(row)])),
        ));
        let said = |before: &ArrayRef, after: &ArrayRef| {
            let table = |column: &ArrayRef| {
                RecordBatch::try_from_iter([("x", Arc::clone(column))]).unwrap()
            };
            let drift = compare(&table(before), &table(after), &Options::default());
            (headline(&drift), summary(&drift))
        };
        let (times, only) = said(&dates, &dates);
        assert_eq!(times, "Stable: only times could be compared");
        assert!(only.starts_with("Only times could be compared"), "{only}");
        assert_eq!(said(&none, &none).0, "Stable: no column has a value on either side");
        assert!(said(&none, &none).1.ends_with("there is nothing to compare."));
        assert_eq!(said(&lists, &lists).0, "Warning: nothing could be compared");
        assert_eq!(said(&none, &dates).0, "Warning: nothing could be compared");
        // What the reference has is gone.
        for current in [&none, &lists] {
            assert_eq!(said(&numbers, current).0, "Broken: nothing could be tested");
        }
    }

    #[test]
    fn decisions_use_the_sign_that_decided() {
        let before = Float64Array::from_iter_values((0..50).map(f64::from));
        let after = Float64Array::from_iter_values((30..80).map(f64::from));
        let decide = |method: Method, threshold: f64| {
            let options =
                Options { method: Some(method), threshold: Some(threshold), ..Options::default() };
            decision(compare_arrays("x", &before, &after, &options).verdict().unwrap())
        };
        assert!(decide(Method::KolmogorovSmirnov, 0.05).ends_with("≤ 0.05"));
        assert!(decide(Method::Wasserstein, 0.1).ends_with("≥ 0.1"));
        assert!(decide(Method::Wasserstein, 99.0).ends_with("< 99"));
        assert!(decide(Method::Energy, 99.0).ends_with("≤ 99"));
    }

    fn table(from: i32) -> RecordBatch {
        let values = Float64Array::from_iter_values((from..from + 200).map(f64::from));
        RecordBatch::try_from_iter([("fee", Arc::new(values) as ArrayRef)]).unwrap()
    }

    #[test]
    fn the_column_that_drifted_most_is_named() {
        let drift = compare(&table(0), &table(500), &Options::default());
        assert!(summary(&drift).contains("Most of all: fee (median "), "{}", summary(&drift));
        let same = compare(&table(0), &table(0), &Options::default());
        assert!(!summary(&same).contains("Most of all"));
    }

    #[test]
    fn a_segment_without_rows_is_gone() {
        let options = Options::default();
        let name = "region = b".to_owned();
        let drift = compare(&table(0), &table(0).slice(0, 0), &options);
        let segment = SegmentDrift { name, drift };
        assert_eq!(segment_words(&segment), "gone: current has no rows, the reference has 200");
        let whole = compare(&table(0), &table(0), &options).with_segments(vec![segment]);
        assert!(summary(&whole).ends_with("0 of 1 segments drifted, 1 is gone."));
        assert_eq!(headline(&whole), "Warning: no drift, but segments are gone");
    }

    #[test]
    fn no_probability_is_zero() {
        let before = Float64Array::from_iter_values((0..1000).map(f64::from));
        let after = Float64Array::from_iter_values((5000..6000).map(f64::from));
        let options = Options { method: Some(Method::TTest), ..Options::default() };
        let drift = compare_arrays("x", &before, &after, &options);
        assert!(drift.verdict().unwrap().score < P_VALUE_MIN);
        assert_eq!(decision(drift.verdict().unwrap()), "p < 1e-300 (threshold 0.05)");
    }
}
