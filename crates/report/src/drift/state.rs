//! The state of a column and of the dataset: a word and a sign.

use trainyard_drift::{ColumnDrift, DatasetDrift, DatasetVerdict, Status};

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

/// The sign of a verdict on the dataset; it differs in form, not only in colour.
pub(crate) fn sign(verdict: DatasetVerdict) -> &'static str {
    match verdict {
        DatasetVerdict::Stable => "●",
        DatasetVerdict::Warning => "◆",
        DatasetVerdict::Drift => "▲",
        DatasetVerdict::Broken => "✕",
    }
}
