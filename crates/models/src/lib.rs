//! Model formats read as data into one [`Predictor`]; one tree engine.
//!
//! Nothing from a model file is executed: every format is parsed, with limits, into plain structs.

mod input;
mod load;
mod numeric;
pub mod onnx;
mod predictor;
pub mod tree;

pub use load::{LoadedModel, load};
pub use predictor::{Error, Prediction, Predictor, Result};
