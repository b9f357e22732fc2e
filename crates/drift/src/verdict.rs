//! What a comparison answers: by column and for the dataset.

use crate::compat::Compat;
use crate::distribution::{Category, Distribution};
use crate::finding::{Finding, FindingKind, Severity};
use crate::kind::Kind;
use crate::method::{Method, ScoreKind};
use crate::options::Correction;
use crate::side::{Scale, Side};

/// The verdict on a dataset in one word, from drift and from its schema and quality together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DatasetVerdict {
    /// Nothing to look at.
    Stable,
    /// Some columns drifted, or something is to be looked at.
    Warning,
    /// At least the share of columns that counts as drift has drifted.
    Drift,
    /// Nobody can tell: what the reference has could not be compared, as columns are gone, empty or unreadable. Too
    /// few values to judge are no such case, nor columns of a sort that is never compared: they are a warning.
    Broken,
}

impl DatasetVerdict {
    /// Every verdict, the best first.
    pub const ALL: [Self; 4] = [Self::Stable, Self::Warning, Self::Drift, Self::Broken];

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Warning => "warning",
            Self::Drift => "drift",
            Self::Broken => "broken",
        }
    }
}

/// A comparison of two datasets.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetDrift {
    /// Rows of the reference.
    pub reference_rows: u64,
    /// Rows of current.
    pub current_rows: u64,
    /// One entry a column, in the order of current, then columns that only the reference has.
    pub columns: Vec<ColumnDrift>,
    /// What is to be said about the dataset as a whole; columns have their own.
    pub findings: Vec<Finding>,
    /// Columns that count: tested, and not points in time.
    pub tested: usize,
    /// Columns among them that drifted.
    pub drifted: usize,
    /// `drifted / tested`; 0 when nothing was tested.
    pub share: f64,
    /// The share from which on the dataset has drifted.
    pub drift_share: f64,
    /// `share >= drift_share`, and something was tested.
    pub dataset_drift: bool,
    /// Adjustment of p-values that was made.
    pub correction: Correction,
    /// Whose behaviour was followed.
    pub compat: Compat,
    /// With [`Compat::Evidently`]: the error with which Evidently gives no report at all on these data.
    pub evidently_error: Option<String>,
    /// Parts of the dataset, compared each by itself, in the order in which they were asked for.
    pub segments: Vec<SegmentDrift>,
}

impl DatasetDrift {
    /// Columns by how much they need attention: failed, drifted (strongest first), serious findings, the rest.
    pub fn by_severity(&self) -> Vec<&ColumnDrift> {
        let mut columns: Vec<&ColumnDrift> = self.columns.iter().collect();
        columns.sort_by(|a, b| b.severity().total_cmp(&a.severity()));
        columns
    }

    /// The verdict in one word. It is never [`DatasetVerdict::Stable`] while there is a drifted column, a
    /// column that was not compared though both sides should have it, a warning, or a segment that is not
    /// stable. A segment that drifted is drift; one that cannot be judged is often just small, and a warning.
    pub fn verdict(&self) -> DatasetVerdict {
        let of_segments = self.segments.iter().map(|segment| match segment.drift.verdict() {
            DatasetVerdict::Broken => DatasetVerdict::Warning,
            verdict => verdict,
        });
        of_segments.fold(self.judged().verdict(), DatasetVerdict::max)
    }

    /// Whether no column was compared at all, not even times, which are not counted.
    pub fn is_untested(&self) -> bool {
        self.judged().is_untested()
    }

    /// How many columns could not be tested though both sides should have them: they failed, are gone or empty
    /// in current, or their score is not a number. Not those of kinds that are never tested.
    pub fn untestable(&self) -> usize {
        self.judged().untestable()
    }

    /// Whether no column was tested because there are too few values to judge: ordinary where little came, and
    /// neither drift nor a defect.
    pub fn is_too_small(&self) -> bool {
        self.judged().is_too_small()
    }

    /// How many findings of the dataset and its columns are serious.
    pub fn serious_findings(&self) -> usize {
        self.all_findings().filter(|(_, finding)| finding.severity == Severity::Serious).count()
    }

    /// Columns of which nobody knows whether they drifted: they could not be read, or current does not
    /// have them, or no value in them (which Evidently ignores). As long as there are some, no drift is
    /// not good news.
    pub fn unknown(&self) -> impl Iterator<Item = &ColumnDrift> {
        let compat = self.compat;
        self.columns.iter().filter(move |column| column.is_unknown(compat))
    }

    /// Findings of the dataset and all columns.
    pub fn all_findings(&self) -> impl Iterator<Item = (Option<&str>, &Finding)> {
        let of_columns = self.columns.iter().flat_map(|column| {
            column.findings.iter().map(|finding| (Some(column.name.as_str()), finding))
        });
        self.findings.iter().map(|finding| (None, finding)).chain(of_columns)
    }
}

/// A part of a dataset and its comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentDrift {
    /// The condition that makes it: `color = "green"`.
    pub name: String,
    /// Its comparison, as of a dataset of its own.
    pub drift: DatasetDrift,
}

impl SegmentDrift {
    /// The column that needs most attention; `None` where none needs any. Times go on, and do not.
    pub fn worst(&self) -> Option<&ColumnDrift> {
        let counts = |column: &&ColumnDrift| column.counted || column.verdict().is_none();
        let worst = self.drift.by_severity().into_iter().find(counts)?;
        (worst.drifted() || worst.severity() >= WORTH_NAMING).then_some(worst)
    }
}

/// [`ColumnDrift::severity`] from which on a column is worth a word: a warning on it.
const WORTH_NAMING: f64 = 50.0;

/// What a column is to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// An input.
    #[default]
    Feature,
    /// What the model learns to predict.
    Target,
    /// What the model predicted.
    Prediction,
}

impl Role {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Target => "target",
            Self::Prediction => "prediction",
        }
    }
}

/// The verdict on one column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDrift {
    /// Name of the column.
    pub name: String,
    /// What it is to the model.
    pub role: Role,
    /// Kind, as given or inferred from the reference (from current where only that has the column).
    pub kind: Kind,
    /// Why it is of that kind.
    pub kind_reason: String,
    /// How its numbers are to be read.
    pub scale: Scale,
    /// Tested, skipped or failed.
    pub status: Status,
    /// Whether it counts in the share of drifted columns.
    pub counted: bool,
    /// The reference side; `None` when the column is not there.
    pub reference: Option<Side>,
    /// The current side; `None` when the column is not there.
    pub current: Option<Side>,
    /// Both sides in few numbers, for charts.
    pub distribution: Option<Distribution>,
    /// Words that give current texts away, each with the share of the texts of both sides that it is in: first
    /// those that came, then those that went. Empty for all but texts that drifted.
    pub words: Vec<Category>,
    /// What else is to be said.
    pub findings: Vec<Finding>,
}

impl ColumnDrift {
    /// The test's outcome, if there was a test.
    pub fn verdict(&self) -> Option<&Verdict> {
        match &self.status {
            Status::Tested(verdict) => Some(verdict),
            Status::Skipped(_) | Status::Failed(_) => None,
        }
    }

    /// It failed before anything was known of either side.
    pub fn is_unreadable(&self) -> bool {
        let failed = matches!(self.status, Status::Failed(_));
        failed && self.reference.is_none() && self.current.is_none()
    }

    /// Nobody knows whether it drifted, by what is followed ([`DatasetDrift::unknown`]).
    pub(crate) fn is_unknown(&self, compat: Compat) -> bool {
        let is_gone = |finding: &Finding| {
            finding.kind == FindingKind::MissingColumn
                || finding.kind == FindingKind::Empty && finding.severity == Severity::Serious
        };
        self.is_unreadable() || compat != Compat::Evidently && self.findings.iter().any(is_gone)
    }

    /// Not all of it is missing.
    pub(crate) fn has_values(&self) -> bool {
        let has = |side: &Option<Side>| side.as_ref().is_some_and(|side| side.missing < side.rows);
        has(&self.reference) || has(&self.current)
    }

    /// It was left out though both sides have values of a kind that is tested: they are too few to judge.
    pub(crate) fn has_too_few(&self) -> bool {
        let has_values = |side: &Option<Side>| side.as_ref().is_some_and(|side| side.values > 0);
        let skipped = matches!(self.status, Status::Skipped(_)) && self.kind != Kind::Unknown;
        skipped && has_values(&self.reference) && has_values(&self.current)
    }

    /// Its score is not a number, which no threshold decides on. That of one and the same value on both sides
    /// is no riddle.
    pub(crate) fn is_undecided(&self) -> bool {
        let varies = |side: &Option<Side>| side.as_ref().is_some_and(|side| side.distinct > 1);
        self.verdict().is_some_and(|verdict| verdict.decisive_score().is_nan())
            && (varies(&self.reference) || varies(&self.current))
    }

    /// Tested and drifted.
    pub fn drifted(&self) -> bool {
        self.verdict().is_some_and(|verdict| verdict.drifted)
    }

    /// How much attention the column needs: failed 400, gone or empty 300, drifted 200 to 300, rest below.
    pub fn severity(&self) -> f64 {
        let findings =
            self.findings.iter().map(|finding| finding.severity.weight()).fold(0.0, f64::max);
        match &self.status {
            Status::Failed(_) => 400.0,
            Status::Tested(verdict) if verdict.drifted => 200.0 + 99.0 * verdict.strength(),
            Status::Tested(verdict) => findings + verdict.strength(),
            Status::Skipped(_) if findings >= Severity::Serious.weight() => 300.0,
            Status::Skipped(_) => findings - 1.0,
        }
    }
}

/// What happened to a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// It was tested.
    Tested(Verdict),
    /// It was left out; the reason.
    Skipped(String),
    /// It could not be tested; the reason.
    Failed(String),
}

/// The outcome of one test.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The method used.
    pub method: Method,
    /// Why this method.
    pub method_reason: String,
    /// Whether the default rule chose the method (then Evidently shows its display name).
    pub chosen_by_default: bool,
    /// The p-value or distance.
    pub score: f64,
    /// The score that decides instead: a p-value after adjustment for the number of columns, or of `chisquare` with
    /// both sides as samples; what is left of a `jensenshannon` or `wasserstein` distance beyond chance, where
    /// that is no drift any more; a `wasserstein` distance in standard deviations below the smallest that
    /// Evidently divides by.
    pub adjusted_score: Option<f64>,
    /// What the score is compared with.
    pub threshold: f64,
    /// Whether the score is a p-value or a distance.
    pub score_kind: ScoreKind,
    /// The verdict on this column.
    pub drifted: bool,
    /// The verdict that counts for the dataset. Differs from `drifted` only with [`Compat::Evidently`] and
    /// infinite values, where Evidently's two ways of cleaning disagree.
    pub counts_as_drifted: bool,
    /// How large the difference is, whatever the sample sizes.
    pub effect: Option<Effect>,
}

impl Verdict {
    /// The score that was compared with the threshold.
    pub fn decisive_score(&self) -> f64 {
        self.adjusted_score.unwrap_or(self.score)
    }

    /// How large the difference is, from 0 to 1, so that columns of different methods compare: by the size of
    /// the effect, which p-values do not tell (those of large samples all vanish), or by how many times the
    /// threshold a distance is.
    fn strength(&self) -> f64 {
        let (size, value) = match (self.score_kind, &self.effect) {
            (ScoreKind::PValue, Some(effect)) => (effect.size, effect.value.abs()),
            (ScoreKind::PValue, None) => {
                let exponent = -self.decisive_score().max(1e-300).log10() / 300.0;
                return if exponent.is_nan() { 0.0 } else { exponent.clamp(0.0, 1.0) };
            }
            (ScoreKind::Distance, _) => {
                let ratio = self.decisive_score() / self.threshold.max(1e-12);
                (EffectSize::of_ratio(ratio), ratio)
            }
        };
        let within = if value.is_infinite() { 1.0 } else { value / (1.0 + value) };
        let strength = (f64::from(size as u8) + within) / 4.0;
        if strength.is_nan() { 0.0 } else { strength.clamp(0.0, 1.0) }
    }
}

/// How large a difference is, independent of sample sizes.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// What is measured, as people call it: `Cohen's d`, `Cohen's w`, …
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// The usual word for a value of this size.
    pub size: EffectSize,
}

/// The usual words for effect sizes (Cohen 1988).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectSize {
    /// Not worth mentioning.
    Negligible,
    /// Visible with care.
    Small,
    /// Visible.
    Medium,
    /// Obvious.
    Large,
}

impl EffectSize {
    /// The word for so many times the usual threshold of a distance. For the mean distance in standard
    /// deviations, whose threshold is 0.1, these are Cohen's words for d: 0.2, 0.5 and 0.8.
    fn of_ratio(ratio: f64) -> Self {
        match ratio {
            ratio if ratio >= 8.0 => Self::Large,
            ratio if ratio >= 5.0 => Self::Medium,
            ratio if ratio >= 2.0 => Self::Small,
            _ => Self::Negligible,
        }
    }

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Negligible => "negligible",
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }
}
