//! One side of a column in few numbers, for tables.

use crate::column::Column;
use crate::kind::Kind;
use crate::repeats::repeats;
use crate::text_features;
use crate::values::family::{Family, type_name};
use crate::values::{Numbers, Values};

/// How the numbers of a column are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Numbers with fractions.
    Continuous,
    /// Whole numbers.
    Integer,
    /// 0 and 1 for false and true.
    Boolean,
    /// Microseconds since 1970-01-01.
    Instant,
    /// Microseconds.
    Interval,
    /// No numbers: text.
    Text,
}

/// One side of a column in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// Type, for people.
    pub data_type: String,
    /// Rows, missing values included.
    pub rows: u64,
    /// Nulls and NaN.
    pub missing: u64,
    /// Infinite values.
    pub infinite: u64,
    /// Values that were used.
    pub values: u64,
    /// Distinct values among them.
    pub distinct: u64,
    /// The largest number that divides how often each value occurs, missing ones among them: 40 where every
    /// row came 40 times, 0 where it is not known.
    pub repeats: u64,
    /// Statistics of numbers; of text lengths (in characters) for text.
    pub numbers: Option<NumberSummary>,
}

impl Side {
    /// Share of missing values; 0 for no rows.
    pub fn missing_share(&self) -> f64 {
        if self.rows == 0 { 0.0 } else { self.missing as f64 / self.rows as f64 }
    }
}

/// Statistics of one side's numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberSummary {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation, population form.
    pub deviation: f64,
    /// Quantiles at [`QUANTILES`]: minimum first, maximum last.
    pub quantiles: Vec<f64>,
}

/// Where quantiles are taken.
pub const QUANTILES: [f64; 9] = [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0];

/// How the numbers of this column are to be read.
pub(crate) fn scale(column: &Column) -> Scale {
    match column.family() {
        Family::Integer | Family::Unsigned => Scale::Integer,
        Family::Boolean => Scale::Boolean,
        Family::Instant => Scale::Instant,
        Family::Interval => Scale::Interval,
        Family::Float | Family::Decimal => Scale::Continuous,
        _ => match column.values() {
            Values::Numbers(numbers) if numbers.is_integer() => Scale::Integer,
            Values::Numbers(_) => Scale::Continuous,
            _ => Scale::Text,
        },
    }
}

pub(crate) fn side(column: &Column, kind: Kind) -> Side {
    let numbers = match (column.values(), kind) {
        (Values::Numbers(numbers), Kind::Numerical | Kind::Datetime) => number_summary(numbers),
        (Values::Strings(strings), Kind::Text) => number_summary(&text_features::lengths(strings)),
        _ => None,
    };
    Side {
        data_type: type_name(column.data_type()),
        rows: column.rows(),
        missing: column.missing(),
        infinite: column.infinite(),
        values: column.len(),
        distinct: column.distinct(),
        repeats: repeats(column),
        numbers,
    }
}

fn number_summary(numbers: &Numbers) -> Option<NumberSummary> {
    let quantiles = QUANTILES.iter().map(|p| numbers.quantile(*p)).collect::<Option<Vec<f64>>>()?;
    let (mean, variance) = numbers.moments();
    Some(NumberSummary { mean, deviation: variance.sqrt(), quantiles })
}
