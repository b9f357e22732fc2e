//! What is to be said about the data beside the drift scores.

/// Something that a person should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// How much it matters.
    pub severity: Severity,
    /// The sentence, with the values.
    pub message: String,
}

impl Finding {
    pub(crate) fn new(kind: FindingKind, severity: Severity, message: impl Into<String>) -> Self {
        Self { kind, severity, message: message.into() }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    /// The reference has the column, current does not.
    MissingColumn,
    /// Current has the column, the reference does not.
    NewColumn,
    /// The column's type changed.
    TypeChanged,
    /// No usable value on a side.
    Empty,
    /// The share of missing values changed.
    MissingShare,
    /// Values that the reference does not have.
    NewCategories,
    /// Values that current no longer has.
    VanishedCategories,
    /// Values beyond the reference's range.
    OutOfRange,
    /// Infinite values.
    Infinite,
    /// The column holds a single value now.
    BecameConstant,
    /// The column held distinct values only, and now repeats some.
    LostUniqueness,
    /// Too few values to judge.
    TooFew,
    /// Far fewer or far more rows than the reference has.
    Volume,
    /// Rows that came several times.
    DuplicateRows,
    /// Two names of columns that differ by blanks or case alone.
    SimilarNames,
    /// A rare label that is much more or less frequent now.
    RareLabelRate,
    /// One value far from all others that many rows have: a stand-in for a missing one.
    Sentinel,
    /// Words that tell current texts from those of the reference.
    TextContent,
    /// A rule that a person wrote down is broken.
    Rule,
    /// Data that are too old, or whose age nobody can tell.
    Stale,
    /// Evidently would not test this column.
    BeyondEvidently,
    /// What was guessed when the data were read.
    ReadAs,
    /// Values that are not what nearly all of their column are; they were read as missing.
    Unread,
}

impl FindingKind {
    /// A stable name for machines.
    pub fn id(self) -> &'static str {
        match self {
            Self::MissingColumn => "missing_column",
            Self::NewColumn => "new_column",
            Self::TypeChanged => "type_changed",
            Self::Empty => "empty",
            Self::MissingShare => "missing_share",
            Self::NewCategories => "new_categories",
            Self::VanishedCategories => "vanished_categories",
            Self::OutOfRange => "out_of_range",
            Self::Infinite => "infinite",
            Self::BecameConstant => "became_constant",
            Self::LostUniqueness => "lost_uniqueness",
            Self::TooFew => "too_few",
            Self::Volume => "volume",
            Self::DuplicateRows => "duplicate_rows",
            Self::SimilarNames => "similar_names",
            Self::RareLabelRate => "rare_label_rate",
            Self::Sentinel => "sentinel",
            Self::TextContent => "text_content",
            Self::Rule => "rule",
            Self::Stale => "stale",
            Self::BeyondEvidently => "beyond_evidently",
            Self::ReadAs => "read_as",
            Self::Unread => "unread",
        }
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// Look at it.
    Warning,
    /// A model will hardly cope with it.
    Serious,
}

impl Severity {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Serious => "serious",
        }
    }

    pub(crate) fn weight(self) -> f64 {
        match self {
            Self::Note => 1.0,
            Self::Warning => 50.0,
            Self::Serious => 150.0,
        }
    }
}
