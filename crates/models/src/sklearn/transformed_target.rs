//! `TransformedTargetRegressor`: what a regressor answers, through the inverse of what its target went
//! through.

use super::data::{Matrix, Output, Table};
use super::estimator::{Estimator, Fields};
use super::functions::Function;
use super::reader::{Boxed, Names, Nested, Reader};
use crate::Result;

pub(super) const READERS: &[Reader] =
    &[Reader::new("TransformedTargetRegressor", transformed_target)
        .note("functions, no transformer")
        .names(Names::Inner(&["regressor_"]))];

#[derive(Debug)]
struct Inverse {
    model: Boxed,
    function: fn(f64) -> f64,
}

fn transformed_target(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
    let model = nested.load(fields.value("regressor_")?)?;
    if fields.optional("transformer").is_some() {
        return Err(fields.unsupported("a transformer of the target"));
    }
    let Some(function) = fields.optional("inverse_func") else {
        return if fields.optional("func").is_none() {
            Ok(model)
        } else {
            Err(fields.unsupported("a function without its inverse"))
        };
    };
    match Function::read(function) {
        Some(Function::Each(function)) => Ok(Box::new(Inverse { model, function })),
        _ => Err(fields.unsupported(format!("function {}", function.describe()))),
    }
}

impl Estimator for Inverse {
    fn predict(&self, x: &Table) -> Result<Output> {
        let answers = self.model.predict(x)?;
        let many = matches!(answers, Output::Table(_));
        let mut numbers: Matrix = answers.numbers()?;
        numbers.values.iter_mut().for_each(|x| *x = (self.function)(*x));
        Ok(if many { Output::Table(numbers) } else { Output::Values(numbers.values) })
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        vec![&*self.model]
    }
}
