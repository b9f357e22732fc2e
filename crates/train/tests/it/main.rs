//! Training against the real scikit-learn, MLflow and onnxruntime, and against the tracking store.

mod end_to_end;
mod support;
