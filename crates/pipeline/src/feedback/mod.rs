//! Rows with labels that came in by `/feedback`, as training data: `[train] feedback = true`.

mod labels;
mod learner;
mod provenance;
mod rows;
mod segment;

pub(crate) use learner::Learner;
pub(crate) use provenance::Provenance;
pub(crate) use rows::append;
