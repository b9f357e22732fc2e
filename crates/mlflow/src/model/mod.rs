//! A model folder as MLflow lays it out: `MLmodel`, signature, input example, environment files.

mod signature;

pub use signature::{ColSpec, DataType, ParamSpec, Schema, Signature, TensorSpec};
