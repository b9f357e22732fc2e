//! How the raw sums of a boosted model become answers.

use std::sync::Arc;

use super::super::data::{Classes, Matrix, Output, Table};
use super::super::estimator::{Estimator, arg_max, both, expit, softmax};
use crate::contributions::Contributions;
use crate::explanation::Explained;
use crate::{Error, Result};

/// How the raw sums of a boosted model become answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Identity,
    Exp,
    /// Two classes, one sum.
    Logit,
    /// Two classes, exponential loss: half a logit.
    HalfLogit,
    Softmax,
}

impl Link {
    pub(super) fn probabilities(self, mut raw: Matrix) -> Result<Matrix> {
        let rows = raw.rows;
        Ok(match self {
            Self::Logit => both(raw.values.iter().map(|&x| expit(x)), rows),
            Self::HalfLogit => both(raw.values.iter().map(|&x| expit(2.0 * x)), rows),
            Self::Softmax => {
                softmax(&mut raw);
                raw
            }
            Self::Identity | Self::Exp => {
                return Err(Error::Input("a regressor has no predict_proba".into()));
            }
        })
    }

    /// `by_probability`: the class is that of the largest probability (of equals the first) rather than
    /// that of the largest sum (of two equals the second).
    fn answer(
        self,
        mut raw: Matrix,
        classes: Option<&Arc<Classes>>,
        by_probability: bool,
    ) -> Result<Output> {
        let Some(classes) = classes else {
            if self == Self::Exp {
                raw.values.iter_mut().for_each(|x| *x = x.exp());
            }
            return Ok(Output::Values(raw.values));
        };
        let chosen = if by_probability {
            self.probabilities(raw)?.each_row().map(arg_max).collect()
        } else if raw.columns == 1 {
            raw.values.iter().map(|&x| usize::from(x >= 0.0)).collect()
        } else {
            raw.each_row().map(arg_max).collect()
        };
        Ok(Output::Labels(chosen, Arc::clone(classes)))
    }
}

/// What computes raw sums.
pub(super) trait RawScores: Send + Sync + std::fmt::Debug {
    fn raw(&self, x: &Table) -> Result<Matrix>;

    /// What each column gives to the raw sums, which are `explained`.
    fn explain(
        &self,
        x: &Table,
        background: Option<&Table>,
        explained: Explained,
    ) -> Result<Contributions>;

    /// The estimators that it hands its input on to.
    fn parts(&self) -> Vec<&dyn Estimator> {
        Vec::new()
    }

    fn size_bytes(&self) -> usize;
}

/// A boosted model: raw sums and what they mean.
#[derive(Debug)]
pub(super) struct Linked<R> {
    pub(super) scores: R,
    pub(super) link: Link,
    pub(super) classes: Option<Arc<Classes>>,
    /// Whether the class is chosen by probability rather than by raw sum.
    pub(super) by_probability: bool,
}

impl<R: RawScores> Estimator for Linked<R> {
    fn predict(&self, x: &Table) -> Result<Output> {
        let raw = self.scores.raw(x)?;
        self.link.answer(raw, self.classes.as_ref(), self.by_probability)
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        self.link.probabilities(self.scores.raw(x)?)
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        self.scores.raw(x)
    }

    fn explain(&self, x: &Table, background: Option<&Table>) -> Option<Result<Contributions>> {
        let explained = match self.link {
            Link::Identity => Explained::Prediction,
            _ => Explained::Margin,
        };
        Some(self.scores.explain(x, background, explained))
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.classes.is_some()
    }

    fn has_decision(&self) -> bool {
        self.classes.is_some()
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        self.scores.parts()
    }

    fn size_bytes(&self) -> usize {
        self.scores.size_bytes()
    }
}
