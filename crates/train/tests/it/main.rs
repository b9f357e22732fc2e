//! Training against the real scikit-learn, MLflow and onnxruntime, and against the tracking store.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod command;
mod end_to_end;
mod errors;
mod explained;
mod growth;
mod python;
mod sklearn;
mod support;
