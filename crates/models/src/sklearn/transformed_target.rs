//! `TransformedTargetRegressor`: what a regressor answers, through the inverse of what its target went
//! through.

use super::data::{Matrix, Output, Table};
use super::estimator::{Estimator, Fields};
use super::functions::Function;
use super::reader::{Boxed, Names, Nested, Reader};
use crate::Result;
use crate::python::Value;

pub(super) const READERS: &[Reader] =
    &[Reader::new("TransformedTargetRegressor", transformed_target)
        .note("functions; scalers, `PowerTransformer` and `QuantileTransformer`")
        .names(Names::Inner(&["regressor_"]))];

#[derive(Debug)]
struct Inverse {
    model: Boxed,
    way: Way,
    /// How many dimensions the target of training had: the answer has as many.
    dimensions: Option<i64>,
}

/// How an answer gets back to what the target was.
#[derive(Debug)]
enum Way {
    Each(fn(f64) -> f64),
    Transformer(Boxed),
}

fn transformed_target(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
    let model = nested.load(fields.value("regressor_")?)?;
    let way = if fields.optional("transformer").is_some() {
        let transformer = fields.value("transformer_")?;
        let way = nested.load(transformer)?;
        if !way.has_inverse() {
            let name = Fields(transformer).name();
            return Err(fields.unsupported(format!("the transformer {name} of the target")));
        }
        Way::Transformer(way)
    } else {
        let Some(function) = fields.optional("inverse_func") else {
            return if fields.optional("func").is_none() {
                Ok(model)
            } else {
                Err(fields.unsupported("a function without its inverse"))
            };
        };
        match Function::read(function) {
            Some(Function::Each(function)) => Way::Each(function),
            _ => return Err(fields.unsupported(format!("function {}", function.describe()))),
        }
    };
    let dimensions = fields.optional("_training_dim").and_then(Value::int);
    Ok(Box::new(Inverse { model, way, dimensions }))
}

impl Estimator for Inverse {
    fn predict(&self, x: &Table) -> Result<Output> {
        let answers = self.model.predict(x)?;
        let many = matches!(answers, Output::Table(_));
        let mut numbers: Matrix = answers.numbers()?;
        match &self.way {
            Way::Each(function) => numbers.values.iter_mut().for_each(|x| *x = function(*x)),
            Way::Transformer(transformer) => numbers = transformer.inverse_transform(&numbers)?,
        }
        let many = match self.dimensions {
            Some(1) if numbers.columns == 1 => false,
            Some(dimensions) => dimensions > 1 || many,
            None => many,
        };
        Ok(if many { Output::Table(numbers) } else { Output::Values(numbers.values) })
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        vec![&*self.model]
    }
}
