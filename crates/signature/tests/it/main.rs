//! What the crate promises, tried against the real `mlflow`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod contract;
mod enforcement;
mod hostile;
mod infer;
mod model_files;
mod model_folder;
mod properties;
