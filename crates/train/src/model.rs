//! A fitted model: encoder, target and algorithm together.

use std::sync::Arc;

use arrow_array::{Float64Array, RecordBatch};

use crate::column::Column;
use crate::config::{Task, TrainConfig};
use crate::features::Encoder;
use crate::forest::{self, Forest, Targets, balanced};
use crate::linear::{LinearModel, least_squares, logistic};
use crate::matrix::Matrix;
use crate::metrics::{Predictions, Probabilities};
use crate::parameters::{ClassWeight, Estimator, SplitCriterion};
use crate::split::Split;
use crate::target::{self, Classes, Target};
use crate::{Error, Result};

/// What an algorithm learnt.
#[derive(Debug, Clone, PartialEq)]
pub enum Fitted {
    /// A random forest.
    Forest(Forest),
    /// A linear or logistic regression.
    Linear(LinearModel),
}

/// A model that predicts rows of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedModel {
    /// How columns become features.
    pub encoder: Encoder,
    /// Classes, in the order of the probabilities; none for regression.
    pub classes: Option<Classes>,
    /// The algorithm's result.
    pub fitted: Fitted,
    /// What the user should know (constant columns, a solver that did not converge).
    pub warnings: Vec<String>,
}

/// Called after each unit of work with (done, of); answers whether to go on.
pub type Tick<'a> = &'a (dyn Fn(usize, usize) -> bool + Sync);

/// Fits a model to the training rows of a split.
pub fn fit(split: &Split, config: &TrainConfig, tick: Tick<'_>) -> Result<FittedModel> {
    let (encoder, mut warnings) = Encoder::fit(&split.train, &split.features(), config)?;
    let matrix = encoder.encode(&split.train)?;
    let array = split.train.columns().last().ok_or(Error::EmptyTable)?;
    let target = Column::read(&config.target, array)?;
    let estimator = config.estimator()?;
    let (classes, fitted) = match target::read(&config.target, &target, split.task)? {
        Target::Classes { classes, labels } => {
            let fitted = fit_classes(&matrix, &classes, &labels, &estimator, config, tick)?;
            (Some(classes), fitted)
        }
        Target::Quantities(values) => {
            (None, fit_quantities(&matrix, &values, &estimator, config, tick)?)
        }
    };
    if let Fitted::Linear(LinearModel { converged: false, iterations: Some(steps), .. }) = &fitted {
        warnings.push(format!(
            "the solver did not reach its tolerance in {steps} steps; raise max_iter or tol"
        ));
    }
    Ok(FittedModel { encoder, classes, fitted, warnings })
}

fn fit_classes(
    matrix: &Matrix,
    classes: &Classes,
    labels: &[u32],
    estimator: &Estimator,
    config: &TrainConfig,
    tick: Tick<'_>,
) -> Result<Fitted> {
    match estimator {
        Estimator::RandomForest(params) => {
            if params.criterion == Some(SplitCriterion::SquaredError) {
                return Err(wrong_criterion("squared_error", "gini or entropy"));
            }
            let weights = class_weights(&params.class_weight, classes, labels)?;
            let targets = Targets::Classes {
                labels,
                weights: &weights,
                balanced_subsample: params.class_weight == ClassWeight::BalancedSubsample,
            };
            let total = params.n_estimators;
            forest::fit(matrix, targets, params, config.seed, &|done| tick(done, total))
                .map(Fitted::Forest)
        }
        Estimator::LogisticRegression(params) => {
            let by_class = class_weights(&params.class_weight, classes, labels)?;
            let weights: Vec<f64> = labels.iter().map(|&label| by_class[label as usize]).collect();
            Ok(Fitted::Linear(logistic::fit(matrix, labels, &weights, classes.len(), params)))
        }
        Estimator::LinearRegression(_) => {
            Err(Error::WrongTask { algorithm: config.algorithm, task: "classification" })
        }
    }
}

fn fit_quantities(
    matrix: &Matrix,
    values: &[f64],
    estimator: &Estimator,
    config: &TrainConfig,
    tick: Tick<'_>,
) -> Result<Fitted> {
    match estimator {
        Estimator::RandomForest(params) => {
            if params.criterion.is_some_and(|c| c != SplitCriterion::SquaredError) {
                return Err(wrong_criterion("gini or entropy", "squared_error"));
            }
            if params.class_weight != ClassWeight::Equal {
                return Err(Error::BadParameter {
                    name: "class_weight".to_owned(),
                    value: "given".to_owned(),
                    allowed: "left out for regression".to_owned(),
                });
            }
            let total = params.n_estimators;
            let tick = |done| tick(done, total);
            forest::fit(matrix, Targets::Quantities(values), params, config.seed, &tick)
                .map(Fitted::Forest)
        }
        Estimator::LinearRegression(params) => {
            Ok(Fitted::Linear(least_squares::fit(matrix, values, params)))
        }
        Estimator::LogisticRegression(_) => {
            Err(Error::WrongTask { algorithm: config.algorithm, task: "regression" })
        }
    }
}

fn wrong_criterion(given: &str, allowed: &str) -> Error {
    Error::BadParameter {
        name: "criterion".to_owned(),
        value: given.to_owned(),
        allowed: format!("{allowed} for this task"),
    }
}

/// One weight a class.
fn class_weights(weight: &ClassWeight, classes: &Classes, labels: &[u32]) -> Result<Vec<f64>> {
    let equal = vec![1.0; classes.len()];
    match weight {
        ClassWeight::Equal | ClassWeight::BalancedSubsample => Ok(equal),
        ClassWeight::Balanced => {
            Ok(balanced(labels.iter().map(|&label| (label, 1)), classes.len()))
        }
        ClassWeight::ByClass(given) => {
            let names = classes.names();
            if let Some(unknown) = given.keys().find(|class| !names.contains(class)) {
                return Err(Error::BadParameter {
                    name: "class_weight".to_owned(),
                    value: format!("{unknown:?}"),
                    allowed: format!("weights for the classes {}", names.join(", ")),
                });
            }
            Ok(names.iter().map(|name| given.get(name).copied().unwrap_or(1.0)).collect())
        }
    }
}

impl FittedModel {
    /// Classification or regression.
    pub fn task(&self) -> Task {
        if self.classes.is_some() { Task::Classification } else { Task::Regression }
    }

    /// Predicts rows of a table that has the feature columns.
    pub fn predict(&self, table: &RecordBatch) -> Result<Predictions> {
        let matrix = self.encoder.encode(table)?;
        let scores: Vec<f64> = match (&self.fitted, &self.classes) {
            (Fitted::Forest(forest), _) => {
                forest.predict(&matrix).into_iter().map(f64::from).collect()
            }
            (Fitted::Linear(model), Some(_)) => model.probabilities(&matrix),
            (Fitted::Linear(model), None) => model.scores(&matrix),
        };
        let Some(classes) = &self.classes else {
            return Ok(Predictions {
                values: Arc::new(Float64Array::from(scores)),
                probabilities: None,
            });
        };
        let labels: Vec<u32> = scores.chunks(classes.len()).map(first_largest).collect();
        Ok(Predictions {
            values: classes.column(&labels),
            probabilities: Some(Probabilities {
                classes: classes.names(),
                values: scores,
                epsilon: f64::from(f32::EPSILON),
            }),
        })
    }

    /// What the model looks at, strongest first: (encoded feature, weight). The decrease of
    /// impurity for a forest (sum 1); for a linear model the coefficient, or for several classes the
    /// mean of its absolute values.
    pub fn importances(&self) -> Vec<(String, f64)> {
        let names = self.encoder.feature_names();
        let weights = match &self.fitted {
            Fitted::Forest(forest) => forest.importances(names.len()),
            Fitted::Linear(model) => match model.coefficients.as_slice() {
                [only] | [_, only] => only.clone(),
                rows => (0..names.len())
                    .map(|feature| {
                        let sum: f64 = rows.iter().map(|row| row[feature].abs()).sum();
                        sum / rows.len() as f64
                    })
                    .collect(),
            },
        };
        let mut importances: Vec<(String, f64)> = names.into_iter().zip(weights).collect();
        importances.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        importances
    }
}

/// Index of the largest value, the first of equals.
fn first_largest(values: &[f64]) -> u32 {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best as u32
}
