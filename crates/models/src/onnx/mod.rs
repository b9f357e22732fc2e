//! ONNX graphs of tabular models: an evaluator of our own for the classical operators.
//!
//! [`proto`] is the file format, `graph` the steps made from it, `ops` the operators. Results are those
//! of ONNX Runtime, also where the specification leaves them open.

mod attributes;
mod explain;
mod graph;
mod kernel;
mod model;
mod ops;
pub mod proto;
mod runtime;
mod tensor;

pub use model::OnnxModel;
