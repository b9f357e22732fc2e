//! Model formats read as data into one [`Predictor`]; one tree engine.
//!
//! Nothing from a model file is executed: every format is parsed, with limits, into plain structs.

mod any;
mod catboost;
mod categories;
mod contributions;
mod document;
mod explanation;
mod fitted_names;
mod input;
mod labels;
mod lightgbm;
mod load;
mod numeric;
pub mod onnx;
mod predictor;
mod python;
mod refusal;
mod sklearn;
mod statsmodels;
pub mod tree;
mod unservable;
mod xgboost;

// What tests share speaks of this crate by its name.
#[cfg(test)]
extern crate self as trainyard_models;
#[cfg(test)]
mod tests;

pub use explanation::{Explained, Explanation};
pub use load::{Format, LoadedModel, catboost_class, load, load_bytes, load_probabilities};
pub use predictor::{Error, Prediction, Predictor, Result};
pub use sklearn::estimators_table;
