//! The gate: the rules, the holdout, the judgement, the verdict.

mod holdout;
mod judge;
mod rules;
mod step;
mod verdict;

pub use judge::{Compared, judge};
pub use rules::{Bounds, Gate};
pub use verdict::{Check, Metrics, Verdict};

pub(crate) use step::gate;
