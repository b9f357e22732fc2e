//! `MLP*`: layers of weights.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, both, expit, labels_of_scores, softmax};
use super::reader::{Boxed, Reader};
use crate::{Error, Result};

pub(super) const READERS: &[Reader] =
    &[Reader::new("MLPClassifier MLPRegressor", |fields, _| network(fields))];

/// `MLP*`
#[derive(Debug)]
struct Network {
    /// Weights (outputs x inputs) and biases of each layer.
    layers: Vec<(Matrix, Vec<f64>)>,
    hidden: Activation,
    last: Activation,
    classes: Option<Arc<Classes>>,
    outputs: usize,
    /// Each class is a label of its own.
    multilabel: bool,
}

#[derive(Debug, Clone, Copy)]
enum Activation {
    Identity,
    Logistic,
    Tanh,
    Relu,
    Softmax,
    Exp,
}

impl Activation {
    fn read(fields: Fields<'_>, name: &str) -> Result<Self> {
        Ok(match fields.text(name, "") {
            "identity" => Self::Identity,
            "logistic" => Self::Logistic,
            "tanh" => Self::Tanh,
            "relu" => Self::Relu,
            "softmax" => Self::Softmax,
            "exp" => Self::Exp,
            other => return Err(fields.unsupported(format!("{name} {other:?}"))),
        })
    }

    fn apply(self, x: &mut Matrix) {
        let each: fn(f64) -> f64 = match self {
            Self::Identity => return,
            Self::Softmax => return softmax(x),
            Self::Logistic => expit,
            Self::Tanh => f64::tanh,
            Self::Exp => f64::exp,
            Self::Relu => |x| if x < 0.0 { 0.0 } else { x },
        };
        x.values.iter_mut().for_each(|x| *x = each(*x));
    }
}

fn network(fields: Fields<'_>) -> Result<Boxed> {
    let classes = fields.classes_if_any()?;
    let mut layers = Vec::new();
    let (coefs, intercepts) = (fields.items("coefs_")?, fields.items("intercepts_")?);
    fields.check_length("intercepts_", intercepts.len(), coefs.len())?;
    if fields.optional("n_layers_").is_some() {
        fields.check_length("coefs_", coefs.len() + 1, fields.count("n_layers_")?)?;
    }
    for (weights, biases) in coefs.into_iter().zip(intercepts) {
        let weights = super::estimator::matrix(weights)
            .ok_or_else(|| fields.malformed("coefs_ hold no matrices"))?;
        let turned = (0..weights.columns).flat_map(|at| weights.column(at)).collect();
        let biases = super::estimator::numbers(biases)
            .ok_or_else(|| fields.malformed("intercepts_ hold no numbers"))?;
        fields.check_length("intercepts_ of a layer", biases.len(), weights.columns)?;
        layers.push((Matrix::new(weights.columns, weights.rows, turned), biases));
    }
    let outputs = layers.last().map_or(0, |(weights, _)| weights.rows);
    let multilabel = fields
        .optional("_label_binarizer")
        .is_some_and(|binarizer| Fields(binarizer).text("y_type_", "").starts_with("multilabel"));
    if classes
        .as_ref()
        .is_some_and(|classes| outputs != classes.len() && !(outputs == 1 && classes.len() == 2))
    {
        return Err(fields.malformed(format!("{outputs} outputs do not fit the classes")));
    }
    Ok(Box::new(Network {
        layers,
        hidden: Activation::read(fields, "activation")?,
        last: Activation::read(fields, "out_activation_")?,
        classes,
        outputs,
        multilabel,
    }))
}

impl Network {
    fn forward(&self, x: &Table) -> Result<Matrix> {
        let Some((weights, biases)) = self.layers.first() else {
            return Err(Error::Input("the network has no layers".into()));
        };
        let mut x = x.times_transposed(weights, biases)?;
        for (number, (weights, biases)) in self.layers.iter().enumerate() {
            if number > 0 {
                x = x.times_transposed(weights, biases)?;
            }
            if number + 1 == self.layers.len() { self.last } else { self.hidden }.apply(&mut x);
        }
        Ok(x)
    }
}

impl Estimator for Network {
    fn predict(&self, x: &Table) -> Result<Output> {
        let answers = self.forward(x)?;
        Ok(match &self.classes {
            Some(_) if self.multilabel => Output::present(&answers, 0.5),
            Some(classes) => Output::Labels(labels_of_scores(&answers, 0.5), Arc::clone(classes)),
            None if self.outputs == 1 => Output::Values(answers.values),
            None => Output::Table(answers),
        })
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let answers = self.forward(x)?;
        Ok(if answers.columns == 1 && !self.multilabel {
            both(answers.values.iter().copied(), answers.rows)
        } else {
            answers
        })
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.classes.is_some()
    }

    fn size_bytes(&self) -> usize {
        self.layers.iter().map(|(weights, _)| size_of_val(weights.values.as_slice())).sum()
    }
}
