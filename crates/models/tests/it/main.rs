//! Models of the real libraries, compared with what the libraries answer.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must say where")]

mod bombs;
mod corpus;
mod cuts;
mod damage;
mod documents;
mod estimators;
mod explained;
mod folders;
mod old_versions;
mod onnx;
mod other_packages;
mod support;
