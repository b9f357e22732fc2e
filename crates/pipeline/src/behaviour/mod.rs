//! Behaviour: what the version that serves and the one that is to replace it say to the same requests, before
//! any client is answered by the new one.

mod answer;
mod ask;
mod compare;
mod last;
mod report;
mod requests;
mod rules;
mod tally;
mod text;

pub use report::{Behaviour, ChangedRow, ClassShare, Errors, Measure, Sample, Spread};
pub use rules::BehaviourRules;

pub(crate) use compare::{compare, going_back};
