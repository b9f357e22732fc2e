//! The sentences that all outputs share.

use std::fmt::Write as _;

use trainyard_drift::{ColumnDrift, Correction, DatasetDrift, ScoreKind, Status, Verdict};

use crate::number::{percent, short};

/// A column's state in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Drift,
    Stable,
    Skipped,
    Failed,
}

impl State {
    pub(super) fn of(column: &ColumnDrift) -> Self {
        match &column.status {
            Status::Tested(verdict) if verdict.drifted => Self::Drift,
            Status::Tested(_) => Self::Stable,
            Status::Skipped(_) => Self::Skipped,
            Status::Failed(_) => Self::Failed,
        }
    }

    /// Of the dataset: it is not stable as long as nobody knows of some of its columns.
    pub(super) fn of_dataset(drift: &DatasetDrift) -> Self {
        match () {
            () if drift.dataset_drift => Self::Drift,
            () if drift.tested == 0 || drift.unknown().next().is_some() => Self::Failed,
            () => Self::Stable,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Stable => "stable",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    /// A sign that differs in form, not only in colour.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Drift => "▲",
            Self::Stable => "●",
            Self::Skipped => "–",
            Self::Failed => "✕",
        }
    }
}

/// How many columns are in each state.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) drift: usize,
    pub(super) stable: usize,
    pub(super) skipped: usize,
    pub(super) failed: usize,
}

impl Counts {
    pub(super) fn of(drift: &DatasetDrift) -> Self {
        let mut counts = Self::default();
        for column in &drift.columns {
            match State::of(column) {
                State::Drift => counts.drift += 1,
                State::Stable => counts.stable += 1,
                State::Skipped => counts.skipped += 1,
                State::Failed => counts.failed += 1,
            }
        }
        counts
    }
}

/// The verdict in a few words.
pub(super) fn headline(drift: &DatasetDrift) -> &'static str {
    if drift.tested == 0 {
        "Nothing could be tested"
    } else if drift.dataset_drift {
        "The data have drifted"
    } else if drift.drifted > 0 {
        "Some columns have drifted"
    } else if drift.unknown().next().is_some() {
        "No drift in what could be compared"
    } else {
        "No drift"
    }
}

/// Columns that a sentence names.
const NAMED_MAX: usize = 5;

/// The verdict with its numbers.
pub(super) fn summary(drift: &DatasetDrift) -> String {
    if drift.tested == 0 {
        return "No column of the two datasets could be compared.".to_owned();
    }
    let mut text = format!(
        "{} of {} tested columns drifted ({}). The dataset counts as drifted from {} on.",
        drift.drifted,
        drift.tested,
        percent(drift.share),
        percent(drift.drift_share)
    );
    let unknown: Vec<&str> = drift.unknown().map(|column| column.name.as_str()).collect();
    if !unknown.is_empty() {
        let named = unknown.get(..NAMED_MAX.min(unknown.len())).unwrap_or_default().join(", ");
        let more = if unknown.len() > NAMED_MAX { ", …" } else { "" };
        let _infallible = write!(text, " {} could not be compared ({named}{more}).", unknown.len());
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
    text
}

/// The score as people read it, with the adjusted p-value when there is one.
pub(super) fn score(verdict: &Verdict) -> String {
    match (verdict.score_kind, verdict.adjusted_score) {
        (ScoreKind::PValue, Some(adjusted)) => {
            format!("p {} (adjusted {})", short(verdict.score), short(adjusted))
        }
        (ScoreKind::PValue, None) => format!("p {}", short(verdict.score)),
        (ScoreKind::Distance, _) => short(verdict.score),
    }
}

/// The comparison that decided, as a formula: `p 0.012 ≤ 0.05`.
pub(super) fn decision(verdict: &Verdict) -> String {
    let (decisive, threshold) = (verdict.decisive_score(), verdict.threshold);
    if decisive.is_nan() {
        return "the score is not a number, which never counts as drift".to_owned();
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
    use arrow_array::Float64Array;
    use trainyard_drift::{Method, Options, compare_arrays};

    use super::*;

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
}
