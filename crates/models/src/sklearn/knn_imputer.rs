//! `KNNImputer`: the mean of the nearest rows of training that have the value.

use super::data::{Column, Matrix, Table};
use super::encoders::{Key, keys};
use super::estimator::{Estimator, Fields};
use super::impute::{Indicator, missing_values};
use crate::Result;

#[derive(Debug)]
struct KnnImputer {
    samples: Matrix,
    missing: Key,
    /// By cell of `samples`: whether it is missing.
    holes: Vec<bool>,
    neighbours: usize,
    by_distance: bool,
    /// Columns that training saw no value of are left out, or zero if they are kept.
    keep_empty: bool,
    indicator: Option<Indicator>,
}

pub(super) fn load(fields: Fields<'_>) -> Result<Box<dyn Estimator>> {
    if fields.text("metric", "nan_euclidean") != "nan_euclidean" {
        return Err(fields.unsupported("a metric of its own"));
    }
    let by_distance = match fields.text("weights", "uniform") {
        "uniform" => false,
        "distance" => true,
        other => return Err(fields.unsupported(format!("weights {other:?}"))),
    };
    let samples = fields.matrix("_fit_X")?;
    let missing = missing_values(fields);
    let holes: Vec<bool> = samples.values.iter().map(|&x| Key::number(x) == missing).collect();
    Ok(Box::new(KnnImputer {
        holes,
        samples,
        missing,
        neighbours: fields.count("n_neighbors")?,
        by_distance,
        keep_empty: fields.flag("keep_empty_features", false),
        indicator: fields
            .optional("indicator_")
            .map(|value| Indicator::read(Fields(value)))
            .transpose()?,
    }))
}

impl KnnImputer {
    fn is_hole(&self, sample: usize, column: usize) -> bool {
        self.holes.get(sample * self.samples.columns + column).copied().unwrap_or(true)
    }

    /// Distances over the columns that both have, scaled up to all columns; NaN where there are none.
    fn distances(&self, row: &[f64], missing: &[bool]) -> Vec<f64> {
        let width = self.samples.columns;
        let every = self.samples.each_row().enumerate();
        every
            .map(|(sample, values)| {
                let (mut squares, mut shared) = (0.0, 0_usize);
                for (at, (x, y)) in row.iter().zip(values).enumerate() {
                    if missing.get(at) == Some(&false) && !self.is_hole(sample, at) {
                        squares += (x - y) * (x - y);
                        shared += 1;
                    }
                }
                if shared == 0 {
                    return f64::NAN;
                }
                (squares / shared as f64 * width as f64).sqrt()
            })
            .collect()
    }

    /// What a missing cell becomes, for a row with these distances.
    fn value(&self, column: usize, distances: &[f64]) -> f64 {
        let donors = || (0..self.samples.rows).filter(|&sample| !self.is_hole(sample, column));
        let of = |sample: usize| {
            self.samples.values.get(sample * self.samples.columns + column).copied().unwrap_or(0.0)
        };
        let distance = |sample: usize| distances.get(sample).copied().unwrap_or(f64::NAN);
        // Nearest first; rows without a distance come last and count nothing.
        let mut nearest: Vec<(f64, usize)> = donors()
            .map(|sample| (distance(sample), sample))
            .filter(|(distance, _)| !distance.is_nan())
            .collect();
        if nearest.is_empty() {
            let (sum, count) = donors().fold((0.0, 0.0), |(sum, n), at| (sum + of(at), n + 1.0));
            return sum / count;
        }
        let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if self.neighbours > 0 && self.neighbours < nearest.len() {
            nearest.select_nth_unstable_by(self.neighbours - 1, order);
            nearest.truncate(self.neighbours);
        }
        nearest.sort_by(order);
        let exact = nearest.iter().any(|(distance, _)| *distance == 0.0);
        let (mut sum, mut weights) = (0.0, 0.0);
        for (distance, sample) in nearest {
            let weight = match (self.by_distance, exact) {
                (false, _) => 1.0,
                (true, true) => f64::from(u8::from(distance == 0.0)),
                (true, false) => 1.0 / distance,
            };
            sum += of(sample) * weight;
            weights += weight;
        }
        sum / weights
    }
}

impl Estimator for KnnImputer {
    fn transform(&self, x: Table) -> Result<Table> {
        let indicators = self.indicator.as_ref().map(|indicator| indicator.mask(&x)).transpose()?;
        let mut x = x.matrix()?.into_owned();
        x.check_width(self.samples.columns)?;
        let width = x.columns;
        let valid: Vec<bool> = (0..width)
            .map(|column| (0..self.samples.rows).any(|sample| !self.is_hole(sample, column)))
            .collect();
        for row in x.each_row_mut() {
            let missing: Vec<bool> = keys(&Column::Numbers(row.to_vec()))
                .iter()
                .map(|key| *key == self.missing)
                .collect();
            let open = |(missing, valid): (&bool, &bool)| *missing && *valid;
            if missing.iter().zip(&valid).any(open) {
                let distances = self.distances(row, &missing);
                for (at, cell) in row.iter_mut().enumerate() {
                    if missing.get(at) == Some(&true) && valid.get(at) == Some(&true) {
                        *cell = self.value(at, &distances);
                    }
                }
            }
            if self.keep_empty {
                for (cell, _) in row.iter_mut().zip(&valid).filter(|(_, valid)| !**valid) {
                    *cell = 0.0;
                }
            }
        }
        if !self.keep_empty && valid.contains(&false) {
            let kept: Vec<usize> =
                valid.iter().enumerate().filter(|(_, valid)| **valid).map(|(at, _)| at).collect();
            x = x.select(&kept)?;
        }
        let rows = x.rows;
        let parts: Vec<Matrix> = std::iter::once(x).chain(indicators).collect();
        Ok(Table::Matrix(Matrix::beside(&parts, rows)?))
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.samples.values.as_slice()) + self.holes.len()
    }
}
