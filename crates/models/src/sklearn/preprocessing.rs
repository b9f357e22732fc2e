//! Scalers and other transformers of numeric columns.

use super::data::{Matrix, Missing, Sparse, Table};
use super::estimator::{Estimator, Fields};
use super::matrix::single;
use super::reader::{Boxed, Reader};
use crate::Result;

pub(super) const READERS: &[Reader] = &[
    Reader::new("StandardScaler MinMaxScaler MaxAbsScaler RobustScaler", |fields, _| {
        scaler(fields)
    }),
    Reader::new("Normalizer", |fields, _| normalizer(fields)),
    Reader::new("Binarizer", |fields, _| binarizer(fields)),
    Reader::new("PolynomialFeatures", |fields, _| polynomial(fields)),
];

/// A transformer of matrices, by a function of each row.
pub(super) trait Rows: Send + Sync + std::fmt::Debug {
    /// Columns it takes.
    fn width(&self) -> Option<usize>;
    /// Columns it gives for `width` of the input.
    fn columns(&self, width: usize) -> usize {
        width
    }
    /// Refuses what scikit-learn refuses.
    fn check(&self, x: &Table) -> Result<()> {
        x.check_numbers(Missing::Taken)
    }
    /// Whether each column is made of the same one of the input.
    fn is_each(&self) -> bool {
        true
    }
    /// Fills the result of one row.
    fn row(&self, from: &[f64], to: &mut [f64]);
    /// Whether rows of 32 bits stay so; [`Self::single_row`] fills them.
    fn keeps_single(&self) -> bool {
        false
    }
    /// Fills the result of one row of 32 bits.
    fn single_row(&self, from: &[f64], to: &mut [f64]) {
        self.row(from, to);
    }
    /// Whether [`Self::inverse_row`] is there.
    fn has_inverse(&self) -> bool {
        false
    }
    /// Fills the row that `from` is the result of.
    fn inverse_row(&self, from: &[f64], to: &mut [f64]) {
        let _ = (from, to);
    }
}

/// A [`Rows`] as an estimator.
#[derive(Debug)]
pub(super) struct ByRow<T>(pub(super) T);

impl<T: Rows> Estimator for ByRow<T> {
    fn transform(&self, x: Table) -> Result<Table> {
        self.0.check(&x)?;
        if let Table::Sparse(sparse) = &x {
            // What takes rows of mostly zeros gives them back.
            let mut result = Sparse::new(self.0.columns(sparse.columns));
            for block in x.blocks() {
                let Table::Matrix(block) = self.transform(Table::Matrix(block?.1.into_owned()))?
                else {
                    continue;
                };
                for row in block.each_row() {
                    result.push_row((0..).zip(row.iter().copied()).filter(|(_, x)| *x != 0.0))?;
                }
            }
            return Ok(Table::Sparse(result));
        }
        let x = x.matrix()?;
        if let Some(width) = self.0.width() {
            x.check_width(width)?;
        }
        let mut result = Matrix::zeros(x.rows, self.0.columns(x.columns))?;
        let is_single = x.is_single && self.0.keeps_single();
        for (from, to) in x.each_row().zip(result.each_row_mut()) {
            if is_single {
                self.0.single_row(from, to);
            } else {
                self.0.row(from, to);
            }
        }
        result.is_single = is_single;
        Ok(Table::Matrix(result))
    }

    fn has_inverse(&self) -> bool {
        self.0.has_inverse()
    }

    fn inverse_transform(&self, x: &Matrix) -> Result<Matrix> {
        if let Some(width) = self.0.width() {
            x.check_width(width)?;
        }
        let mut result = Matrix::zeros(x.rows, x.columns)?;
        for (from, to) in x.each_row().zip(result.each_row_mut()) {
            self.0.inverse_row(from, to);
        }
        Ok(result)
    }

    fn origins(&self, x: &Table) -> Option<Result<Vec<usize>>> {
        self.0.is_each().then(|| Ok((0..x.width()).collect()))
    }
}

/// `x - a`, then `/ b`, then `* c`, then `+ d`, each if it is there, then clipped.
#[derive(Debug, Default)]
struct Affine {
    minus: Option<Vec<f64>>,
    over: Option<Vec<f64>>,
    times: Option<Vec<f64>>,
    plus: Option<Vec<f64>>,
    clip: Option<(f64, f64)>,
    /// Whether its own numbers are rounded to 32 bits first for rows of these.
    rounds: bool,
}

impl Affine {
    /// Fills a row; `constant` is done to each number of its own, `round` to what each step gives.
    fn fill(
        &self,
        from: &[f64],
        to: &mut [f64],
        constant: impl Fn(f64) -> f64,
        round: impl Fn(f64) -> f64,
    ) {
        for (at, (to, &from)) in to.iter_mut().zip(from).enumerate() {
            let part = |values: &Option<Vec<f64>>, none: f64| {
                constant(values.as_ref().and_then(|values| values.get(at)).copied().unwrap_or(none))
            };
            let mut x = from;
            if self.minus.is_some() {
                x = round(x - part(&self.minus, 0.0));
            }
            if self.over.is_some() {
                x = round(x / part(&self.over, 1.0));
            }
            if self.times.is_some() {
                x = round(x * part(&self.times, 1.0));
            }
            if self.plus.is_some() {
                x = round(x + part(&self.plus, 0.0));
            }
            if let Some((low, high)) = self.clip {
                x = if x < low {
                    low
                } else if x > high {
                    high
                } else {
                    x
                };
            }
            *to = x;
        }
    }
}

impl Rows for Affine {
    fn width(&self) -> Option<usize> {
        [&self.minus, &self.over, &self.times, &self.plus]
            .into_iter()
            .flatten()
            .map(Vec::len)
            .next()
    }

    fn row(&self, from: &[f64], to: &mut [f64]) {
        self.fill(from, to, |x| x, |x| x);
    }

    fn keeps_single(&self) -> bool {
        true
    }

    fn single_row(&self, from: &[f64], to: &mut [f64]) {
        let constant = |x: f64| if self.rounds { single(x) } else { x };
        self.fill(from, to, constant, single);
    }

    fn has_inverse(&self) -> bool {
        true
    }

    fn inverse_row(&self, from: &[f64], to: &mut [f64]) {
        let part = |values: &Option<Vec<f64>>, at: usize, none: f64| {
            values.as_ref().and_then(|values| values.get(at)).copied().unwrap_or(none)
        };
        for (at, (to, &from)) in to.iter_mut().zip(from).enumerate() {
            let x = (from - part(&self.plus, at, 0.0)) / part(&self.times, at, 1.0);
            *to = x * part(&self.over, at, 1.0) + part(&self.minus, at, 0.0);
        }
    }
}

fn scaler(fields: Fields<'_>) -> Result<Boxed> {
    let when = |flag: &str, name: &str| {
        if fields.flag(flag, true) { fields.optional_numbers(name) } else { Ok(None) }
    };
    let affine = match fields.name() {
        "StandardScaler" => Affine {
            minus: when("with_mean", "mean_")?,
            over: when("with_std", "scale_")?,
            // Since it takes arrays of other libraries.
            rounds: fields.version() >= (1, 8),
            ..Affine::default()
        },
        "RobustScaler" => Affine {
            minus: when("with_centering", "center_")?,
            over: when("with_scaling", "scale_")?,
            ..Affine::default()
        },
        "MaxAbsScaler" => Affine {
            over: Some(fields.numbers("scale_")?),
            clip: fields.flag("clip", false).then_some((-1.0, 1.0)),
            ..Affine::default()
        },
        _ => {
            let range = fields.numbers("feature_range")?;
            fields.check_length("feature_range", range.len(), 2)?;
            let clip = match range.as_slice() {
                [low, high] if fields.flag("clip", false) => Some((*low, *high)),
                _ => None,
            };
            Affine {
                times: Some(fields.numbers("scale_")?),
                plus: Some(fields.numbers("min_")?),
                clip,
                ..Affine::default()
            }
        }
    };
    // Each part has one number a column.
    let parts = [&affine.minus, &affine.over, &affine.times, &affine.plus];
    if let Some(width) = affine.width() {
        for part in parts.into_iter().flatten() {
            fields.check_length("scale_, mean_ or the like", part.len(), width)?;
        }
    }
    Ok(Box::new(ByRow(affine)))
}

/// `Normalizer`
#[derive(Debug, Clone, Copy)]
enum Norm {
    L1,
    L2,
    Max,
}

impl Norm {
    /// What a row is divided by; `round` is done to what each step gives, one after the other.
    fn of(self, row: &[f64], round: impl Fn(f64) -> f64) -> f64 {
        let each = row.iter();
        let norm = match self {
            Self::L1 => each.fold(0.0_f64, |sum, x| round(sum + x.abs())),
            Self::L2 => round(each.fold(0.0_f64, |sum, x| round(sum + round(x * x))).sqrt()),
            Self::Max => each.fold(0.0_f64, |max, x| max.max(x.abs())),
        };
        if norm == 0.0 { 1.0 } else { norm }
    }
}

impl Rows for Norm {
    fn width(&self) -> Option<usize> {
        None
    }

    fn check(&self, x: &Table) -> Result<()> {
        x.check_numbers(Missing::Refused)
    }

    fn is_each(&self) -> bool {
        false
    }

    fn row(&self, from: &[f64], to: &mut [f64]) {
        let norm = self.of(from, |x| x);
        to.iter_mut().zip(from).for_each(|(to, from)| *to = from / norm);
    }

    fn keeps_single(&self) -> bool {
        true
    }

    fn single_row(&self, from: &[f64], to: &mut [f64]) {
        let norm = self.of(from, single);
        to.iter_mut().zip(from).for_each(|(to, from)| *to = single(from / norm));
    }
}

fn normalizer(fields: Fields<'_>) -> Result<Boxed> {
    Ok(Box::new(ByRow(match fields.text("norm", "l2") {
        "l1" => Norm::L1,
        "l2" => Norm::L2,
        "max" => Norm::Max,
        other => return Err(fields.unsupported(format!("norm {other:?}"))),
    })))
}

/// `Binarizer`
#[derive(Debug)]
struct Threshold(f64);

impl Rows for Threshold {
    fn width(&self) -> Option<usize> {
        None
    }

    fn check(&self, x: &Table) -> Result<()> {
        x.check_numbers(Missing::Refused)
    }

    fn row(&self, from: &[f64], to: &mut [f64]) {
        to.iter_mut().zip(from).for_each(|(to, &from)| *to = f64::from(u8::from(from > self.0)));
    }

    fn keeps_single(&self) -> bool {
        true
    }
}

fn binarizer(fields: Fields<'_>) -> Result<Boxed> {
    Ok(Box::new(ByRow(Threshold(fields.float("threshold")?))))
}

/// `PolynomialFeatures`: products of columns, by which columns each takes.
#[derive(Debug)]
struct Polynomial {
    from: usize,
    products: Vec<Vec<usize>>,
}

/// Terms of one expansion.
const TERMS_MAX: usize = 1_000_000;

fn polynomial(fields: Fields<'_>) -> Result<Boxed> {
    let from = fields.count("n_features_in_")?;
    let (low, high) = match fields.optional_numbers("degree")?.as_deref() {
        Some(&[degree]) => (0, degree as usize),
        Some(&[low, high]) => (low as usize, high as usize),
        _ => return Err(fields.malformed("degree is no number or pair")),
    };
    let interaction_only = fields.flag("interaction_only", false);
    let mut products: Vec<Vec<usize>> = Vec::new();
    if fields.flag("include_bias", true) {
        products.push(Vec::new());
    }
    let mut level: Vec<Vec<usize>> = vec![Vec::new()];
    for degree in 1..=high {
        let mut next = Vec::new();
        for product in &level {
            let first = product.last().map_or(0, |&last| last + usize::from(interaction_only));
            for column in first..from {
                next.push(product.iter().copied().chain([column]).collect());
            }
            if next.len() > TERMS_MAX {
                return Err(fields.malformed(format!("more than {TERMS_MAX} terms")));
            }
        }
        level = next;
        if degree >= low.max(1) {
            products.extend(level.iter().cloned());
        }
    }
    Ok(Box::new(ByRow(Polynomial { from, products })))
}

impl Polynomial {
    /// Fills a row; `round` is done to what each product gives. A term is its first column times what is made of the
    /// others.
    fn fill(&self, from: &[f64], to: &mut [f64], round: impl Fn(f64) -> f64) {
        for (to, product) in to.iter_mut().zip(&self.products) {
            let columns = product.iter().rev().filter_map(|&at| from.get(at));
            *to = columns.fold(1.0, |product, x| round(product * x));
        }
    }
}

impl Rows for Polynomial {
    fn width(&self) -> Option<usize> {
        Some(self.from)
    }

    fn check(&self, x: &Table) -> Result<()> {
        x.check_numbers(Missing::Refused)
    }

    fn columns(&self, _width: usize) -> usize {
        self.products.len()
    }

    fn is_each(&self) -> bool {
        false
    }

    fn row(&self, from: &[f64], to: &mut [f64]) {
        self.fill(from, to, |x| x);
    }

    fn keeps_single(&self) -> bool {
        true
    }

    fn single_row(&self, from: &[f64], to: &mut [f64]) {
        self.fill(from, to, single);
    }
}
