//! `Dummy*`, as far as they do not draw at random.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, arg_max};
use super::reader::{Boxed, Reader};
use crate::Result;

pub(super) const READERS: &[Reader] = &[
    Reader::new("DummyClassifier", |fields, _| classifier(fields)).note("prior, most frequent"),
    Reader::new("DummyRegressor", |fields, _| regressor(fields)),
];

/// `DummyClassifier` and `DummyRegressor`, as far as they do not draw at random.
#[derive(Debug)]
struct Dummy {
    values: Vec<f64>,
    classes: Option<Arc<Classes>>,
}

fn regressor(fields: Fields<'_>) -> Result<Boxed> {
    let values = fields.numbers("constant_")?;
    if fields.optional("n_outputs_").is_some() {
        fields.check_length("constant_", values.len(), fields.count("n_outputs_")?)?;
    }
    Ok(Box::new(Dummy { values, classes: None }))
}

fn classifier(fields: Fields<'_>) -> Result<Boxed> {
    let mut values = fields.numbers("class_prior_")?;
    match fields.text("strategy", "prior") {
        "prior" => {}
        "most_frequent" => {
            let most = arg_max(&values);
            values = (0..values.len()).map(|at| f64::from(u8::from(at == most))).collect();
        }
        other => return Err(fields.unsupported(format!("strategy {other:?}"))),
    }
    let classes = fields.classes("classes_")?;
    fields.check_length("class_prior_", values.len(), classes.len())?;
    Ok(Box::new(Dummy { values, classes: Some(classes) }))
}

impl Estimator for Dummy {
    fn predict(&self, x: &Table) -> Result<Output> {
        Ok(match &self.classes {
            Some(classes) => {
                Output::Labels(vec![arg_max(&self.values); x.rows()], Arc::clone(classes))
            }
            None if self.values.len() == 1 => {
                Output::Values(self.values.iter().copied().cycle().take(x.rows()).collect())
            }
            None => Output::Table(self.predict_proba(x)?),
        })
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let mut result = Matrix::zeros(x.rows(), self.values.len())?;
        result.each_row_mut().for_each(|row| row.copy_from_slice(&self.values));
        Ok(result)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.classes.is_some()
    }

    fn takes_frame(&self) -> bool {
        true
    }
}
