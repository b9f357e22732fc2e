//! What an engine is given, and what it may give.

use std::path::PathBuf;
use std::time::Duration;

use trainyard_data::RowFilter;

use crate::sample::Sample;

/// Environment variable with the path of a driver's library, or of a folder with it.
pub const DRIVER_VARIABLE: &str = "TRAINYARD_ENGINE_DRIVER";

/// Distinct values of a column up to which each is counted, and quantiles of a column that has more: a rank is wrong by
/// one in so many at most.
pub const POINTS: usize = 10_000;

/// Characters of a label; a column with a longer text stays where it is.
pub const LABEL_CHARACTERS_MAX: u64 = 1000;

/// Rows of a table: what a profile counts to.
pub const ROWS_MAX: u64 = u32::MAX as u64;

/// Columns of a table.
pub(crate) const COLUMNS_MAX: usize = 10_000;

/// Columns that one statement asks about: PostgreSQL gives 1664 at most, of which each takes six.
pub(crate) const COLUMNS_A_STATEMENT: usize = 32;

/// Rows that are looked at first, of a table of many: enough to know of most columns that they have more different values
/// than are counted one by one.
pub(crate) const FIRST_ROWS: u64 = 50_000;

/// Columns of which one statement takes quantiles, each of which the engine sorts meanwhile.
pub(crate) const SORTED_A_STATEMENT: usize = 8;

/// Rows of an answer beside those of usable values: missing, no number, infinite on either side.
pub(crate) const ROWS_BESIDE: u64 = 4;

/// Windows of a table: two years of hours.
pub const WINDOWS_MAX: usize = 20_000;

/// Looks that took longer than they may and have not ended yet, in this process.
pub(crate) const LEFT_MAX: usize = 4;

/// Rows of one answer: those of at least one column.
pub(crate) const ANSWER_ROWS: u64 = 2 * POINTS as u64;

/// Bytes of one answer: as many labels of the greatest length.
pub(crate) const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Bytes of all answers about a table: more than the quantiles of [`COLUMNS_MAX`] columns.
pub(crate) const ANSWERS_BYTES_MAX: usize = 1 << 30;

/// How an engine is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Only these columns, where it has them.
    pub columns: Option<Vec<String>>,
    /// Only these rows.
    pub rows: RowFilter,
    /// The driver's library, or a folder with it; looked for where packages put it if not given.
    pub driver: Option<PathBuf>,
    /// How long it may take, in all.
    pub time: Duration,
    /// Of how many rows quantiles are.
    pub sample: Sample,
}

impl Limits {
    /// Long enough for a billion rows, and not for a lock that nobody lets go.
    pub const TIME: Duration = Duration::from_hours(1);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            columns: None,
            rows: RowFilter::default(),
            driver: None,
            time: Self::TIME,
            sample: Sample::Auto,
        }
    }
}
