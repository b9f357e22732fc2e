//! CatBoost's classes, which keep the binary file within themselves.

use std::borrow::Cow;
use std::sync::Arc;

use super::boosters::bytes;
use super::data::{Classes, Column, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, no_method};
use super::reader::{Boxed, Reader};
use crate::catboost::{Answer, Booster, Class, Given};
use crate::contributions::Contributions;
use crate::labels::Labels;
use crate::{Error, Result};

pub(super) const READERS: &[Reader] =
    &[Reader::new("CatBoost CatBoostClassifier CatBoostRegressor CatBoostRanker", |fields, _| {
        load(fields)
    })];

#[derive(Debug)]
struct Boosted {
    booster: Booster,
    class: Class,
    classes: Option<Arc<Classes>>,
}

fn load(fields: Fields<'_>) -> Result<Boxed> {
    let file = bytes(fields.value("__model")?);
    let file = file.ok_or_else(|| fields.malformed("the booster holds no bytes"))?;
    let booster = Booster::parse(file)?;
    let class = Class::named(fields.name())?;
    booster.check_class(class)?;
    let labels = booster.labels().filter(|_| class == Class::Classifier);
    let classes = labels.map(|labels| Arc::new(classes(labels)));
    Ok(Box::new(Boosted { booster, class, classes }))
}

fn classes(labels: &Labels) -> Classes {
    match labels {
        Labels::Integers(labels) => Classes::Integers(labels.clone(), 64),
        Labels::Floats(labels) => Classes::Floats(labels.clone()),
        Labels::Booleans(labels) => Classes::Booleans(labels.clone()),
        Labels::Text(labels) => Classes::Text(labels.clone()),
    }
}

/// A table as the booster takes it.
enum Taken<'t> {
    Numbers(Vec<f32>, usize),
    /// So many rows of columns.
    Columns(Cow<'t, [String]>, Cow<'t, [Column]>, usize),
}

impl<'t> Taken<'t> {
    fn of(booster: &Booster, x: &'t Table) -> Result<Self> {
        let x = match x {
            Table::Frame(frame) => {
                let (names, columns) = (&frame.names, &frame.columns);
                return Ok(Self::Columns(names.into(), columns.into(), frame.rows));
            }
            // What is not there is zero, in CatBoost as well.
            Table::Sparse(sparse) => Cow::Owned(sparse.filled_with(0.0)?),
            Table::Matrix(_) => x.matrix()?,
        };
        if booster.takes_categories() {
            // Categories that a step before made whole numbers of.
            let columns: Vec<Column> =
                (0..x.columns).map(|at| Column::Numbers(x.column(at))).collect();
            let names = vec![String::new(); x.columns];
            return Ok(Self::Columns(names.into(), columns.into(), x.rows));
        }
        Ok(Self::Numbers(x.to_f32(), x.columns))
    }

    fn given(&self) -> Given<'_> {
        match self {
            Self::Numbers(rows, width) => Given::Numbers(rows, *width),
            Self::Columns(names, columns, rows) => Given::Columns(names, columns, *rows),
        }
    }
}

impl Estimator for Boosted {
    fn predict(&self, x: &Table) -> Result<Output> {
        let answer =
            self.booster.predict_given(self.class, Taken::of(&self.booster, x)?.given())?;
        Ok(match answer {
            Answer::Values(values, 1) => Output::Values(values),
            Answer::Values(values, width) => Output::Table(Matrix::new(x.rows(), width, values)),
            Answer::Present(present, width) => {
                let zero_and_one = Arc::new(Classes::Integers(vec![0, 1], 64));
                let label = |at: usize| {
                    let own = present.iter().skip(at).step_by(width);
                    (own.map(|&x| x as usize).collect(), Arc::clone(&zero_and_one))
                };
                Output::ManyLabels((0..width).map(label).collect())
            }
            Answer::Chosen { classes: chosen, is_table } => {
                let classes = self.classes.as_ref();
                let classes =
                    classes.ok_or_else(|| Error::Input("the model has no classes".into()))?;
                if is_table {
                    Output::ManyLabels(vec![(chosen, Arc::clone(classes))])
                } else {
                    Output::Labels(chosen, Arc::clone(classes))
                }
            }
        })
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        if self.classes.is_none() {
            return Err(no_method("predict_proba"));
        }
        let (values, width) =
            self.booster.probabilities_given(Taken::of(&self.booster, x)?.given())?;
        Ok(Matrix::new(x.rows(), width, values))
    }

    fn explain(&self, x: &Table, background: Option<&Table>) -> Option<Result<Contributions>> {
        Some(self.explained(x, background))
    }

    fn takes_frame(&self) -> bool {
        self.booster.takes_frame()
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref().filter(|_| !self.booster.is_several())
    }

    fn has_proba(&self) -> bool {
        self.classes.is_some()
    }

    fn size_bytes(&self) -> usize {
        self.booster.size_bytes()
    }
}

impl Boosted {
    fn explained(&self, x: &Table, background: Option<&Table>) -> Result<Contributions> {
        let taken = Taken::of(&self.booster, x)?;
        let background = background.map(|x| Taken::of(&self.booster, x)).transpose()?;
        let background = background.as_ref().map(Taken::given);
        self.booster.explain_given(self.class, (taken.given(), x.width()), background)
    }
}
