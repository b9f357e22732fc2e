//! The model server over real sockets, with real models.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must say where")]

mod basics;
mod cases;
mod conformance;
mod documentation;
mod explain;
mod log;
mod model_cache;
mod open_inference;
mod overload;
mod panics;
mod parquet;
mod python;
mod registry;
mod soak;
mod support;
mod swap;
mod verification;
