//! The gate: the rules, the holdout, the judgement, the verdict.

mod contract;
mod contract_rule;
mod holdout;
mod judge;
mod rules;
mod step;
mod verdict;

pub use contract_rule::ContractRule;
pub use judge::{Compared, judge};
pub use rules::{Bounds, Gate};
pub use verdict::{Check, Metrics, Verdict};

pub(crate) use contract::{between, listed};
pub(crate) use step::gate;
