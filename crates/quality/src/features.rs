//! Columns of a window of data as those see them who learn from them: numbers, and labels.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Error, Result};

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub enum Feature {
    /// NaN is a missing value.
    Numbers(Vec<f64>),
    /// Labels of any sort.
    Labels(Vec<Option<String>>),
}

impl Feature {
    /// Rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Labels(values) => values.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Labels as numbers, as the reference has them: from 1 on in their order, 0 for what it does not have.
#[derive(Debug, Clone)]
pub struct Codes {
    /// None for a column of numbers.
    columns: Vec<Option<BTreeMap<String, f64>>>,
}

impl Codes {
    /// Of the columns of a reference.
    pub fn new(reference: &[Feature]) -> Self {
        let of = |feature: &Feature| match feature {
            Feature::Numbers(_) => None,
            Feature::Labels(labels) => {
                let distinct: BTreeSet<&String> = labels.iter().flatten().collect();
                let codes = distinct.into_iter().zip(1_u32..);
                Some(codes.map(|(label, code)| (label.clone(), f64::from(code))).collect())
            }
        };
        Self { columns: reference.iter().map(of).collect() }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// The columns as numbers; NaN where a value is missing.
    pub fn numbers(&self, features: &[Feature]) -> Result<Vec<Vec<f64>>> {
        let other = Error::OtherColumns { found: features.len(), expected: self.columns.len() };
        if features.len() != self.columns.len() {
            return Err(other);
        }
        let of =
            |(feature, codes): (&Feature, &Option<BTreeMap<String, f64>>)| -> Result<Vec<f64>> {
                match (feature, codes) {
                    (Feature::Numbers(values), None) => Ok(values.clone()),
                    (Feature::Labels(labels), Some(codes)) => {
                        let code = |label: &Option<String>| match label {
                            None => f64::NAN,
                            Some(label) => codes.get(label).copied().unwrap_or(0.0),
                        };
                        Ok(labels.iter().map(code).collect())
                    }
                    (Feature::Numbers(_), Some(_)) | (Feature::Labels(_), None) => {
                        Err(other.clone())
                    }
                }
            };
        features.iter().zip(&self.columns).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_the_numbers_of_the_reference() {
        let labels = |values: &[&str]| {
            let label = |value: &&str| (!value.is_empty()).then(|| (*value).to_owned());
            Feature::Labels(values.iter().map(label).collect())
        };
        let codes = Codes::new(&[labels(&["b", "a", "", "b"]), Feature::Numbers(vec![1.0])]);
        let found = codes.numbers(&[labels(&["c", "b", "", "a"]), Feature::Numbers(vec![2.5])]);
        let found = found.unwrap();
        assert_eq!(found[0][..2], [0.0, 2.0]);
        assert!(found[0][2].is_nan());
        assert_eq!((found[0][3], found[1][0]), (1.0, 2.5));
        assert!(codes.numbers(&[labels(&["a"])]).is_err());
        assert!(codes.numbers(&[Feature::Numbers(vec![1.0]), labels(&["a"])]).is_err());
    }
}
