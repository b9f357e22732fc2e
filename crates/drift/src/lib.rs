//! Two columns in, a verdict out: whether current data still look like the reference.
//!
//! The crate computes the statistics of Evidently 0.7 (same methods, same default choice, same
//! thresholds, same numbers) on Arrow columns, and says what Evidently keeps to itself: columns that
//! went missing, types that changed, new labels, missing values, infinities. It reads none of your files
//! and renders nothing; it takes data and returns data.
//!
//! - [`compare`] takes two record batches.
//! - [`compare_arrays`] takes two arrays.
//! - [`Profile`] is a dataset read once, to be compared with many others.
//! - [`Column`] is one column read once; [`compare_columns`] and [`conclude`] work on columns read one
//!   after the other, so that a dataset need not be in memory as a whole.
//! - [`ColumnBuilder`] reads a column piece by piece; what does not fit in memory goes to temporary files.
//! - [`Column::counted`] takes values that somebody else has counted.

mod alert;
mod checks;
mod choice;
mod column;
mod column_builder;
mod column_file;
mod compare;
mod compat;
mod counted;
mod distribution;
mod evidently;
mod finding;
mod freshness;
mod judged;
mod kind;
mod labels;
mod method;
mod options;
mod over_time;
mod pandas_note;
mod parts;
mod profile;
mod profile_file;
mod repeats;
mod roles;
mod row_counts;
mod row_names;
mod rule;
mod side;
mod sides;
mod statistics;
mod suppression;
mod text_content;
mod text_features;
mod too_few;
mod values;
mod verdict;

pub use alert::{
    AlertRule, CauseNews, Episode, News, Range, Series, Silence, Told, episodes, judged_windows,
    news,
};
pub use choice::UnknownName;
pub use column::Column;
pub use column_builder::ColumnBuilder;
pub use compare::{
    IGNORED_PREFIX, column_names, compare, compare_arrays, compare_columns, conclude, unreadable,
};
pub use compat::Compat;
pub use distribution::{Bin, Category, CumulativePoint, Distribution};
pub use finding::{Finding, FindingKind, Severity};
pub use freshness::Freshness;
pub use kind::Kind;
pub use method::{Method, SMALL_SAMPLE_MAX, ScoreKind};
pub use options::{Bins, Correction, MIN_SAMPLES, Options};
pub use over_time::{About, Measure, NoWindowLength, Window, WindowLength, WindowResult, metric};
pub use pandas_note::with_pandas_types;
pub use profile::{Pin, Profile};
pub use profile_file::{MAGIC as PROFILE_MAGIC, ProfileError, VERSION as PROFILE_VERSION};
pub use row_counts::{RowCounts, RowHashes};
pub use row_names::is_called_row_names;
pub use rule::{ColumnRule, Pattern};
pub use side::{NumberSummary, QUANTILES, Scale, Side};
pub use suppression::Suppressed;
pub use text_content::{Scored, auc};
pub use verdict::{
    ColumnDrift, DatasetDrift, DatasetVerdict, Effect, EffectSize, Role, SegmentDrift, Status,
    Verdict,
};
