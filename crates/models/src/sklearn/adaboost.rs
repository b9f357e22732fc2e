//! `AdaBoost*`: members that vote by weight.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, labels_of_scores, softmax};
use super::members::{members, parts, places};
use super::reader::{Boxed, Nested, Reader};
use crate::{Error, Result};

pub(super) const READERS: &[Reader] = &[
    Reader::new("AdaBoostClassifier", AdaBoost::read),
    Reader::new("AdaBoostRegressor", AdaBoostRegressor::read),
];

#[derive(Debug)]
struct AdaBoost {
    members: Vec<Boxed>,
    weights: Vec<f64>,
    classes: Arc<Classes>,
    /// SAMME.R of scikit-learn before 1.6: members vote with probabilities.
    real: bool,
    /// Whether a vote for one class is one against the others, which it is since 1.3.1.
    votes_against: bool,
}

/// Weights of the members. Boosting that ends early leaves zeros behind them.
fn weights(fields: Fields<'_>, members: usize) -> Result<Vec<f64>> {
    let mut weights = fields.numbers("estimator_weights_")?;
    if fields.optional("n_estimators").is_some() {
        fields.check_length("estimator_weights_", weights.len(), fields.count("n_estimators")?)?;
    }
    if members > weights.len() || weights.iter().skip(members).any(|weight| *weight != 0.0) {
        return Err(fields.malformed(format!("{} weights of {members} members", weights.len())));
    }
    weights.truncate(members);
    Ok(weights)
}

impl AdaBoost {
    fn read(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
        let members = members(fields, "estimators_", nested)?;
        let weights = weights(fields, members.len())?;
        let is_known = fields.version() != (0, 0);
        let is_older = fields.version() < (1, 3) || fields.text("_sklearn_version", "") == "1.3.0";
        // Since 1.6 there is only SAMME, and the parameter is kept as "deprecated".
        Ok(Box::new(Self {
            members,
            weights,
            classes: fields.classes("classes_")?,
            real: fields.text("algorithm", "SAMME") == "SAMME.R",
            votes_against: !(is_known && is_older),
        }))
    }

    /// A column for each class.
    fn scores(&self, x: &Table) -> Result<Matrix> {
        x.finite()?;
        let classes = self.classes.len();
        let mut scores = Matrix::zeros(x.rows(), classes)?;
        let others = (classes.max(2) - 1) as f64;
        for (member, &weight) in self.members.iter().zip(&self.weights) {
            let places = places(&**member, &self.classes, false);
            if self.real {
                let mut logs = member.predict_proba(x)?;
                logs.values.iter_mut().for_each(|p| *p = p.max(f64::EPSILON).ln());
                for (scores, logs) in scores.each_row_mut().zip(logs.each_row()) {
                    let mean = logs.iter().sum::<f64>() / classes as f64;
                    scores
                        .iter_mut()
                        .zip(logs)
                        .for_each(|(score, log)| *score += others * (log - mean));
                }
                continue;
            }
            let Output::Labels(chosen, _) = member.predict(x)? else {
                return Err(Error::Input("a member is no classifier".into()));
            };
            for (scores, chosen) in scores.each_row_mut().zip(chosen) {
                let chosen = places.get(chosen).copied();
                for (at, score) in scores.iter_mut().enumerate() {
                    *score += if Some(at) == chosen {
                        weight
                    } else if self.votes_against {
                        -1.0 / others * weight
                    } else {
                        0.0
                    };
                }
            }
        }
        let total = if self.real { self.members.len() as f64 } else { self.weights.iter().sum() };
        scores.values.iter_mut().for_each(|score| *score /= total);
        Ok(scores)
    }
}

impl Estimator for AdaBoost {
    fn predict(&self, x: &Table) -> Result<Output> {
        Ok(Output::Labels(
            labels_of_scores(&self.decision_function(x)?, 0.0),
            Arc::clone(&self.classes),
        ))
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        let scores = self.scores(x)?;
        if scores.columns != 2 {
            return Ok(scores);
        }
        let difference = scores
            .each_row()
            .map(|row| row.iter().rev().zip([1.0, -1.0]).map(|(x, sign)| x * sign).sum());
        Ok(Matrix::new(scores.rows, 1, difference.collect()))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let decision = self.decision_function(x)?;
        let mut scores = if decision.columns == 1 {
            Matrix::new(
                decision.rows,
                2,
                decision.values.iter().flat_map(|&x| [-x / 2.0, x / 2.0]).collect(),
            )
        } else {
            let others = (decision.columns - 1) as f64;
            Matrix::new(
                decision.rows,
                decision.columns,
                decision.values.iter().map(|x| x / others).collect(),
            )
        };
        softmax(&mut scores);
        Ok(scores)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        Some(&self.classes)
    }

    fn has_proba(&self) -> bool {
        true
    }

    fn has_decision(&self) -> bool {
        true
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        parts(&self.members)
    }
}

/// The weighted median of the members.
#[derive(Debug)]
struct AdaBoostRegressor {
    members: Vec<Boxed>,
    weights: Vec<f64>,
}

impl AdaBoostRegressor {
    fn read(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
        let members = members(fields, "estimators_", nested)?;
        let weights = weights(fields, members.len())?;
        Ok(Box::new(Self { members, weights }))
    }
}

impl Estimator for AdaBoostRegressor {
    fn predict(&self, x: &Table) -> Result<Output> {
        x.finite()?;
        let answers = self
            .members
            .iter()
            .map(|member| Ok(member.predict(x)?.numbers()?.values))
            .collect::<Result<Vec<_>>>()?;
        let half = 0.5 * self.weights.iter().take(answers.len()).sum::<f64>();
        let median = |row: usize| {
            let mut values: Vec<(f64, f64)> = answers
                .iter()
                .zip(&self.weights)
                .filter_map(|(answer, &weight)| Some((*answer.get(row)?, weight)))
                .collect();
            values.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut sum = 0.0;
            for (value, weight) in values {
                sum += weight;
                if sum >= half {
                    return value;
                }
            }
            f64::NAN
        };
        Ok(Output::Values((0..x.rows()).map(median).collect()))
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        parts(&self.members)
    }
}
