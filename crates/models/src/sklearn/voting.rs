//! Ensembles of unlike members: voting and stacking.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, arg_max};
use super::members::{members, parts};
use super::reader::{Boxed, Names, Nested, Reader};
use crate::python::Value;
use crate::{Error, Result};

pub(super) const READERS: &[Reader] = &[
    Reader::new("VotingClassifier VotingRegressor", Voting::read)
        .names(Names::Inner(&["estimators_"])),
    Reader::new("StackingClassifier StackingRegressor", Stacking::read)
        .names(Names::Inner(&["estimators_"])),
];

#[derive(Debug)]
struct Voting {
    members: Vec<Boxed>,
    weights: Vec<f64>,
    classes: Option<Arc<Classes>>,
    soft: bool,
}

impl Voting {
    fn read(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
        let members = members(fields, "estimators_", nested)?;
        let mut weights = fields.optional_numbers("weights")?.unwrap_or_default();
        // Weights are given for all estimators, also those that are dropped.
        let dropped: Vec<bool> = fields
            .items("estimators")?
            .iter()
            .map(|pair| {
                pair.items().and_then(|pair| pair.get(1).copied()).and_then(Value::text)
                    == Some("drop")
            })
            .collect();
        let kept = dropped.iter().filter(|dropped| !**dropped).count();
        fields.check_length("estimators", kept, members.len())?;
        if weights.is_empty() {
            weights = vec![1.0; members.len()];
        } else {
            let mut dropped = dropped.into_iter();
            weights.retain(|_| dropped.next() != Some(true));
            fields.check_length("weights", weights.len(), members.len())?;
        }
        let classes = fields.classes_if_any()?;
        // All members saw all classes.
        for inner in members.iter().filter_map(|member| member.classes()) {
            if let Some(classes) = &classes {
                fields.check_length("classes_", classes.len(), inner.len())?;
            }
        }
        let soft = fields.text("voting", "hard") == "soft";
        Ok(Box::new(Self { members, weights, classes, soft }))
    }
}

impl Estimator for Voting {
    fn predict(&self, x: &Table) -> Result<Output> {
        let Some(classes) = &self.classes else {
            let mut sums = vec![0.0; x.rows()];
            for (member, weight) in self.members.iter().zip(&self.weights) {
                for (sum, value) in sums.iter_mut().zip(member.predict(x)?.numbers()?.values) {
                    *sum += value * weight;
                }
            }
            let total: f64 = self.weights.iter().sum();
            return Ok(Output::Values(sums.into_iter().map(|sum| sum / total).collect()));
        };
        let votes = if self.soft {
            self.predict_proba(x)?
        } else {
            let mut votes = Matrix::zeros(x.rows(), classes.len())?;
            for (member, weight) in self.members.iter().zip(&self.weights) {
                for (row, vote) in votes.each_row_mut().zip(member.predict(x)?.numbers()?.values) {
                    if let Some(votes) = row.get_mut(vote as usize) {
                        *votes += weight;
                    }
                }
            }
            votes
        };
        Ok(Output::Labels(votes.each_row().map(arg_max).collect(), Arc::clone(classes)))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let classes = self
            .classes
            .as_ref()
            .filter(|_| self.soft)
            .ok_or_else(|| Error::Input("hard voting has no predict_proba".into()))?;
        let mut sums = Matrix::zeros(x.rows(), classes.len())?;
        for (member, weight) in self.members.iter().zip(&self.weights) {
            let shares = member.predict_proba(x)?;
            sums.values
                .iter_mut()
                .zip(&shares.values)
                .for_each(|(sum, share)| *sum += share * weight);
        }
        let total: f64 = self.weights.iter().sum();
        sums.values.iter_mut().for_each(|sum| *sum /= total);
        Ok(sums)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.soft && self.classes.is_some()
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        parts(&self.members)
    }
}

#[derive(Debug)]
struct Stacking {
    members: Vec<(Boxed, Ask)>,
    last: Boxed,
    passthrough: bool,
    classes: Option<Arc<Classes>>,
}

/// What a stacked member is asked.
#[derive(Debug, Clone, Copy)]
enum Ask {
    Predict,
    Proba,
    Decision,
}

impl Stacking {
    fn read(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
        let methods =
            fields.items("stack_method_")?.into_iter().map(|method| match method.text() {
                Some("predict") => Ok(Ask::Predict),
                Some("predict_proba") => Ok(Ask::Proba),
                Some("decision_function") => Ok(Ask::Decision),
                _ => Err(fields.unsupported(format!("stack method {}", method.describe()))),
            });
        let methods = methods.collect::<Result<Vec<_>>>()?;
        let members = members(fields, "estimators_", nested)?;
        fields.check_length("stack_method_", methods.len(), members.len())?;
        let classes = fields.classes_if_any()?;
        let last = nested.load(fields.value("final_estimator_")?)?;
        if let (Some(classes), Some(inner)) = (&classes, last.classes()) {
            fields.check_length("classes_", classes.len(), inner.len())?;
        }
        Ok(Box::new(Self {
            members: members.into_iter().zip(methods).collect(),
            last,
            passthrough: fields.flag("passthrough", false),
            classes,
        }))
    }

    fn answers(&self, x: &Table) -> Result<Table> {
        let mut parts = Vec::new();
        for (member, ask) in &self.members {
            let answer = match ask {
                Ask::Predict => member.predict(x)?.numbers()?,
                Ask::Decision => member.decision_function(x)?,
                Ask::Proba => {
                    let shares = member.predict_proba(x)?;
                    // Of two classes the second says it all.
                    if shares.columns == 2 { shares.select(&[1])? } else { shares }
                }
            };
            parts.push(answer);
        }
        if self.passthrough {
            parts.push(x.matrix()?.into_owned());
        }
        Ok(Table::Matrix(Matrix::beside(&parts, x.rows())?))
    }
}

impl Estimator for Stacking {
    fn predict(&self, x: &Table) -> Result<Output> {
        let output = self.last.predict(&self.answers(x)?)?;
        match (&self.classes, output) {
            (Some(classes), Output::Labels(chosen, inner)) => {
                let chosen = chosen
                    .into_iter()
                    .map(|at| inner.number(at).map_or(at, |number| number as usize))
                    .collect();
                Ok(Output::Labels(chosen, Arc::clone(classes)))
            }
            (_, output) => Ok(output),
        }
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        self.last.predict_proba(&self.answers(x)?)
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        self.last.decision_function(&self.answers(x)?)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.last.has_proba()
    }

    fn has_decision(&self) -> bool {
        self.last.has_decision()
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        // The last one sees numbers: what the members answer.
        self.members.iter().map(|(member, _)| &**member).collect()
    }

    fn size_bytes(&self) -> usize {
        self.last.size_bytes() + self.parts().iter().map(|part| part.size_bytes()).sum::<usize>()
    }
}
