//! `KNNImputer`: the mean of the nearest rows of training that have the value.
//!
//! Where more rows are equally near than are asked for, scikit-learn's choice depends on the processor. If
//! it matters, the model is refused when its own rows of training show it, and else the request.

use super::data::{Column, Matrix, Table};
use super::encoders::{Key, keys};
use super::estimator::{Estimator, Fields};
use super::impute::{Indicator, missing_values, taken_beside};
use super::matrix::single;
use super::reader::{Boxed, Reader};
use crate::numeric::sum::sum;
use crate::{Error, Result};

pub(super) const READERS: &[Reader] = &[Reader::new("KNNImputer", |fields, _| load(fields))];

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct KnnImputer {
    samples: Matrix,
    missing: Key,
    /// By cell of `samples`: whether it is missing.
    holes: Vec<bool>,
    /// Whether these are of 32 bits; all is computed so for rows that are, too.
    is_single: bool,
    /// Whether all that is not missing is whole: then ties are exact.
    whole: bool,
    neighbours: usize,
    by_distance: bool,
    /// Columns that training saw no value of are left out, or zero if they are kept.
    keep_empty: bool,
    indicator: Option<Indicator>,
}

fn load(fields: Fields<'_>) -> Result<Boxed> {
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
    let whole = samples.values.iter().zip(&holes).all(|(x, gone)| *gone || is_whole(*x));
    let mut imputer = KnnImputer {
        is_single: fields.is_single("_fit_X"),
        whole,
        holes,
        samples,
        missing,
        neighbours: fields.count("n_neighbors")?,
        // How certain weights are depends on the rows that come; ties are the rule or are not.
        by_distance: false,
        keep_empty: fields.flag("keep_empty_features", false),
        indicator: fields
            .optional("indicator_")
            .map(|value| Indicator::read(Fields(value)))
            .transpose()?,
    };
    if imputer.neighbours == 0 {
        return Err(fields.malformed("n_neighbors is 0"));
    }
    imputer.check(fields)?;
    imputer.by_distance = by_distance;
    Ok(Box::new(imputer))
}

impl KnnImputer {
    fn is_hole(&self, sample: usize, column: usize) -> bool {
        self.holes.get(sample * self.samples.columns + column).copied().unwrap_or(true)
    }

    /// How far each row of training is, over the columns that both have, scaled up to all columns.
    fn distances(&self, row: &[f64], missing: &[bool], precision: Precision) -> Vec<Distance> {
        let width = self.samples.columns as f64;
        let of_row: f64 = squares(row, |at| missing.get(at) == Some(&true));
        let is_whole = self.whole && row.iter().zip(missing).all(|(x, gone)| *gone || is_whole(*x));
        let every = self.samples.each_row().enumerate();
        every
            .map(|(sample, values)| {
                let (mut sum, mut shared) = (0.0, 0.0);
                for (at, (x, y)) in row.iter().zip(values).enumerate() {
                    if missing.get(at) == Some(&false) && !self.is_hole(sample, at) {
                        sum += (x - y) * (x - y);
                        shared += 1.0;
                    }
                }
                if shared == 0.0 {
                    return Distance { square: f64::NAN, blur: 0.0 };
                }
                let size = of_row + squares(values, |at| self.is_hole(sample, at));
                // Whole numbers are added and multiplied without rounding.
                let blur = if is_whole && size < precision.whole_max() {
                    0.0
                } else {
                    size * precision.blur()
                };
                Distance { square: sum / shared * width, blur: blur / shared * width }
            })
            .collect()
    }

    /// What a missing cell becomes, for a row with these distances.
    fn value(
        &self,
        column: usize,
        distances: &[Distance],
        precision: Precision,
    ) -> Result<f64, Tie> {
        let of = |sample: usize| {
            self.samples.values.get(sample * self.samples.columns + column).copied().unwrap_or(0.0)
        };
        let donors = || (0..self.samples.rows).filter(|&sample| !self.is_hole(sample, column));
        // Rows without a distance count nothing.
        let mut nearest: Vec<(Distance, f64)> = donors()
            .filter_map(|sample| Some((*distances.get(sample)?, of(sample))))
            .filter(|(distance, _)| !distance.square.is_nan())
            .collect();
        if nearest.is_empty() {
            // Training gave such rows the same mean, so that a later step may have cut right there: each bit counts.
            let value = |at: usize| if self.is_hole(at, column) { 0.0 } else { of(at) };
            let column: Vec<f64> = (0..self.samples.rows).map(value).collect();
            let round = |x: f64| if self.is_single { single(x) } else { x };
            return Ok(sum(&column, round) / donors().count() as f64);
        }
        let order = |a: &(Distance, f64), b: &(Distance, f64)| a.0.square.total_cmp(&b.0.square);
        if self.neighbours > 0 && self.neighbours < nearest.len() {
            nearest.select_nth_unstable_by(self.neighbours - 1, order);
            self.check_border(&nearest)?;
            nearest.truncate(self.neighbours);
        }
        nearest.sort_by(order);
        let exact = nearest.iter().any(|(distance, _)| distance.square == 0.0);
        let (mut total, mut weights) = (0.0, 0.0);
        for (distance, value) in &nearest {
            let weight = self.weight(*distance, exact);
            total = precision.round(total + precision.round(value * weight));
            weights = precision.round(weights + weight);
        }
        let mean = precision.round(total / weights);
        if self.by_distance && !self.is_certain(&nearest, mean, weights, precision) {
            return Err(Tie);
        }
        Ok(mean)
    }

    fn weight(&self, distance: Distance, exact: bool) -> f64 {
        match (self.by_distance, exact) {
            (false, _) => 1.0,
            (true, true) => f64::from(u8::from(distance.square == 0.0)),
            (true, false) => 1.0 / distance.square.sqrt(),
        }
    }

    /// Whether a mean by distance has its first digits. Distances of rows almost at the same place are what is
    /// left of numbers that cancel; whether it is nothing at all decides which rows count.
    fn is_certain(
        &self,
        nearest: &[(Distance, f64)],
        mean: f64,
        weights: f64,
        precision: Precision,
    ) -> bool {
        let first = nearest.first().map(|(_, value)| *value);
        if nearest.iter().all(|(_, value)| Some(*value) == first) {
            return true;
        }
        if nearest
            .iter()
            .any(|(distance, _)| distance.blur > 0.0 && distance.square <= distance.blur)
        {
            return false;
        }
        let doubt = |(distance, value): &(Distance, f64)| {
            if distance.blur == 0.0 {
                return 0.0;
            }
            let weight = self.weight(*distance, false);
            weight / weights * distance.blur / distance.square * (value - mean).abs()
        };
        nearest.iter().map(doubt).sum::<f64>() <= precision.digits() * mean.abs()
    }

    /// Whether all that may be the last of the neighbours have the same value: then it is the same which
    /// of them are taken. The neighbours stand first, the farthest of them last.
    fn check_border(&self, nearest: &[(Distance, f64)]) -> Result<(), Tie> {
        let (inside, outside) = nearest.split_at(self.neighbours);
        let Some((border, value)) = inside.last() else { return Ok(()) };
        let at_border = |(distance, _): &&(Distance, f64)| {
            (distance.square - border.square).abs() <= distance.blur + border.blur
        };
        let same = |part: &[(Distance, f64)]| {
            part.iter().filter(at_border).all(|(_, other)| other == value)
        };
        if !outside.iter().any(|each| at_border(&each)) || same(inside) && same(outside) {
            return Ok(());
        }
        Err(Tie)
    }

    /// Fills one row; the column of a value that is not certain is the error.
    fn fill(&self, row: &mut [f64], valid: &[bool], is_single: bool) -> Result<(), usize> {
        let missing: Vec<bool> =
            keys(&Column::Numbers(row.to_vec())).iter().map(|key| *key == self.missing).collect();
        let open = |at: usize| missing.get(at) == Some(&true) && valid.get(at) == Some(&true);
        if !(0..row.len()).any(open) {
            return Ok(());
        }
        let is_single = is_single && self.is_single;
        let precision = if is_single { Precision::Single } else { Precision::Double };
        let distances = self.distances(row, &missing, precision);
        for (at, cell) in row.iter_mut().enumerate().filter(|(at, _)| open(*at)) {
            *cell = self.value(at, &distances, precision).map_err(|Tie| at)?;
        }
        Ok(())
    }

    /// By column: whether training saw a value.
    fn valid(&self) -> Vec<bool> {
        (0..self.samples.columns)
            .map(|column| (0..self.samples.rows).any(|sample| !self.is_hole(sample, column)))
            .collect()
    }

    /// Whether rows like those of training have neighbours that are certain.
    fn check(&self, fields: Fields<'_>) -> Result<()> {
        /// Numbers that are looked at: some tenths of a second.
        const NUMBERS: usize = 200_000_000;
        let rows = NUMBERS / self.samples.values.len().max(1);
        let valid = self.valid();
        for row in self.samples.each_row().take(rows.max(1)) {
            self.fill(&mut row.to_vec(), &valid, self.is_single).map_err(|column| {
                fields.unsupported(format!(
                    "column {column} of equally near rows, of which it depends on the processor which \
                     are taken,"
                ))
            })?;
        }
        Ok(())
    }
}

/// How far a row of training is.
#[derive(Debug, Clone, Copy)]
struct Distance {
    square: f64,
    /// How far the square may be off that scikit-learn has: it subtracts products from squares.
    blur: f64,
}

/// Neighbours that are as near as others. scikit-learn takes some of them, which ones depends on the vector
/// instructions of the processor that NumPy's `argpartition` finds.
struct Tie;

/// In how many bits distances and means are computed.
#[derive(Debug, Clone, Copy)]
enum Precision {
    Single,
    Double,
}

impl Precision {
    fn round(self, x: f64) -> f64 {
        match self {
            Self::Single => single(x),
            Self::Double => x,
        }
    }

    /// Rounding of a squared distance, relative to the squares that it is the difference of.
    fn blur(self) -> f64 {
        16.0 * match self {
            Self::Single => f64::from(f32::EPSILON),
            Self::Double => f64::EPSILON,
        }
    }

    /// Sums of whole numbers below this are exact.
    fn whole_max(self) -> f64 {
        match self {
            Self::Single => 8_388_608.0,
            Self::Double => 4_503_599_627_370_496.0,
        }
    }

    /// How far a mean may be off, relative to itself.
    fn digits(self) -> f64 {
        match self {
            Self::Single => 1e-6,
            Self::Double => 1e-9,
        }
    }
}

fn is_whole(x: f64) -> bool {
    x.fract() == 0.0
}

/// The sum of squares of what is there.
fn squares(row: &[f64], is_missing: impl Fn(usize) -> bool) -> f64 {
    row.iter().enumerate().filter(|(at, _)| !is_missing(*at)).map(|(_, x)| x * x).sum()
}

impl Estimator for KnnImputer {
    fn transform(&self, x: Table) -> Result<Table> {
        x.check_numbers(taken_beside(&self.missing))?;
        let mut indicators =
            self.indicator.as_ref().map(|indicator| indicator.mask(&x)).transpose()?;
        let mut x = x.matrix()?.into_owned();
        let is_single = x.is_single;
        // Marks beside numbers are of their type.
        if let Some(marks) = &mut indicators {
            marks.is_single = is_single;
        }
        x.check_width(self.samples.columns)?;
        let valid = self.valid();
        for (number, row) in x.each_row_mut().enumerate() {
            self.fill(row, &valid, is_single).map_err(|column| {
                Error::Input(format!(
                    "column {column}, row {number}: rows of training are equally near, and which of them \
                     scikit-learn's KNNImputer takes depends on the processor; serve the model with \
                     Python workers"
                ))
            })?;
            if self.keep_empty {
                for (cell, _) in row.iter_mut().zip(&valid).filter(|(_, valid)| !**valid) {
                    *cell = 0.0;
                }
            }
            if is_single {
                for x in row.iter_mut() {
                    *x = single(*x);
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
