//! What the crate promises, tried against the real `mlflow`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod fake_server;
mod properties;
mod resolve;
mod upstream;
