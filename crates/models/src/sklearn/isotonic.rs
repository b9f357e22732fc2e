//! `IsotonicRegression`: a curve of straight lines that never falls, or never rises.

use super::data::{Output, Table};
use super::estimator::{Estimator, Fields};
use super::reader::{Boxed, Reader};
use crate::numeric::interpolation::interpolate;
use crate::python::Elements;
use crate::{Error, Result};

pub(super) const READERS: &[Reader] =
    &[Reader::new("IsotonicRegression", |fields, _| Isotonic::read(fields))];

#[derive(Debug)]
struct Isotonic {
    x: Vec<f64>,
    y: Vec<f64>,
    beyond: Beyond,
    /// Whether it was fitted to singles, and answers in them.
    single: bool,
}

/// What is answered outside of the range that training saw.
#[derive(Debug, Clone, Copy)]
enum Beyond {
    Missing,
    Clip,
    Refuse,
}

impl Isotonic {
    fn read(fields: Fields<'_>) -> Result<Boxed> {
        let (x, y) = (fields.numbers("X_thresholds_")?, fields.numbers("y_thresholds_")?);
        fields.check_length("y_thresholds_", y.len(), x.len())?;
        if x.is_empty() || !x.is_sorted() {
            return Err(fields.malformed("X_thresholds_ do not ascend"));
        }
        let beyond = match fields.text("out_of_bounds", "nan") {
            "nan" => Beyond::Missing,
            "clip" => Beyond::Clip,
            "raise" => Beyond::Refuse,
            other => return Err(fields.unsupported(format!("out_of_bounds {other:?}"))),
        };
        let single = matches!(fields.array("X_thresholds_")?.elements, Elements::F32(_));
        Ok(Box::new(Self { x, y, beyond, single }))
    }

    fn at(&self, x: f64) -> Result<f64> {
        let x = if self.single { f64::from(x as f32) } else { x };
        let y = match (self.x.as_slice(), self.y.as_slice()) {
            // A single point answers the same everywhere.
            ([_], [y]) => *y,
            ([low, .., high], _) if x < *low || x > *high => match self.beyond {
                Beyond::Clip => interpolate(&self.x, &self.y, x),
                Beyond::Missing => f64::NAN,
                Beyond::Refuse => {
                    let range = format!("{low} to {high}");
                    return Err(Error::Input(format!(
                        "{x} is outside of {range}, which is all that the model answers"
                    )));
                }
            },
            _ => interpolate(&self.x, &self.y, x),
        };
        Ok(if self.single { f64::from(y as f32) } else { y })
    }
}

impl Estimator for Isotonic {
    fn predict(&self, x: &Table) -> Result<Output> {
        let x = x.finite()?;
        x.check_width(1)?;
        Ok(Output::Values(x.values.iter().map(|&x| self.at(x)).collect::<Result<_>>()?))
    }

    fn size_bytes(&self) -> usize {
        2 * size_of_val(self.x.as_slice())
    }
}
