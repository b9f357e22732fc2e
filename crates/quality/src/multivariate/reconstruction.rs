//! PCA reconstruction error: whether columns still go together as they did, even where each looks as before.
//!
//! The reference says in which directions of space its rows lie; rows that have left them are far from what those
//! directions say of them. As in NannyML 0.13.1 (`DataReconstructionDriftCalculator`): missing numbers are the mean,
//! missing labels the most frequent one, labels the share of the reference that has them (0 for others), columns
//! are scaled to one spread, and as many components are kept as explain 65 % of it.

use std::collections::BTreeMap;

use super::eigen;
use crate::features::Feature;
use crate::{Error, Result};

/// Share of the spread that the components explain at least.
const EXPLAINED: f64 = 0.65;
/// Standard errors on each side that the band has.
const BAND_ERRORS: f64 = 3.0;
/// Distances below this are rounding: where all that spreads is kept, nothing else is left.
const ROUNDING: f64 = 1e-9;
/// Columns that are looked at together at most: the time grows with their cube.
pub const COLUMNS_MAX: usize = 300;

/// How a column becomes a number.
#[derive(Debug, Clone)]
enum Reading {
    /// A missing one is this.
    Number(f64),
    /// Shares by label, and what a missing one is.
    Labels { shares: BTreeMap<String, f64>, missing: f64 },
}

#[derive(Debug, Clone)]
struct Prepared {
    reading: Reading,
    mean: f64,
    scale: f64,
}

/// Directions of a reference.
#[derive(Debug, Clone)]
pub struct Reconstruction {
    columns: Vec<Prepared>,
    components: Vec<Vec<f64>>,
    reference: ReconstructionError,
}

/// How far rows are from what the directions say of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReconstructionError {
    /// The mean distance, in standard deviations of the reference.
    pub value: f64,
    /// Its standard error.
    pub sampling_error: f64,
}

impl ReconstructionError {
    /// Ends of the band around it, three errors away.
    pub fn band(&self) -> (f64, f64) {
        let half = BAND_ERRORS * self.sampling_error;
        ((self.value - half).max(0.0), self.value + half)
    }

    /// Whether it differs from another one by more than the errors of both explain.
    pub fn differs_from(&self, other: &Self) -> bool {
        let error = self.sampling_error.hypot(other.sampling_error);
        // Of one row nobody knows the error.
        !error.is_nan() && (self.value - other.value).abs() > (BAND_ERRORS * error).max(ROUNDING)
    }
}

impl Reconstruction {
    /// Learns the directions of a reference; none where nothing spreads.
    pub fn fit(reference: &[Feature]) -> Result<Option<Self>> {
        let rows = reference.first().map_or(0, Feature::len);
        if rows < 2 {
            return Err(Error::TooFewRows { rows, least: 2 });
        }
        let columns: Vec<Prepared> =
            reference.iter().take(COLUMNS_MAX).map(|column| prepare(column, rows)).collect();
        let reference = &reference[..columns.len()];
        let mut covariance = vec![vec![0.0; columns.len()]; columns.len()];
        let mut scaled = vec![0.0; columns.len()];
        for row in 0..rows {
            scale(&columns, reference, row, &mut scaled)?;
            for (line, one) in covariance.iter_mut().zip(&scaled) {
                for (sum, other) in line.iter_mut().zip(&scaled) {
                    *sum += one * other;
                }
            }
        }
        let directions = eigen::symmetric(covariance);
        let all: f64 = directions.iter().map(|(value, _)| value.max(0.0)).sum();
        if all <= 0.0 {
            return Ok(None);
        }
        let mut explained = 0.0;
        let mut components = Vec::new();
        for (value, vector) in directions {
            components.push(vector);
            explained += value.max(0.0) / all;
            if explained > EXPLAINED {
                break;
            }
        }
        let unknown = ReconstructionError { value: f64::NAN, sampling_error: f64::NAN };
        let mut fitted = Self { columns, components, reference: unknown };
        fitted.reference = fitted.error(reference)?;
        Ok(Some(fitted))
    }

    /// Components that are kept.
    pub fn components(&self) -> usize {
        self.components.len()
    }

    /// The error of the reference itself.
    pub fn reference(&self) -> ReconstructionError {
        self.reference
    }

    /// The error of rows with the columns of the reference. With one row its sampling error is NaN.
    pub fn error(&self, features: &[Feature]) -> Result<ReconstructionError> {
        let features = features
            .get(..self.columns.len())
            .ok_or(Error::OtherColumns { found: features.len(), expected: self.columns.len() })?;
        let rows = features.first().map_or(0, Feature::len);
        let mut scaled = vec![0.0; self.columns.len()];
        let mut distances = Vec::with_capacity(rows);
        for row in 0..rows {
            scale(&self.columns, features, row, &mut scaled)?;
            let mut rest = scaled.clone();
            for component in &self.components {
                let along: f64 = component.iter().zip(&scaled).map(|(c, x)| c * x).sum();
                for (rest, part) in rest.iter_mut().zip(component) {
                    *rest -= along * part;
                }
            }
            distances.push(rest.iter().map(|value| value * value).sum::<f64>().sqrt());
        }
        let count = rows as f64;
        let value = distances.iter().sum::<f64>() / count;
        let squares: f64 = distances.iter().map(|d| (d - value) * (d - value)).sum();
        let sampling_error = (squares / (count - 1.0)).sqrt() / count.sqrt();
        Ok(ReconstructionError { value, sampling_error })
    }
}

/// What the reference says of a column.
fn prepare(column: &Feature, rows: usize) -> Prepared {
    let rows = rows as f64;
    let reading = match column {
        Feature::Numbers(values) => {
            let known = values.iter().filter(|value| !value.is_nan());
            let (sum, count) =
                known.fold((0.0_f64, 0.0), |(sum, count), v| (sum + *v, count + 1.0));
            Reading::Number(if count > 0.0 { sum / count } else { 0.0 })
        }
        Feature::Labels(labels) => {
            let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
            for label in labels.iter().flatten() {
                *counts.entry(label).or_default() += 1;
            }
            // Of equally frequent ones the first.
            let most = counts.iter().rev().max_by_key(|(_, count)| **count);
            let most = most.map(|(label, _)| (*label).clone());
            let missing = labels.iter().filter(|label| label.is_none()).count();
            let share = |(label, count): (&String, usize)| {
                let added = if most.as_ref() == Some(label) { missing } else { 0 };
                (label.clone(), (count + added) as f64 / rows)
            };
            let shares: BTreeMap<String, f64> = counts.into_iter().map(share).collect();
            let missing = most.and_then(|label| shares.get(&label).copied()).unwrap_or(0.0);
            Reading::Labels { shares, missing }
        }
    };
    let value = |row: usize| read(&reading, column, row).unwrap_or(0.0);
    let count = column.len();
    let mean = (0..count).map(value).sum::<f64>() / rows;
    let variance = (0..count).map(|row| (value(row) - mean).powi(2)).sum::<f64>() / rows;
    // What spreads by no more than rounding does is constant, as for scikit-learn's scaler.
    let rounding = rows * f64::EPSILON * variance + (rows * mean * f64::EPSILON).powi(2);
    let scale = if variance <= rounding { 1.0 } else { variance.sqrt() };
    Prepared { reading, mean, scale }
}

/// A value as a number; none if the column is of another sort than that of the reference.
fn read(reading: &Reading, column: &Feature, row: usize) -> Option<f64> {
    match (reading, column) {
        (Reading::Number(mean), Feature::Numbers(values)) => {
            let value = *values.get(row)?;
            Some(if value.is_nan() { *mean } else { value })
        }
        (Reading::Labels { shares, missing }, Feature::Labels(labels)) => {
            Some(match labels.get(row)? {
                None => *missing,
                Some(label) => shares.get(label).copied().unwrap_or(0.0),
            })
        }
        _ => None,
    }
}

/// A row, each column in its own spread.
fn scale(columns: &[Prepared], features: &[Feature], row: usize, scaled: &mut [f64]) -> Result<()> {
    for (place, ((column, feature), scaled)) in
        columns.iter().zip(features).zip(scaled.iter_mut()).enumerate()
    {
        let value = read(&column.reading, feature, row);
        let value = value.ok_or(Error::OtherColumns { found: place, expected: columns.len() })?;
        if !value.is_finite() {
            let column = format!("column {}", place + 1);
            return Err(Error::NotFinite { column, row: row + 1, value });
        }
        *scaled = (value - column.mean) / column.scale;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use trainyard_base::random::FastRandom;

    use super::*;

    #[test]
    fn columns_that_do_not_go_together_any_more_are_found() {
        let mut random = FastRandom::new(29, 0);
        let mut uniform = || random.below(10_000) as f64 / 10_000.0;
        let common: Vec<f64> = (0..1_000).map(|_| uniform()).collect();
        let mut noisy = |from: &[f64]| from.iter().map(|v| v + 0.1 * uniform()).collect::<Vec<_>>();
        let table = |columns: [Vec<f64>; 2]| columns.map(Feature::Numbers);
        let reference = table([noisy(&common), noisy(&common)]);
        let same = table([noisy(&common), noisy(&common)]);
        let turned: Vec<f64> = common.iter().rev().copied().collect();
        let broken = table([noisy(&common), noisy(&turned)]);
        let fitted = Reconstruction::fit(&reference).unwrap().unwrap();
        assert_eq!(fitted.components(), 1);
        let (same, broken) = (fitted.error(&same).unwrap(), fitted.error(&broken).unwrap());
        assert!(!same.differs_from(&fitted.reference()), "{same:?}");
        assert!(broken.differs_from(&fitted.reference()) && broken.value > 3.0 * same.value);
        let one = fitted.error(&table([vec![0.0], vec![1.0]])).unwrap();
        assert!(one.value > same.value && !one.differs_from(&fitted.reference()), "{one:?}");
    }

    #[test]
    fn what_cannot_be_looked_at_says_so() {
        let constant = Feature::Numbers(vec![1.0; 5]);
        assert!(Reconstruction::fit(std::slice::from_ref(&constant)).unwrap().is_none());
        let infinite = Feature::Numbers(vec![1.0, f64::INFINITY, 2.0]);
        assert!(matches!(Reconstruction::fit(&[infinite]), Err(Error::NotFinite { .. })));
        assert!(Reconstruction::fit(&[]).is_err());
    }
}
