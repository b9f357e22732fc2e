//! `Bagging*`: members that each saw a part of the rows and columns.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, arg_max, numbers};
use super::members::{members, places};
use super::reader::{Boxed, Nested, Reader};
use crate::{Error, Result};

pub(super) const READERS: &[Reader] =
    &[Reader::new("BaggingClassifier BaggingRegressor", Bagging::read)];

/// Each member with the columns it sees.
#[derive(Debug)]
struct Bagging {
    members: Vec<(Boxed, Option<Vec<usize>>)>,
    classes: Option<Arc<Classes>>,
}

impl Bagging {
    fn read(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
        let width = fields.count("n_features_in_")?;
        let columns = fields.items("estimators_features_")?.into_iter().map(|value| {
            let columns: Vec<usize> =
                numbers(value).unwrap_or_default().into_iter().map(|x| x as usize).collect();
            (!columns.iter().copied().eq(0..width)).then_some(columns)
        });
        let columns: Vec<_> = columns.collect();
        let classes = fields.classes_if_any()?;
        let members = members(fields, "estimators_", nested)?;
        fields.check_length("estimators_features_", columns.len(), members.len())?;
        if fields.optional("n_estimators").is_some() {
            fields.check_length("estimators_", members.len(), fields.count("n_estimators")?)?;
        }
        Ok(Box::new(Self { members: members.into_iter().zip(columns).collect(), classes }))
    }

    fn each<T>(
        &self,
        x: &Table,
        mut visit: impl FnMut(&dyn Estimator, &Table) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.members
            .iter()
            .map(|(member, columns)| match columns {
                Some(columns) => visit(&**member, &x.select(columns)?),
                None => visit(&**member, x),
            })
            .collect()
    }
}

impl Estimator for Bagging {
    fn predict(&self, x: &Table) -> Result<Output> {
        if let Some(classes) = &self.classes {
            let shares = self.predict_proba(x)?;
            return Ok(Output::Labels(
                shares.each_row().map(arg_max).collect(),
                Arc::clone(classes),
            ));
        }
        let mut sums: Vec<f64> = Vec::new();
        let mut width = 1;
        for answer in self.each(x, |member, x| member.predict(x)?.numbers())? {
            width = answer.columns;
            sums.resize(answer.values.len(), 0.0);
            sums.iter_mut().zip(&answer.values).for_each(|(sum, value)| *sum += value);
        }
        for sum in &mut sums {
            *sum /= self.members.len() as f64;
        }
        Ok(if width == 1 {
            Output::Values(sums)
        } else {
            Output::Table(Matrix::new(x.rows(), width, sums))
        })
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let classes = self
            .classes
            .as_ref()
            .ok_or_else(|| Error::Input("a regressor has no predict_proba".into()))?;
        let mut sums = Matrix::zeros(x.rows(), classes.len())?;
        self.each(x, |member, x| {
            let places = places(member, classes, true);
            if member.has_proba() {
                for (sums, shares) in sums.each_row_mut().zip(member.predict_proba(x)?.each_row()) {
                    for (share, place) in shares.iter().zip(&places) {
                        if let Some(sum) = sums.get_mut(*place) {
                            *sum += share;
                        }
                    }
                }
            } else if let Output::Labels(chosen, _) = member.predict(x)? {
                for (sums, chosen) in sums.each_row_mut().zip(chosen) {
                    if let Some(sum) = places.get(chosen).and_then(|&place| sums.get_mut(place)) {
                        *sum += 1.0;
                    }
                }
            }
            Ok(())
        })?;
        sums.values.iter_mut().for_each(|sum| *sum /= self.members.len() as f64);
        Ok(sums)
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        let mut answers = self.each(x, |member, x| member.decision_function(x))?.into_iter();
        let mut sums =
            answers.next().ok_or_else(|| Error::Input("the ensemble is empty".into()))?;
        for answer in answers {
            sums.values.iter_mut().zip(&answer.values).for_each(|(sum, value)| *sum += value);
        }
        sums.values.iter_mut().for_each(|sum| *sum /= self.members.len() as f64);
        Ok(sums)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.classes.is_some()
    }

    fn has_decision(&self) -> bool {
        self.classes.is_some() && self.members.iter().all(|(member, _)| member.has_decision())
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        self.members.iter().map(|(member, _)| &**member).collect()
    }
}
