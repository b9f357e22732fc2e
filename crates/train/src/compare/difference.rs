//! How much worse a new model is, how sure that is, and what it means against a margin.

use std::fmt;

use serde::Serialize;

use trainyard_quality::interval::normal::quantile_above;

/// Chance on each side of a 95 % interval, and so how often an equal model is called worse: half of the one time
/// in twenty that is promised, as DeLong's test and the bootstrap are only nearly exact.
pub const LEVEL: f64 = 0.025;

/// How often a comparison with as many rows as are said to be needed decides for an equal model.
const POWER: f64 = 0.8;

/// How a difference was tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// McNemar's exact test, with the interval of Bonett and Price.
    McNemar,
    /// DeLong's test for correlated areas.
    DeLong,
    /// The percentile interval of paired bootstrap draws.
    Bootstrap,
}

/// A metric of two models on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Metric of the new model.
    pub new: f64,
    /// Metric of the old one.
    pub old: f64,
    /// How much worse the new one is, in the metric's own unit; negative if it is better.
    pub worse_by: f64,
    /// Lower end of the interval of that: below it with the chance of the level.
    pub low: f64,
    /// Upper end: above it with the chance of the level.
    pub high: f64,
    /// Standard error.
    pub standard_error: f64,
    /// Whether the new one is worse beyond chance.
    pub beyond_chance: bool,
    /// Chance on each side of the interval.
    pub level: f64,
    /// Rows compared.
    pub rows: usize,
    /// How.
    pub method: Method,
}

/// What a difference means against a margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is at most as much worse as accepted, as sure as the level says.
    NotWorse,
    /// It is worse beyond chance, and by more than accepted.
    Worse,
    /// The rows do not tell.
    Undecided,
}

impl Difference {
    /// The decision: worse if the data show that it is worse at all and what they show is more than the
    /// margin; not worse if the upper end of the interval is within the margin; else undecided.
    ///
    /// An equal model is called worse no more often than the level, whatever the number of rows.
    pub fn against(&self, margin: f64) -> Standing {
        if self.beyond_chance && self.worse_by > margin {
            Standing::Worse
        } else if self.high <= margin {
            Standing::NotWorse
        } else {
            // NaN is no proof of anything.
            Standing::Undecided
        }
    }

    /// The smallest difference that these rows can tell from none, four times out of five.
    pub fn smallest_seen(&self) -> f64 {
        (quantile_above(self.level) + quantile_above(1.0 - POWER)) * self.standard_error
    }

    /// How many rows like these show that an equal model is within the margin, four times out of five; none for
    /// a margin of 0, which no number of rows shows.
    pub fn rows_needed(&self, margin: f64) -> Option<usize> {
        let times = (self.smallest_seen() / margin).powi(2);
        let rows = (self.rows as f64 * times).ceil();
        // Rows are counted in files, and this many are in none.
        (rows.is_finite() && rows < 1e12).then_some(rows as usize)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::McNemar => "McNemar",
            Self::DeLong => "DeLong",
            Self::Bootstrap => "paired bootstrap",
        })
    }
}

/// The difference in words: `worse by 0.0125 (-0.0031 to 0.0281 on 2000 rows, McNemar)`. Of a better version both
/// signs turn: `better by 0.0125 (-0.0031 to 0.0281 …)`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worse_by, low, high, rows, method, .. } = self;
        let (word, by, low, high) = if *worse_by < 0.0 {
            ("better", -worse_by, -high, -low)
        } else {
            ("worse", *worse_by, *low, *high)
        };
        write!(f, "{word} by {by:.4} ({low:.4} to {high:.4} on {rows} rows, {method})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(worse_by: f64, half: f64) -> Difference {
        let (low, high) = (worse_by - half, worse_by + half);
        Difference {
            new: 0.9 - worse_by,
            old: 0.9,
            worse_by,
            low,
            high,
            standard_error: half / 1.9599639845400545,
            beyond_chance: low > 0.0,
            level: LEVEL,
            rows: 400,
            method: Method::Bootstrap,
        }
    }

    #[test]
    fn worse_needs_both_proof_and_more_than_the_margin() {
        for (worse_by, half, margin, standing) in [
            (0.03, 0.01, 0.02, Standing::Worse),
            (0.03, 0.04, 0.02, Standing::Undecided),
            (0.01, 0.005, 0.02, Standing::NotWorse),
            (0.015, 0.01, 0.02, Standing::Undecided),
            (-0.01, 0.005, 0.0, Standing::NotWorse),
            (0.0, 0.01, 0.0, Standing::Undecided),
            (0.01, 0.005, 0.0, Standing::Worse),
            (f64::NAN, 0.1, 0.02, Standing::Undecided),
        ] {
            assert_eq!(difference(worse_by, half).against(margin), standing, "{worse_by} {half}");
        }
    }

    #[test]
    fn a_better_version_is_not_called_worse() {
        let text = |worse_by| difference(worse_by, 0.03).to_string();
        assert_eq!(text(0.01), "worse by 0.0100 (-0.0200 to 0.0400 on 400 rows, paired bootstrap)");
        assert_eq!(
            text(-0.87),
            "better by 0.8700 (0.8400 to 0.9000 on 400 rows, paired bootstrap)"
        );
    }

    #[test]
    fn what_would_have_been_needed() {
        let difference = difference(0.0, 0.04);
        // ((1.960 + 0.842) · 0.0204 / 0.02)² · 400
        assert_eq!(difference.rows_needed(0.02), Some(3270));
        assert_eq!(difference.rows_needed(0.0), None);
        assert!((difference.smallest_seen() - 0.05718).abs() < 1e-5);
    }
}
