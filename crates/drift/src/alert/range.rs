//! Where a measure may lie: between constants, near the reference, or near what it was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rule::AlertRule;
use super::series::Point;

/// A normal distribution's standard deviation in median absolute deviations.
const DEVIATIONS_A_MAD: f64 = 1.4826;

/// Windows that are needed to learn from, and with seasons, those of one weekday.
const LEARNED_FROM_MIN: usize = 8;
const LEARNED_FROM_MIN_BY_WEEKDAY: usize = 4;

const WEEK_MS: i64 = 7 * 86_400_000;

/// What is not beyond; none at an end without a bound.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Range {
    /// Values below are beyond.
    pub low: Option<f64>,
    /// Values above are beyond.
    pub high: Option<f64>,
}

impl Range {
    /// Whether a value lies in it.
    pub fn holds(self, value: f64) -> bool {
        self.low.is_none_or(|low| value >= low) && self.high.is_none_or(|high| value <= high)
    }

    /// What lies in both.
    fn and(self, other: Self) -> Self {
        let pick = |a: Option<f64>, b: Option<f64>, of: fn(f64, f64) -> f64| match (a, b) {
            (Some(a), Some(b)) => Some(of(a, b)),
            (one, other) => one.or(other),
        };
        Self {
            low: pick(self.low, other.low, f64::max),
            high: pick(self.high, other.high, f64::min),
        }
    }
}

/// Where the rule wants this point, by those before it that were not beyond; `None` where nobody can say yet: there is
/// no reference, or too little to learn from, and it is within what is known.
pub(super) fn range(rule: &AlertRule, point: &Point, before: &[Point]) -> Option<Range> {
    let mut range = Range { low: rule.below, high: rule.above };
    let mut is_known = true;
    let distances = [
        (rule.above_reference, rule.below_reference, false),
        (rule.above_reference_share, rule.below_reference_share, true),
    ];
    for (above, below, is_share) in distances {
        if above.is_none() && below.is_none() {
            continue;
        }
        let Some(reference) = point.reference else {
            is_known = false;
            continue;
        };
        let unit = if is_share { reference.abs() } else { 1.0 };
        range = range.and(Range {
            low: below.map(|below| reference - below * unit),
            high: above.map(|above| reference + above * unit),
        });
    }
    if let Some(deviations) = rule.deviations {
        let learned = if rule.by_weekday {
            learned_by_weekday(point, before, rule.history())
        } else {
            learned(before, rule.history())
        };
        if let Some((median, spread)) = learned {
            let least = rule.min_change.max(rule.min_change_share * median.abs());
            let distance = (deviations * spread).max(least);
            let (low, high) = (Some(median - distance), Some(median + distance));
            range = range.and(Range { low, high });
        } else {
            is_known = false;
        }
    }
    // What is beyond one bound is beyond, whatever the others are.
    (is_known || !range.holds(point.value)).then_some(range)
}

/// Median and standard deviation of the next value, by the last so many.
fn learned(before: &[Point], history: usize) -> Option<(f64, f64)> {
    let last = &before[before.len().saturating_sub(history)..];
    if last.len() < LEARNED_FROM_MIN.min(history) {
        return None;
    }
    let values: Vec<f64> = last.iter().map(|point| point.value).collect();
    let middle = median(values.clone())?;
    let spread = median(values.iter().map(|value| (value - middle).abs()).collect())?;
    Some((middle, spread * DEVIATIONS_A_MAD * of_next(values.len())))
}

/// The same by the last so many windows at the same time of the week. How far values lie from the median of theirs is
/// learned from all times of the week together: a few values tell little of that.
fn learned_by_weekday(point: &Point, before: &[Point], history: usize) -> Option<(f64, f64)> {
    let phase = |point: &Point| point.window.begins.rem_euclid(WEEK_MS);
    let oldest = point.window.begins.saturating_sub(WEEK_MS.saturating_mul(history as i64));
    let mut by_phase: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for other in before.iter().filter(|other| other.window.begins >= oldest) {
        by_phase.entry(phase(other)).or_default().push(other.value);
    }
    let of_phase = by_phase.get(&phase(point))?;
    let count = of_phase.len();
    if count < LEARNED_FROM_MIN_BY_WEEKDAY.min(history) {
        return None;
    }
    let middle = median(of_phase.clone())?;
    let mut distances = Vec::new();
    for values in by_phase.values().filter(|values| values.len() > 1) {
        let middle = median(values.clone())?;
        // A median lies nearer to the values that it is of than to others.
        let size = values.len() as f64;
        let nearer = (size / (size - 1.0)).sqrt();
        distances.extend(values.iter().map(|value| (value - middle).abs() * nearer));
    }
    let spread = median(distances)?;
    Some((middle, spread * DEVIATIONS_A_MAD * of_next(count)))
}

/// The median of so many values is itself uncertain: its variance is π/2n times theirs.
fn of_next(count: usize) -> f64 {
    (1.0 + std::f64::consts::PI / (2.0 * count as f64)).sqrt()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::over_time::Window;

    const DAY: i64 = 86_400_000;

    fn points(values: impl IntoIterator<Item = f64>) -> Vec<Point> {
        let point = |(day, value): (usize, f64)| {
            let begins = day as i64 * DAY;
            let window = Window { begins, ends: begins + DAY };
            Point { window, value, reference: Some(10.0), is_alarming: None, rows: 100 }
        };
        values.into_iter().enumerate().map(point).collect()
    }

    fn at(rule: &AlertRule, all: &[Point]) -> Option<Range> {
        let (last, before) = all.split_last().unwrap();
        range(rule, last, before)
    }

    #[test]
    fn constants_and_the_reference_meet() {
        let rule = AlertRule {
            below: Some(2.0),
            below_reference: Some(3.0),
            above_reference_share: Some(0.5),
            ..AlertRule::default()
        };
        let one = points([0.0]);
        assert_eq!(at(&rule, &one), Some(Range { low: Some(7.0), high: Some(15.0) }));
        let without = [Point { reference: None, ..one[0] }];
        // Beyond a constant is beyond, and of what is within it nobody can say.
        assert_eq!(at(&rule, &without), Some(Range { low: Some(2.0), high: None }));
        assert_eq!(at(&rule, &[Point { value: 5.0, ..without[0] }]), None);
        let alone = AlertRule { below: Some(2.0), ..AlertRule::default() };
        assert!(at(&alone, &without).unwrap().holds(2.0));
        assert!(!at(&alone, &without).unwrap().holds(1.9));
    }

    #[test]
    fn a_range_is_learned_from_what_was() {
        let rule = AlertRule { deviations: Some(3.0), ..AlertRule::default() };
        assert_eq!(at(&rule, &points([1.0; 5])), None);
        let noisy = |last| points((0..20).map(|day| f64::from(day % 5)).chain([last]));
        let range = at(&rule, &noisy(0.0)).unwrap();
        // Median 2, median absolute deviation 1.
        let distance = 3.0 * (1.4826 * of_next(20));
        assert_eq!(range, Range { low: Some(2.0 - distance), high: Some(2.0 + distance) });
        let wide = AlertRule { min_change: 9.0, ..rule };
        assert_eq!(at(&wide, &noisy(0.0)).unwrap().high, Some(11.0));
    }

    #[test]
    fn a_quiet_sunday_is_one_among_sundays() {
        let rule = AlertRule { deviations: Some(4.0), by_weekday: true, ..AlertRule::default() };
        let rows = |day: usize| {
            let noise = (day * 37 % 11) as f64;
            if day % 7 == 3 { 100.0 + noise } else { 1000.0 + noise }
        };
        let holds = |days: usize, last: f64| {
            let all = points((0..days).map(rows).chain([last]));
            at(&rule, &all).map(|range| range.holds(last))
        };
        assert_eq!(holds(45, 105.0), Some(true), "the seventh Sunday");
        assert_eq!(holds(45, 1000.0), Some(false));
        assert_eq!(holds(46, 105.0), Some(false), "a Monday");
        assert_eq!(holds(10, 105.0), None, "the second Sunday");
    }
}
