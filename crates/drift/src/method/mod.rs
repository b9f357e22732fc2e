//! The drift methods.

mod catalogue;
mod default;
mod effect;
mod run;

pub use catalogue::{Method, ScoreKind};
pub use default::SMALL_SAMPLE_MAX;
pub(crate) use default::default_method;
pub(crate) use run::{Outcome, run};
