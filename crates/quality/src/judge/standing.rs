//! Whether a metric is as good as it was.

use super::measured::Measured;
use crate::metrics::greater_is_better;

/// Fewer rows are not judged: their intervals hold half of what there is.
pub const ROWS_MIN: usize = 100;

/// What a metric's interval says beside what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Not worse by more than the margin, as far as the rows tell.
    AsBefore,
    /// Too few rows to tell, or nothing to compare with.
    Unknown,
    /// Worse by more than the margin, beyond chance.
    Worse,
}

impl Standing {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::AsBefore => "as before",
            Self::Unknown => "unknown",
            Self::Worse => "worse",
        }
    }
}

/// Compares a metric with what it was. `margin` is what it may lose: of itself where it is a share, as a share of
/// what it was where it is an error.
pub fn standing(measured: &Measured, rows: usize, before: Option<f64>, margin: f64) -> Standing {
    let (Some(before), Some((low, high))) = (before, measured.interval) else {
        return Standing::Unknown;
    };
    if rows < ROWS_MIN || !before.is_finite() {
        return Standing::Unknown;
    }
    let is_worse = match measured.metric {
        // Neither more nor less is better: it may leave what it was to both sides, as far as the error is large.
        "bias" => low > before.max(0.0) || high < before.min(0.0),
        metric if greater_is_better(metric) => high < before - margin,
        _ => low > before * (1.0 + margin),
    };
    if is_worse { Standing::Worse } else { Standing::AsBefore }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worse_is_beyond_chance_and_the_margin() {
        let measured = |metric, low, high| {
            let value = f64::midpoint(low, high);
            Measured { metric, value, interval: Some((low, high)) }
        };
        let of = |metric, (low, high), rows, margin| {
            standing(&measured(metric, low, high), rows, Some(0.9), margin)
        };
        assert_eq!(of("accuracy", (0.80, 0.86), 1000, 0.02), Standing::Worse);
        assert_eq!(of("accuracy", (0.80, 0.89), 1000, 0.02), Standing::AsBefore);
        assert_eq!(of("accuracy", (0.80, 0.86), 99, 0.02), Standing::Unknown);
        assert_eq!(of("mae", (0.95, 1.10), 1000, 0.02), Standing::Worse);
        assert_eq!(of("mae", (0.91, 1.10), 1000, 0.02), Standing::AsBefore);
        let accuracy = measured("accuracy", 0.1, 0.2);
        assert_eq!(standing(&accuracy, 1000, None, 0.0), Standing::Unknown);
    }
}
