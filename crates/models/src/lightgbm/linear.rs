//! Linear trees: leaves that are a linear model each.

use super::text::{Section, malformed};
use crate::Result;
use crate::tree::TreeSpec;

/// What the leaves add, by the number that the forest holds as their value.
#[derive(Debug, Default)]
pub(super) struct LinearLeaves {
    /// By tree.
    targets: Vec<usize>,
    leaves: Vec<LinearLeaf>,
}

#[derive(Debug)]
struct LinearLeaf {
    /// The answer where a feature is missing.
    plain: f64,
    constant: f64,
    terms: Vec<(usize, f64)>,
}

impl LinearLeaves {
    /// Replaces the values of a tree by the numbers of its leaves here.
    pub(super) fn take_over(
        &mut self,
        tree: &Section<'_>,
        spec: &mut TreeSpec<f64>,
        features: usize,
    ) -> Result<()> {
        self.targets.push(spec.target as usize);
        let leaves = spec.values.len();
        let is_linear = tree.is_linear()?;
        let (constants, counts): (Vec<f64>, Vec<usize>) = if is_linear {
            (tree.numbers("leaf_const", leaves)?, tree.numbers("num_features", leaves)?)
        } else {
            (spec.values.clone(), vec![0; leaves])
        };
        let total = counts.iter().fold(0, |sum: usize, &count| sum.saturating_add(count));
        let (mut columns, mut coefficients) = if is_linear {
            let columns: Vec<usize> = tree.numbers("leaf_features", total)?;
            let coefficients: Vec<f64> = tree.numbers("leaf_coeff", total)?;
            (columns.into_iter(), coefficients.into_iter())
        } else {
            (Vec::new().into_iter(), Vec::new().into_iter())
        };
        for ((value, constant), count) in spec.values.iter_mut().zip(constants).zip(counts) {
            let terms: Vec<(usize, f64)> =
                columns.by_ref().take(count).zip(coefficients.by_ref()).collect();
            if terms.iter().any(|(column, _)| *column >= features) {
                return Err(malformed("a linear leaf takes a column that does not exist"));
            }
            if constant.is_nan() || terms.iter().any(|(_, coefficient)| coefficient.is_nan()) {
                return Err(malformed("a linear leaf is not a number"));
            }
            self.leaves.push(LinearLeaf { plain: *value, constant, terms });
            *value = (self.leaves.len() - 1) as f64;
        }
        Ok(())
    }

    /// The output that a tree adds to, and what its leaf of this number adds for a row.
    pub(super) fn value(&self, tree: usize, leaf: f64, row: &[f64]) -> Option<(usize, f64)> {
        let leaf = self.leaves.get(leaf as usize)?;
        Some((*self.targets.get(tree)?, leaf.value(row)))
    }
}

impl LinearLeaf {
    fn value(&self, row: &[f64]) -> f64 {
        let mut sum = self.constant;
        for &(column, coefficient) in &self.terms {
            let x = row.get(column).copied().unwrap_or(f64::NAN);
            if x.is_nan() {
                return self.plain;
            }
            sum += x * coefficient;
        }
        sum
    }
}
