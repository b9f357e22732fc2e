//! `MultiOutput*` and chains: an estimator for each output.

use super::data::{Matrix, Output, Table};
use super::estimator::Estimator;
use super::members::{Boxed, total_size};
use crate::Result;

#[derive(Debug)]
pub(super) struct MultiOutput(pub(super) Vec<Boxed>);

impl Estimator for MultiOutput {
    fn predict(&self, x: &Table) -> Result<Output> {
        let mut columns = Vec::new();
        let mut labels = Vec::new();
        for member in &self.0 {
            match member.predict(x)? {
                Output::Labels(chosen, classes) => labels.push((chosen, classes)),
                other => columns.push(other.numbers()?),
            }
        }
        if columns.is_empty() {
            return Ok(Output::ManyLabels(labels));
        }
        Ok(Output::Table(Matrix::beside(&columns, x.rows())?))
    }

    fn size_bytes(&self) -> usize {
        total_size(&self.0)
    }
}
