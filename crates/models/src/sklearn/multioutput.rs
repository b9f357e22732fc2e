//! `MultiOutput*`: an estimator for each output.

use super::data::{Matrix, Output, Table};
use super::estimator::{Estimator, Fields};
use super::members::{members, parts};
use super::reader::{Boxed, Names, Nested, Reader};
use crate::Result;
use crate::python::Value;

pub(super) const READERS: &[Reader] =
    &[Reader::new("MultiOutputClassifier MultiOutputRegressor", MultiOutput::read)
        .names(Names::Inner(&["estimators_"]))];

#[derive(Debug)]
struct MultiOutput {
    members: Vec<Boxed>,
}

impl MultiOutput {
    fn read(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
        let members = members(fields, "estimators_", nested)?;
        if let Some(classes) = fields.optional("classes_").and_then(Value::items) {
            fields.check_length("estimators_", members.len(), classes.len())?;
        }
        Ok(Box::new(Self { members }))
    }
}

impl Estimator for MultiOutput {
    fn predict(&self, x: &Table) -> Result<Output> {
        let mut columns = Vec::new();
        let mut labels = Vec::new();
        for member in &self.members {
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

    fn parts(&self) -> Vec<&dyn Estimator> {
        parts(&self.members)
    }
}
