//! How many rows quantiles are of: all, or of a large table some that the engine draws by chance.
//!
//! A sort of each column takes an engine ten to forty times as long as a scan of all of them. Of rows that are drawn, each by itself
//! with the same probability, the distribution is known within a bound that depends on how many they are and not on the table.

use std::fmt;
use std::str::FromStr;

/// Rows that are drawn if nobody says how many.
pub const SAMPLE_ROWS: u64 = 100_000;

/// Rows that are drawn at least and at most: fewer say little of the ends, and more are no longer cheap to hold.
pub const SAMPLE_ROWS_ALLOWED: std::ops::RangeInclusive<u64> = 10_000..=1_000_000;

/// Rows of a table from which on some are drawn if nobody says how many.
pub const SAMPLED_FROM: u64 = 1_000_000;

/// Of how many rows quantiles are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sample {
    /// [`SAMPLE_ROWS`] of tables with more than [`SAMPLED_FROM`] rows, and all of others.
    #[default]
    Auto,
    /// All.
    Off,
    /// About so many, of tables with more than twice as many.
    Rows(u64),
}

/// What is drawn of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Drawn {
    /// The probability of each row.
    pub(crate) share: f64,
    /// As many rows are expected.
    pub(crate) rows: u64,
}

impl Sample {
    /// What is drawn of a table with so many rows; `None` where all are looked at.
    pub(crate) fn of(self, rows: u64) -> Option<Drawn> {
        let (wanted, from) = match self {
            Self::Auto => (SAMPLE_ROWS, SAMPLED_FROM),
            Self::Off => return None,
            Self::Rows(wanted) => (wanted, wanted.saturating_mul(2)),
        };
        (rows > from).then(|| Drawn { share: wanted as f64 / rows as f64, rows: wanted })
    }
}

impl Drawn {
    /// Whether so many of the values are drawn that quantiles are of them. Else the column has few values, and all are sorted.
    pub(crate) fn is_enough_of(self, finite: u64) -> bool {
        self.share * finite as f64 >= self.rows as f64 / 10.0
    }

    /// Whether so many values may have been drawn of so many: not within ten standard deviations, the rows are others, or they
    /// were not drawn by chance.
    pub(crate) fn may_be(self, drawn: u64, finite: u64) -> bool {
        let expected = self.share * finite as f64;
        (drawn as f64 - expected).abs() <= 10.0 * expected.sqrt() + 10.0
    }
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            rows => rows
                .parse()
                .ok()
                .filter(|rows| SAMPLE_ROWS_ALLOWED.contains(rows))
                .map(Self::Rows)
                .ok_or_else(|| {
                    let (least, most) = (SAMPLE_ROWS_ALLOWED.start(), SAMPLE_ROWS_ALLOWED.end());
                    format!("{text:?}: auto, off, or {least} to {most} rows")
                }),
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::Rows(rows) => rows.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_tables_are_drawn_from() {
        assert_eq!(Sample::Auto.of(1_000_000), None);
        assert_eq!(Sample::Auto.of(2_000_000).unwrap().share, 0.05);
        assert_eq!(Sample::Off.of(u64::MAX), None);
        assert_eq!(Sample::Rows(20_000).of(40_000), None);
        assert_eq!(Sample::Rows(20_000).of(80_000).unwrap().share, 0.25);
        let drawn = Sample::Auto.of(10_000_000).unwrap();
        assert!(drawn.is_enough_of(1_000_000) && !drawn.is_enough_of(999_999));
        assert!(drawn.may_be(100_900, 10_000_000) && !drawn.may_be(104_000, 10_000_000));
        assert!(!drawn.may_be(0, 10_000_000));
    }

    #[test]
    fn a_choice_is_read_as_it_is_written() {
        for text in ["auto", "off", "10000", "1000000"] {
            assert_eq!(text.parse::<Sample>().unwrap().to_string(), text);
        }
        for wrong in ["", "0", "9999", "1000001", "-1", "1e5", "on"] {
            assert!(wrong.parse::<Sample>().is_err(), "{wrong}");
        }
    }
}
