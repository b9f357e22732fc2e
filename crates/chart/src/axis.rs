//! One axis: a range of values over a range of coordinates, and its ticks.

use crate::number::{at_step, short};

/// Maps a range of values to a range of coordinates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
}

impl Axis {
    pub(crate) fn new(low: f64, high: f64, start: f64, end: f64) -> Self {
        Self { low, high, start, end }
    }

    /// From the smallest to the largest of the values.
    pub(crate) fn over(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        Self { low, high, start, end }
    }

    /// With some room around the values; where all are equal they lie in its middle.
    pub(crate) fn widened(self, share: f64) -> Self {
        let room = if self.low < self.high {
            // In this order, so that the difference of huge values stays finite.
            (self.high / 2.0 - self.low / 2.0) * share * 2.0
        } else if self.low == 0.0 {
            1.0
        } else {
            self.low.abs() / 2.0
        };
        // Finite, or the largest values would be infinitely far from all others.
        let low = (self.low - room).max(f64::MIN);
        let high = (self.high + room).min(f64::MAX);
        Self { low, high, ..self }
    }

    /// Where a value lies; outside of the range at its end.
    pub(crate) fn at(&self, value: f64) -> f64 {
        // Halved, so that the difference of huge values stays finite.
        let share = (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0);
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 };
        self.start + share * (self.end - self.start)
    }

    /// The ends of the range.
    pub(crate) fn range(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Where the range begins and ends in the drawing.
    pub(crate) fn ends(&self) -> (f64, f64) {
        (self.start, self.end)
    }

    /// About `count` round values within the range: where each lies and how it is written.
    pub(crate) fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        let write = |(value, text)| (self.at(value), text);
        ticks(self.low, self.high, count).into_iter().map(write).collect()
    }
}

fn ticks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let is_range = low.is_finite() && high.is_finite() && low < high;
    // Each divided, so that the difference of huge values stays finite.
    let rough = high / count as f64 - low / count as f64;
    let power = 10_f64.powf(rough.log10().floor());
    // Among the smallest numbers there are is no room for steps.
    if !(is_range && power > 0.0) {
        return vec![(low, short(low))];
    }
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| step.is_finite() && *step >= rough)
        .unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    (0..=2 * count as i64)
        .map(|index| first.saturating_add(index) as f64 * step)
        .take_while(|tick| tick.is_finite() && *tick <= high + step * 1e-9)
        .map(|tick| (tick, at_step(tick, step, low.abs().max(high.abs()))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(low: f64, high: f64, count: usize, expected: &[&str]) {
        let texts: Vec<String> = ticks(low, high, count).into_iter().map(|tick| tick.1).collect();
        assert_eq!(texts, expected, "{low} to {high}");
    }

    #[test]
    fn ticks_are_round_inside_and_told_apart() {
        check(0.0, 1.0, 5, &["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        check(3.0, 27.0, 5, &["5", "10", "15", "20", "25"]);
        check(-130.0, 310.0, 5, &["−100", "0", "100", "200", "300"]);
        check(0.0, 3e7, 5, &["0", "1e7", "2e7", "3e7"]);
        check(
            1e7,
            1e7 + 10.0,
            5,
            &[
                "1.0000000e7",
                "1.0000002e7",
                "1.0000004e7",
                "1.0000006e7",
                "1.0000008e7",
                "1.0000010e7",
            ],
        );
        check(1.0, 1.0, 5, &["1"]);
        check(f64::INFINITY, f64::NEG_INFINITY, 5, &["∞"]);
    }

    #[test]
    fn the_largest_and_the_smallest_numbers_have_ticks_too() {
        check(f64::MIN, f64::MAX, 5, &["−1e308", "0", "1e308"]);
        check(0.0, f64::MAX, 2, &["0", "1e308"]);
        check(0.0, f64::MIN_POSITIVE, 5, &["0", "5e-309", "1.0e-308", "1.5e-308", "2.0e-308"]);
        // The smallest number of all.
        check(0.0, 5e-324, 5, &["0"]);
    }

    #[test]
    fn values_are_told_apart_however_large_or_small_they_are() {
        let widened = |values: &[f64]| Axis::over(values.iter().copied(), 0.0, 10.0).widened(0.1);
        let axis = widened(&[f64::MIN, 0.0, f64::MAX]);
        assert_eq!((axis.at(f64::MIN), axis.at(0.0), axis.at(f64::MAX)), (0.0, 5.0, 10.0));
        let axis = widened(&[0.0, f64::MIN_POSITIVE]);
        assert!(axis.at(0.0) < 1.0 && axis.at(f64::MIN_POSITIVE) > 9.0, "{axis:?}");
        for value in [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 0.0, -3.0] {
            for values in [&[value] as &[f64], &[value, value]] {
                let axis = widened(values);
                let (low, high) = axis.range();
                assert!(low.is_finite() && high.is_finite() && low <= value && value <= high);
                assert!((0.0..=10.0).contains(&axis.at(value)), "{axis:?}");
                let ticks = axis.ticks(5);
                assert!(!ticks.is_empty() && ticks.len() <= 11, "{ticks:?}");
                let is_text = |(at, text): &(f64, String)| at.is_finite() && !text.contains('∞');
                assert!(ticks.iter().all(is_text), "{ticks:?}");
            }
        }
    }

    #[test]
    fn values_lie_within_the_axis() {
        assert_eq!(Axis::new(3.0, 3.0, 0.0, 10.0).at(3.0), 5.0);
        assert_eq!(Axis::new(0.0, 1.0, 0.0, 10.0).at(7.0), 10.0);
        let axis = Axis::over([f64::MAX, -f64::MAX].into_iter(), 0.0, 10.0);
        assert_eq!((axis.at(f64::MAX), axis.at(0.0)), (10.0, 5.0));
        let flat = Axis::over([2.0, 2.0].into_iter(), 0.0, 10.0).widened(0.0);
        assert_eq!((flat.range(), flat.at(2.0)), ((1.0, 3.0), 5.0));
    }
}
