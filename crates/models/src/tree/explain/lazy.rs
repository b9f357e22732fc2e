//! The explainer of a forest, made when it is asked for first: most models are never explained.

use std::sync::OnceLock;

use super::explainer::{ExplainError, Explainer};
use crate::tree::forest::Forest;
use crate::tree::scalar::Scalar;

/// Rows to explain, row-major, and what they are compared with.
#[derive(Debug, Clone, Copy)]
pub struct ExplainedRows<'a, X> {
    /// The rows.
    pub rows: &'a [X],
    /// Rows of the same width that stand for what is not known; none for the training rows.
    pub background: Option<&'a [X]>,
    /// Columns of both.
    pub width: usize,
}

/// The explainer of a forest, made when it is asked for first.
#[derive(Debug, Default)]
pub struct LazyExplainer<X>(OnceLock<Result<Explainer<X>, ExplainError>>);

impl<X: Scalar> LazyExplainer<X> {
    /// What rows add up to of which nothing is known, by output, and what each column adds to each output of each
    /// row (rows x outputs x columns). The forest is always the same.
    pub fn explain<V: Scalar>(
        &self,
        forest: &Forest<X, V>,
        of: ExplainedRows<'_, X>,
    ) -> Result<(Vec<f64>, Vec<f64>), ExplainError> {
        let count = of.rows.len() / of.width.max(1);
        let mut sums = vec![0.0; count * forest.outputs() * of.width];
        let against;
        let explainer = if let Some(background) = of.background {
            against = forest.explainer_against(background, of.width)?;
            &against
        } else {
            self.0.get_or_init(|| forest.explainer()).as_ref().map_err(Clone::clone)?
        };
        explainer.add_to(forest, of.rows, of.width, &mut sums);
        Ok((explainer.base().to_vec(), sums))
    }

    /// Bytes held.
    pub fn size_bytes(&self) -> usize {
        match self.0.get() {
            Some(Ok(explainer)) => explainer.size_bytes(),
            _ => 0,
        }
    }
}
