//! What the verdict on a table follows from: all of its columns, or some of them.

use crate::compat::Compat;
use crate::finding::{Finding, FindingKind, Severity};
use crate::verdict::{ColumnDrift, DatasetDrift, DatasetVerdict, Status};

/// Columns that are judged together.
pub(crate) struct Judged<'a> {
    columns: Vec<&'a ColumnDrift>,
    /// What is said of the table besides.
    findings: &'a [Finding],
    drift_share: f64,
    compat: Compat,
    /// Columns that count.
    tested: usize,
    /// Columns among them that drifted.
    drifted: usize,
    /// Whether these are enough to be drift.
    is_drift: bool,
}

impl DatasetDrift {
    /// All columns.
    pub(crate) fn judged(&self) -> Judged<'_> {
        Judged {
            columns: self.columns.iter().collect(),
            findings: &self.findings,
            drift_share: self.drift_share,
            compat: self.compat,
            tested: self.tested,
            drifted: self.drifted,
            is_drift: self.dataset_drift,
        }
    }

    /// Some columns by themselves; what is said of the table is of all.
    pub(crate) fn judged_alone<'a>(&self, columns: Vec<&'a ColumnDrift>) -> Judged<'a> {
        let (tested, drifted) = counts(columns.iter().copied());
        Judged {
            columns,
            findings: &[],
            drift_share: self.drift_share,
            compat: self.compat,
            tested,
            drifted,
            is_drift: is_drift(tested, drifted, self.drift_share),
        }
    }
}

/// How many columns count, and how many of them drifted.
pub(crate) fn counts<'a>(columns: impl Iterator<Item = &'a ColumnDrift>) -> (usize, usize) {
    let verdicts = columns.filter(|column| column.counted).filter_map(ColumnDrift::verdict);
    verdicts.fold((0, 0), |(tested, drifted), verdict| {
        (tested + 1, drifted + usize::from(verdict.counts_as_drifted))
    })
}

/// The share of columns that drifted; 0 when nothing was tested.
pub(crate) fn share(tested: usize, drifted: usize) -> f64 {
    if tested == 0 { 0.0 } else { drifted as f64 / tested as f64 }
}

/// Whether so many columns are drift.
pub(crate) fn is_drift(tested: usize, drifted: usize, drift_share: f64) -> bool {
    tested > 0 && share(tested, drifted) >= drift_share
}

impl Judged<'_> {
    /// The verdict, without that on segments.
    pub(crate) fn verdict(&self) -> DatasetVerdict {
        // Rows that break a rule have been compared all the same.
        let is_serious = |finding: &Finding| {
            finding.severity == Severity::Serious && finding.kind != FindingKind::Rule
        };
        let is_warning = |finding: &Finding| finding.severity >= Severity::Warning;
        let nobody_knows = self.nothing_tested() || self.unknown() > 0 || self.may_have_drifted();
        if nobody_knows || self.findings.iter().any(is_serious) {
            DatasetVerdict::Broken
        } else if self.is_drift {
            DatasetVerdict::Drift
        } else if self.drifted > 0
            || self.untestable() > 0
            || self.is_untested() && self.columns.iter().any(|column| column.has_values())
            || self.all_findings().any(is_warning)
        {
            DatasetVerdict::Warning
        } else {
            DatasetVerdict::Stable
        }
    }

    /// Whether no column was compared at all.
    pub(crate) fn is_untested(&self) -> bool {
        self.columns.iter().all(|column| column.verdict().is_none())
    }

    /// How many columns could not be tested though both sides should have them.
    pub(crate) fn untestable(&self) -> usize {
        let failed = |column: &&&ColumnDrift| {
            let failed = matches!(column.status, Status::Failed(_)) && !column.is_unreadable();
            failed || column.is_undecided()
        };
        self.unknown() + self.columns.iter().filter(failed).count()
    }

    /// Whether no column was tested because there are too few values to judge.
    pub(crate) fn is_too_small(&self) -> bool {
        self.tested == 0 && self.too_few() > 0
    }

    /// Whether nothing was compared and this is not how the reference is: columns that are all missing on both
    /// sides, or of a type that is never compared, are no defect.
    fn nothing_tested(&self) -> bool {
        let on_both =
            |column: &&ColumnDrift| column.reference.is_some() && column.current.is_some();
        let failed = |column: &&ColumnDrift| matches!(column.status, Status::Failed(_));
        let is_serious = |finding: &Finding| finding.severity == Severity::Serious;
        let is_alike = self.columns.iter().any(on_both)
            && !self.columns.iter().any(failed)
            && !self.all_findings().any(is_serious);
        self.is_untested() && !self.is_too_small() && !is_alike
    }

    /// Whether the dataset would have drifted had the columns that could not be tested drifted, and has not
    /// without them: they count against the share that they would have had. Evidently leaves them out.
    fn may_have_drifted(&self) -> bool {
        let untestable = self.untestable();
        // These were tested, in vain.
        let undecided =
            self.columns.iter().filter(|column| column.counted && column.is_undecided()).count();
        let all = self.tested + untestable + self.too_few() - undecided;
        let share = (self.drifted + untestable) as f64 / all.max(1) as f64;
        let counts = untestable > 0 && self.compat != Compat::Evidently;
        counts && !self.is_drift && share >= self.drift_share
    }

    /// Columns that were left out because a side has too few values to judge them.
    fn too_few(&self) -> usize {
        self.columns.iter().filter(|column| column.has_too_few()).count()
    }

    /// Columns of which nobody knows whether they drifted.
    fn unknown(&self) -> usize {
        self.columns.iter().filter(|column| column.is_unknown(self.compat)).count()
    }

    fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().chain(self.columns.iter().flat_map(|column| &column.findings))
    }
}
