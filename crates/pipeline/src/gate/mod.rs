//! The gate: the rules, the rows that judge, what they show, the judgement, the verdict.

mod before_training;
mod contract;
mod contract_rule;
mod directions;
mod evidence;
#[cfg(test)]
mod growth;
mod judge;
mod rows;
mod rules;
mod step;
mod verdict;

pub use contract_rule::ContractRule;
pub use judge::{Compared, Worth, judge};
pub use rules::{Bounds, Gate, Source, Undecided};
pub use verdict::{Check, Metrics, Verdict};

pub(crate) use before_training::check_metrics;
pub(crate) use contract::{between, listed};
pub(crate) use step::gate;
