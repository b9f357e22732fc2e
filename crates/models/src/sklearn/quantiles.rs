//! Transformers by quantiles: `QuantileTransformer`, `KBinsDiscretizer`.

use super::data::{Matrix, Sparse, Table};
use super::encoders::dtype;
use super::estimator::{Estimator, Fields, numbers};
use super::matrix::single;
use super::preprocessing::{ByRow, Rows};
use super::reader::{Boxed, Reader};
use crate::Result;
use crate::numeric::distribution::{normal_quantile, normal_share};
use crate::numeric::interpolation::interpolate;

pub(super) const READERS: &[Reader] = &[
    Reader::new("QuantileTransformer", |fields, _| transformer(fields)),
    Reader::new("KBinsDiscretizer", |fields, _| discretizer(fields)),
];

/// Values this near to the ends of the training data count as beyond them for a normal target.
const BOUNDS_THRESHOLD: f64 = 1e-7;

/// `QuantileTransformer`: the share of training data below a value, perhaps as a normal deviate.
#[derive(Debug)]
struct Quantiles {
    columns: Vec<Column>,
    normal: bool,
}

/// Quantiles of one column with the shares they stand for, and both with their signs and order turned:
/// repeated values are met from above and from below, and the mean is taken.
#[derive(Debug)]
struct Column {
    quantiles: Vec<f64>,
    shares: Vec<f64>,
    quantiles_from_above: Vec<f64>,
    shares_from_above: Vec<f64>,
}

fn transformer(fields: Fields<'_>) -> Result<Boxed> {
    let normal = match fields.text("output_distribution", "uniform") {
        "uniform" => false,
        "normal" => true,
        other => return Err(fields.unsupported(format!("output_distribution {other:?}"))),
    };
    let shares = fields.numbers("references_")?;
    let quantiles = fields.matrix("quantiles_")?;
    if quantiles.rows != shares.len() || shares.is_empty() {
        return Err(fields.malformed("quantiles_ and references_ do not fit"));
    }
    let turned = |values: &[f64]| values.iter().rev().map(|x| -x).collect::<Vec<f64>>();
    let columns = (0..quantiles.columns)
        .map(|at| {
            let quantiles = quantiles.column(at);
            Column {
                quantiles_from_above: turned(&quantiles),
                shares_from_above: turned(&shares),
                quantiles,
                shares: shares.clone(),
            }
        })
        .collect();
    Ok(Box::new(ByRow(Quantiles { columns, normal })))
}

impl Column {
    /// The share below a value; `round` is done to what is compared with the ends.
    fn share(&self, x: f64, normal: bool, round: impl Fn(f64) -> f64) -> f64 {
        let (Some(&first), Some(&last)) = (self.quantiles.first(), self.quantiles.last()) else {
            return f64::NAN;
        };
        let (below, above) = if normal {
            let threshold = round(BOUNDS_THRESHOLD);
            (round(x - threshold) < first, round(x + threshold) > last)
        } else {
            (x == first, x == last)
        };
        if below {
            0.0
        } else if above {
            1.0
        } else if x.is_nan() {
            x
        } else {
            0.5 * (interpolate(&self.quantiles, &self.shares, x)
                - interpolate(&self.quantiles_from_above, &self.shares_from_above, -x))
        }
    }

    /// The value below which a share is.
    fn value(&self, share: f64, normal: bool) -> f64 {
        let (Some(&first), Some(&last)) = (self.quantiles.first(), self.quantiles.last()) else {
            return f64::NAN;
        };
        let share = if normal { normal_share(share) } else { share };
        let (below, above) = if normal {
            (share - BOUNDS_THRESHOLD < 0.0, share + BOUNDS_THRESHOLD > 1.0)
        } else {
            (share == 0.0, share == 1.0)
        };
        if below {
            first
        } else if above {
            last
        } else if share.is_nan() {
            share
        } else {
            interpolate(&self.shares, &self.quantiles, share)
        }
    }
}

impl Rows for Quantiles {
    fn width(&self) -> Option<usize> {
        Some(self.columns.len())
    }

    fn row(&self, from: &[f64], to: &mut [f64]) {
        for ((to, &x), column) in to.iter_mut().zip(from).zip(&self.columns) {
            let share = column.share(x, self.normal, |x| x);
            *to = if self.normal { clipped_deviate(share) } else { share };
        }
    }

    fn keeps_single(&self) -> bool {
        true
    }

    fn single_row(&self, from: &[f64], to: &mut [f64]) {
        for ((to, &x), column) in to.iter_mut().zip(from).zip(&self.columns) {
            let share = single(column.share(x, self.normal, single));
            *to = if self.normal { single(clipped_deviate(share)) } else { share };
        }
    }

    fn has_inverse(&self) -> bool {
        true
    }

    fn inverse_row(&self, from: &[f64], to: &mut [f64]) {
        for ((to, &x), column) in to.iter_mut().zip(from).zip(&self.columns) {
            *to = column.value(x, self.normal);
        }
    }
}

/// Neither end of a normal distribution is at infinity here.
fn clipped_deviate(share: f64) -> f64 {
    if share.is_nan() {
        return share;
    }
    let lowest = normal_quantile(BOUNDS_THRESHOLD - f64::EPSILON);
    let highest = normal_quantile(1.0 - (BOUNDS_THRESHOLD - f64::EPSILON));
    normal_quantile(share).clamp(lowest, highest)
}

/// `KBinsDiscretizer`
#[derive(Debug)]
struct Bins {
    /// Inner edges of each column.
    edges: Vec<Vec<f64>>,
    /// How many bins each column has.
    counts: Vec<usize>,
    one_hot: bool,
    sparse: bool,
    /// Whether numbers are taken in 32 bits; as they come where that is not said.
    single: Option<bool>,
}

fn discretizer(fields: Fields<'_>) -> Result<Boxed> {
    let one_hot = match fields.text("encode", "onehot") {
        "onehot" | "onehot-dense" => true,
        "ordinal" => false,
        other => return Err(fields.unsupported(format!("encode {other:?}"))),
    };
    let counts: Vec<usize> =
        fields.numbers("n_bins_")?.into_iter().map(|count| count as usize).collect();
    let mut edges = Vec::with_capacity(counts.len());
    for (column, &count) in fields.items("bin_edges_")?.into_iter().zip(&counts) {
        let column = numbers(column).filter(|column| column.len() == count.saturating_add(1));
        let column = column.ok_or_else(|| fields.malformed("bin_edges_ do not fit n_bins_"))?;
        edges.push(column.get(1..count).unwrap_or_default().to_vec());
    }
    if edges.len() != counts.len() {
        return Err(fields.malformed("bin_edges_ do not fit n_bins_"));
    }
    let sparse = fields.text("encode", "onehot") == "onehot";
    let single = dtype(fields).map(|dtype| dtype.ends_with(".float32"));
    Ok(Box::new(Bins { edges, counts, one_hot, sparse, single }))
}

impl Estimator for Bins {
    fn transform(&self, x: Table) -> Result<Table> {
        let x = x.finite()?;
        x.check_width(self.edges.len())?;
        let width = if self.one_hot { self.counts.iter().sum() } else { self.edges.len() };
        let mut result = Matrix::zeros(x.rows, width)?;
        let is_single = self.single.unwrap_or(x.is_single);
        result.is_single = is_single;
        for (from, to) in x.each_row().zip(result.each_row_mut()) {
            let mut first = 0;
            for (at, ((&x, edges), count)) in
                from.iter().zip(&self.edges).zip(&self.counts).enumerate()
            {
                let x = if is_single { single(x) } else { x };
                let bin = edges.partition_point(|&edge| edge <= x);
                let (place, value) =
                    if self.one_hot { (first + bin, 1.0) } else { (at, bin as f64) };
                if let Some(slot) = to.get_mut(place) {
                    *slot = value;
                }
                first += count;
            }
        }
        if self.sparse {
            return Ok(Table::Sparse(Sparse::from_matrix(&result)?));
        }
        Ok(Table::Matrix(result))
    }

    fn origins(&self, _x: &Table) -> Option<Result<Vec<usize>>> {
        if !self.one_hot {
            return Some(Ok((0..self.edges.len()).collect()));
        }
        let bins = self.counts.iter().enumerate();
        Some(Ok(bins.flat_map(|(at, &count)| std::iter::repeat_n(at, count)).collect()))
    }
}
