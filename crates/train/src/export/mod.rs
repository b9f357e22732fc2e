//! A fitted model as an ONNX graph that takes raw columns: encoding, imputing and all.
//!
//! How Python's `mlflow.pyfunc` feeds an ONNX model decides the shape of inputs and outputs. A
//! DataFrame becomes one two-dimensional array if the graph has one input, and one one-dimensional
//! array a column if it has several; every output is flattened into one column of the answer, so it
//! must have one value a row. Hence:
//!
//! - numeric columns alone: one input `features`, a matrix;
//! - with text, categories or booleans: one input a column, by its name;
//! - classification answers `label` and `probability_<class>` for each class;
//! - regression answers `variable`.

mod estimator;
mod graph;
mod onnx;

pub use onnx::{Export, LABEL, PROBABILITY_PREFIX, VARIABLE, export};
