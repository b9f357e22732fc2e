//! What is left of a metric's history in a list of runs: its smallest and largest value, and its value at a step.

use crate::entities::Metric;

/// Arguments of [`Runs::extremes`](crate::Runs::extremes).
#[derive(Debug, Clone)]
pub struct FindExtremes {
    pub run_ids: Vec<String>,
    /// The metric.
    pub key: String,
    /// Values that are looked at, of all runs together. What short histories leave is for longer ones.
    pub values_max: usize,
}

/// A value, and where it was logged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepValue {
    pub step: i64,
    /// NaN is NaN; infinities are the largest numbers, as MLflow stores them.
    pub value: f64,
}

/// The smallest and the largest value of a history, each at the first step that has it. NaN is neither.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extremes {
    pub min: StepValue,
    pub max: StepValue,
    /// Whether all of the history was looked at. If not, its smallest value is this one or a smaller one, and its largest
    /// this one or a larger one.
    pub is_whole: bool,
}

/// Extremes of what was seen so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct SeenExtremes {
    ends: Option<(StepValue, StepValue)>,
}

impl SeenExtremes {
    /// In any order.
    pub fn see(&mut self, seen: StepValue) {
        if seen.value.is_nan() {
            return;
        }
        let Some((min, max)) = &mut self.ends else {
            self.ends = Some((seen, seen));
            return;
        };
        let is_first = |known: &StepValue| seen.value == known.value && seen.step < known.step;
        if seen.value < min.value || is_first(min) {
            *min = seen;
        }
        if seen.value > max.value || is_first(max) {
            *max = seen;
        }
    }

    /// None where there was no number.
    pub fn extremes(self, is_whole: bool) -> Option<Extremes> {
        self.ends.map(|(min, max)| Extremes { min, max, is_whole })
    }
}

impl From<&Metric> for StepValue {
    fn from(metric: &Metric) -> Self {
        Self { step: metric.step, value: metric.value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extreme_is_where_it_was_first_and_no_nan() {
        let mut seen = SeenExtremes::default();
        assert_eq!(seen.extremes(true), None);
        for (step, value) in [(4, 2.0), (0, f64::NAN), (3, 1.0), (1, 1.0), (2, 1.0), (5, 2.0)] {
            seen.see(StepValue { step, value });
        }
        let found = seen.extremes(false).unwrap();
        assert_eq!((found.min.step, found.min.value), (1, 1.0));
        assert_eq!((found.max.step, found.max.value, found.is_whole), (4, 2.0, false));
    }
}
