//! What quantiles of rows that were drawn are worth.

use crate::limits::POINTS;
use crate::sample::Drawn;

/// How likely it is that a rank is wrong by more than is said.
const DOUBT: f64 = 0.01;

/// What quantiles of a sample are worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// The columns.
    pub columns: Vec<String>,
    /// About so many rows were drawn.
    pub rows: u64,
    /// The values that were drawn of the column with the fewest.
    pub values_min: u64,
    /// How far a rank may be wrong, as a share of the rows, in any of these columns.
    pub rank_error: f64,
    /// The probability that none is wrong by more.
    pub probability: f64,
}

impl Sampled {
    /// Of columns, the one with the fewest values drawn having so many.
    pub(crate) fn new(columns: Vec<String>, drawn: Drawn, values_min: u64) -> Self {
        Self {
            rank_error: rank_error(values_min, columns.len()),
            columns,
            rows: drawn.rows,
            values_min,
            probability: 1.0 - DOUBT,
        }
    }
}

/// How far a rank is wrong at most, as a share: by Dvoretzky, Kiefer and Wolfowitz with Massart's constant, for all columns at once,
/// what quantiles leave out, and the smallest and the largest value, which are of all rows. That no row is drawn twice
/// only makes it less.
fn rank_error(values: u64, columns: usize) -> f64 {
    let values = values.max(1) as f64;
    let drawn = ((2.0 * columns as f64 / DOUBT).ln() / (2.0 * values)).sqrt();
    (drawn + 1.0 / POINTS as f64 + 1.0 / values).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_values_leave_less_doubt_and_more_columns_more() {
        // sqrt(ln 200 / 200000), 1 in 10,000 and 1 in 100,000.
        assert!((rank_error(100_000, 1) - 0.005_257).abs() < 1e-6);
        assert!(rank_error(100_000, 25) > rank_error(100_000, 1));
        assert!(rank_error(1_000_000, 25) < rank_error(100_000, 1));
        assert_eq!(rank_error(0, 1), 1.0);
    }
}
