//! What a model takes and gives, as MLflow writes it down, and requests held to it.
//!
//! - [`model`]: the `MLmodel` file, signatures and input examples of a model folder;
//! - [`enforce`]: a request checked against a signature, straight into Arrow columns;
//! - [`contract`]: what another signature changes for those who use the first.
//!
//! Data in, data out: no network, no clock, no file but those of the model folder that is named.

pub mod contract;
pub mod enforce;
mod error;
pub mod model;

pub use error::{Error, Result};
