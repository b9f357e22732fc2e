//! The bootstrap: rows are drawn again with replacement, and what is asked for is computed on each draw.
//!
//! B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13: the percentile interval.
//! Two models that are compared are on the same drawn rows, so what is hard about a row is hard for both. Draws depend on the
//! number of rows alone: the same models on the same rows get the same verdict.

use rayon::prelude::*;

use trainyard_base::random::FastRandom;

/// Draws for few rows: the ends of the interval then vary by a twentieth of a standard error.
const DRAWS_MAX: usize = 2_000;
/// Draws for many rows, of which each hardly differs.
const DRAWS_MIN: usize = 200;
/// Rows drawn in all: about a second of work.
const WORK_MAX: usize = 40_000_000;
/// Draws on which a metric may be undefined, in a hundred, before it is not compared.
const UNDEFINED_PERCENT_MAX: usize = 10;
/// Names this use of the generator.
const SEED: u64 = 13;

/// What the draws say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
    pub standard_error: f64,
}

/// The interval of what weights of the rows decide, with the chance of `level` on each side. None if it is
/// undefined on too many draws.
pub fn interval(
    rows: usize,
    level: f64,
    of_draw: impl Fn(&[u32]) -> f64 + Sync,
) -> Option<Interval> {
    intervals(rows, level, |weights| vec![of_draw(weights)]).into_iter().next().flatten()
}

/// The same of several figures, which are computed of each draw together.
pub fn intervals(
    rows: usize,
    level: f64,
    of_draw: impl Fn(&[u32]) -> Vec<f64> + Sync,
) -> Vec<Option<Interval>> {
    let draws = (WORK_MAX / rows.max(1)).clamp(DRAWS_MIN, DRAWS_MAX);
    let draw = |draw: usize| {
        let mut random = FastRandom::new(SEED, draw as u64);
        let mut weights = vec![0_u32; rows];
        for _ in 0..rows {
            weights[random.below(rows)] += 1;
        }
        of_draw(&weights)
    };
    let all: Vec<Vec<f64>> = (0..draws).into_par_iter().map(draw).collect();
    let figures = all.iter().map(Vec::len).min().unwrap_or(0);
    (0..figures).map(|figure| summary(all.iter().map(|of| of[figure]), draws, level)).collect()
}

/// The interval of a figure from its values on the draws.
fn summary(values: impl Iterator<Item = f64>, draws: usize, level: f64) -> Option<Interval> {
    let mut found: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    if (draws - found.len()) * 100 > draws * UNDEFINED_PERCENT_MAX {
        return None;
    }
    found.sort_by(f64::total_cmp);
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    let squares: f64 = found.iter().map(|value| (value - mean) * (value - mean)).sum();
    Some(Interval {
        low: quantile(&found, level),
        high: quantile(&found, 1.0 - level),
        standard_error: (squares / (found.len() as f64 - 1.0)).sqrt(),
    })
}

/// With linear interpolation between ranks, as numpy's default.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() as f64 - 1.0);
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    match (sorted.get(below), sorted.get(above)) {
        (Some(low), Some(high)) => low + (high - low) * place.fract(),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For a mean, the standard error is known: s/√n.
    #[test]
    fn the_error_of_a_mean_is_the_known_one() {
        let values: Vec<f64> = (0..400).map(|row| f64::from(row * 37 % 101)).collect();
        let mean = values.iter().sum::<f64>() / 400.0;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let known = (squares / 400.0).sqrt() / 20.0;
        let of_draw = |weights: &[u32]| {
            let sum: f64 = values.iter().zip(weights).map(|(v, w)| v * f64::from(*w)).sum();
            sum / 400.0
        };
        let found = interval(400, 0.05, of_draw).unwrap();
        assert!((found.standard_error / known - 1.0).abs() < 0.05, "{found:?} {known}");
        assert!((found.low - (mean - 1.645 * known)).abs() < 0.2 * known, "{found:?}");
        assert!((found.high - (mean + 1.645 * known)).abs() < 0.2 * known, "{found:?}");
        assert_eq!(interval(400, 0.05, of_draw), Some(found), "the same draws each time");
    }

    #[test]
    fn what_is_mostly_undefined_has_no_interval() {
        // One row in ten decides, and is not in a third of the draws.
        let of_draw = |weights: &[u32]| if weights[0] == 0 { f64::NAN } else { 1.0 };
        assert_eq!(interval(10, 0.05, of_draw), None);
    }

    #[test]
    fn quantiles_are_numpys() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.25), 1.5);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 1.0), 4.0);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
