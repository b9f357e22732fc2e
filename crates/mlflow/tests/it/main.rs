//! What the crate promises, tried against the real `mlflow`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod fake_server;
mod infer;
mod model_files;
mod model_folder;
mod properties;
mod resolve;
mod upstream;
