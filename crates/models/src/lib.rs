//! Model formats read as data into one [`Predictor`]; one tree engine.
//!
//! Nothing from a model file is executed: every format is parsed, with limits, into plain structs.

mod predictor;

pub use predictor::{Error, Prediction, Predictor, Result};
