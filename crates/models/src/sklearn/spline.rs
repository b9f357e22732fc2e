//! `SplineTransformer`: each column as the basis of B-splines over the knots that training placed.

use super::data::{Matrix, Sparse, Table};
use super::estimator::{Estimator, Fields, matrix, numbers};
use super::matrix::single;
use super::reader::{Boxed, Reader};
use crate::python::Value;
use crate::{Error, Result};

pub(super) const READERS: &[Reader] =
    &[Reader::new("SplineTransformer", |fields, _| Splines::read(fields))];

/// Highest degree; scikit-learn's default is 3.
const DEGREE_MAX: usize = 20;

#[derive(Debug)]
struct Splines {
    columns: Vec<Basis>,
    beyond: Beyond,
    /// Whether a missing value becomes zeros.
    missing_is_zero: bool,
    include_bias: bool,
    sparse: bool,
}

/// What is answered outside of the knots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beyond {
    Refuse,
    Constant,
    Linear,
    Continue,
    Periodic,
}

/// The B-splines of one column.
#[derive(Debug)]
struct Basis {
    knots: Vec<f64>,
    degree: usize,
    /// How many there are; of periodic ones the last ones are the first ones again.
    count: usize,
    /// What each is at the first and the last knot within, and how it rises there.
    low: Edge,
    high: Edge,
}

#[derive(Debug, Default)]
struct Edge {
    at: f64,
    values: Vec<f64>,
    slopes: Vec<f64>,
}

impl Splines {
    fn read(fields: Fields<'_>) -> Result<Boxed> {
        let beyond = match fields.text("extrapolation", "constant") {
            "error" => Beyond::Refuse,
            "constant" => Beyond::Constant,
            "linear" => Beyond::Linear,
            "continue" => Beyond::Continue,
            "periodic" => Beyond::Periodic,
            other => return Err(fields.unsupported(format!("extrapolation {other:?}"))),
        };
        let each = fields.items("bsplines_")?.into_iter();
        let columns: Vec<Basis> =
            each.map(|spline| Basis::read(fields, spline)).collect::<Result<_>>()?;
        fields.check_length("bsplines_", columns.len(), fields.count("n_features_in_")?)?;
        // It counts the degree up at the first column and takes the others for ones of degree 2.
        if beyond == Beyond::Linear && columns.len() > 1 && columns.iter().any(|it| it.degree == 1)
        {
            return Err(
                fields.unsupported("extrapolation=\"linear\" of degree 1 for several columns")
            );
        }
        Ok(Box::new(Self {
            columns,
            beyond,
            missing_is_zero: fields.text("handle_missing", "error") == "zeros",
            include_bias: fields.flag("include_bias", true),
            sparse: fields.flag("sparse_output", false),
        }))
    }

    /// The splines of a column at one value.
    fn fill(&self, basis: &Basis, name: &dyn Fn() -> String, x: f64, to: &mut [f64]) -> Result<()> {
        to.fill(0.0);
        if x.is_nan() {
            return Ok(());
        }
        let (low, high) = (basis.low.at, basis.high.at);
        let x = match self.beyond {
            Beyond::Periodic => low + (x - low).rem_euclid(high - low),
            _ => x,
        };
        let is_outside = x < low || x > high;
        match self.beyond {
            Beyond::Refuse if is_outside => {
                return Err(Error::Input(format!(
                    "column {:?} holds {x}, which is beyond the knots {low} to {high}",
                    name()
                )));
            }
            Beyond::Constant | Beyond::Linear if is_outside => {
                let edge = if x < low { &basis.low } else { &basis.high };
                let rises = self.beyond == Beyond::Linear;
                for (to, (value, slope)) in to.iter_mut().zip(edge.values.iter().zip(&edge.slopes))
                {
                    *to = if rises { value + (x - edge.at) * slope } else { *value };
                }
            }
            _ => basis.add(x, to),
        }
        Ok(())
    }
}

impl Basis {
    fn read(fields: Fields<'_>, spline: Value<'_>) -> Result<Self> {
        // SciPy 1.15 and later write an underscore before both.
        let part = |name: &str, old: &str| spline.get(name).or_else(|| spline.get(old));
        let knots = part("_t", "t").and_then(numbers);
        let coefficients = part("_c", "c").and_then(matrix);
        let (Some(knots), Some(coefficients)) = (knots, coefficients) else {
            return Err(fields.malformed("a spline lacks its knots or coefficients"));
        };
        let degree = Fields(spline).count("k")?;
        if degree == 0 || degree > DEGREE_MAX {
            return Err(fields.unsupported(format!("degree {degree}")));
        }
        let count = coefficients.columns;
        if knots.len() < 2 * degree + 2
            || coefficients.rows != knots.len() - degree - 1
            || !knots.is_sorted()
            || count == 0
        {
            return Err(fields.malformed("knots and coefficients of a spline do not fit"));
        }
        let is_unit = |at: usize, row: &[f64]| {
            row.iter().enumerate().all(|(to, &x)| x == f64::from(u8::from(to == at % count)))
        };
        if !coefficients.each_row().enumerate().all(|(at, row)| is_unit(at, row)) {
            return Err(fields.malformed("the coefficients of a spline are no basis"));
        }
        let mut basis = Self { knots, degree, count, low: Edge::default(), high: Edge::default() };
        basis.low = basis.edge(basis.knot(degree));
        basis.high = basis.edge(basis.knot(basis.knots.len() - 1 - degree));
        // Knots that all are one number have no pieces between them.
        if basis.high.at <= basis.low.at {
            return Err(fields.unsupported("a column that never varies"));
        }
        Ok(basis)
    }

    fn knot(&self, at: usize) -> f64 {
        self.knots.get(at).copied().unwrap_or(f64::NAN)
    }

    /// The piece between two knots that holds `x`; of what is outside, the first or last piece.
    fn piece(&self, x: f64) -> usize {
        let last = self.knots.len() - self.degree - 2;
        let after = self.knots.partition_point(|&knot| knot <= x);
        after.saturating_sub(1).clamp(self.degree, last)
    }

    /// The splines of `degree` that are not zero on a piece, by the recurrence of de Boor and Cox.
    fn pieces(&self, x: f64, piece: usize, degree: usize) -> Vec<f64> {
        let mut values = vec![1.0];
        for degree in 1..=degree {
            let mut next = vec![0.0; degree + 1];
            for (at, value) in values.iter().enumerate() {
                let right = self.knot(piece + 1 + at);
                let left = self.knot(piece + 1 + at - degree);
                let share = if right > left { value / (right - left) } else { 0.0 };
                for (place, weight) in [(at, right - x), (at + 1, x - left)] {
                    if let Some(sum) = next.get_mut(place) {
                        *sum += weight * share;
                    }
                }
            }
            values = next;
        }
        values
    }

    /// Adds what each spline is at `x`.
    fn add(&self, x: f64, to: &mut [f64]) {
        let piece = self.piece(x);
        for (at, value) in (piece - self.degree..).zip(self.pieces(x, piece, self.degree)) {
            if let Some(to) = to.get_mut(at % self.count) {
                *to += value;
            }
        }
    }

    fn edge(&self, x: f64) -> Edge {
        let mut edge = Edge { at: x, values: vec![0.0; self.count], slopes: vec![0.0; self.count] };
        self.add(x, &mut edge.values);
        let piece = self.piece(x);
        // A spline rises by those of one degree less on its two sides.
        let lower = self.pieces(x, piece, self.degree - 1);
        let first = piece - self.degree;
        for (spline, value) in (first + 1..).zip(lower) {
            let span = self.knot(spline + self.degree) - self.knot(spline);
            let slope = if span > 0.0 { self.degree as f64 * value / span } else { 0.0 };
            for (spline, slope) in [(spline - 1, -slope), (spline, slope)] {
                if let Some(to) = edge.slopes.get_mut(spline % self.count) {
                    *to += slope;
                }
            }
        }
        edge
    }
}

impl Estimator for Splines {
    fn transform(&self, x: Table) -> Result<Table> {
        let numbers = if self.missing_is_zero { x.matrix()? } else { x.finite()? };
        numbers.check_width(self.columns.len())?;
        if let Some(infinite) = numbers.values.iter().find(|x| x.is_infinite()) {
            return Err(Error::Input(format!("{infinite} where the model takes finite numbers")));
        }
        let kept = |basis: &Basis| basis.count - usize::from(!self.include_bias);
        let width = self.columns.iter().map(kept).sum();
        let mut result = Matrix::zeros(numbers.rows, width)?;
        // Rows of mostly zeros are of 64 bits.
        result.is_single = numbers.is_single && !self.sparse;
        let is_single = result.is_single;
        let mut values = Vec::new();
        for (row, to) in numbers.each_row().zip(result.each_row_mut()) {
            let mut to = to.iter_mut();
            for (at, (basis, &number)) in self.columns.iter().zip(row).enumerate() {
                values.resize(basis.count, 0.0);
                self.fill(basis, &|| x.name(at), number, &mut values)?;
                for (to, value) in to.by_ref().take(kept(basis)).zip(&values) {
                    *to = if is_single { single(*value) } else { *value };
                }
            }
        }
        Ok(if self.sparse {
            Table::Sparse(Sparse::from_matrix(&result)?)
        } else {
            Table::Matrix(result)
        })
    }

    fn size_bytes(&self) -> usize {
        self.columns.iter().map(|basis| size_of_val(basis.knots.as_slice())).sum()
    }
}
