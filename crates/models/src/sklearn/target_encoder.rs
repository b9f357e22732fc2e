//! `TargetEncoder`: each category becomes the mean of the target that training saw.

use std::collections::HashMap;

use super::data::{Matrix, Missing, Table};
use super::encoders::{Key, categories, check_texts, has_text, keys};
use super::estimator::{Estimator, Fields};
use super::reader::{Boxed, Reader};
use crate::Result;

pub(super) const READERS: &[Reader] =
    &[Reader::new("TargetEncoder", |fields, _| target(fields)).note("also several classes")];

/// `TargetEncoder`: each category becomes the mean of the target that training saw.
#[derive(Debug)]
struct Target {
    columns: Vec<HashMap<Key, usize>>,
    /// By column: whether its categories are texts.
    has_text: Vec<bool>,
    /// By column and class: the value of each category.
    encodings: Vec<Vec<f64>>,
    means: Vec<f64>,
}

fn target(fields: Fields<'_>) -> Result<Boxed> {
    let columns = fields
        .items("categories_")?
        .into_iter()
        .map(|value| {
            Ok(categories(fields, value)?
                .into_iter()
                .enumerate()
                .map(|(at, key)| (key, at))
                .collect())
        })
        .collect::<Result<Vec<HashMap<Key, usize>>>>()?;
    let has_text = columns.iter().map(|places| has_text(places.keys())).collect();
    let encodings = fields
        .items("encodings_")?
        .into_iter()
        .map(|value| {
            super::estimator::numbers(value)
                .ok_or_else(|| fields.malformed("encodings_ are no numbers"))
        })
        .collect::<Result<_>>()?;
    Ok(Box::new(Target { columns, has_text, encodings, means: fields.numbers("target_mean_")? }))
}

impl Estimator for Target {
    fn transform(&self, x: Table) -> Result<Table> {
        x.check_width(self.columns.len())?;
        x.check_numbers(Missing::Taken)?;
        // More than two classes give a column for each, for every column of the input.
        let each = self.encodings.len() / self.columns.len().max(1);
        let mut result = Matrix::zeros(x.rows(), self.encodings.len())?;
        for (at, column) in self.columns.iter().enumerate() {
            let values = x.column(at)?;
            if self.has_text.get(at) == Some(&true) {
                check_texts(&x, at, &values)?;
            }
            let keys = keys(&values);
            for (row, key) in result.each_row_mut().zip(&keys) {
                for class in 0..each {
                    let encoding = self.encodings.get(at * each + class);
                    let mean =
                        self.means.get(class).or(self.means.first()).copied().unwrap_or(f64::NAN);
                    let value = column
                        .get(key)
                        .and_then(|&place| encoding?.get(place))
                        .copied()
                        .unwrap_or(mean);
                    if let Some(slot) = row.get_mut(at * each + class) {
                        *slot = value;
                    }
                }
            }
        }
        Ok(Table::Matrix(result))
    }

    fn origins(&self, _x: &Table) -> Option<Result<Vec<usize>>> {
        let each = self.encodings.len() / self.columns.len().max(1);
        Some(Ok((0..self.encodings.len()).map(|at| at / each.max(1)).collect()))
    }

    fn takes_frame(&self) -> bool {
        true
    }
}
