//! The model server: hot swap, alias watcher, protocols, prediction log.
//!
//! [`serve()`] answers predictions of one or several models. Each has an endpoint: a watcher looks up
//! what its alias means, loads a new version beside the old, lets it predict its own input
//! example, and swaps one pointer; requests in flight finish on the version they began with. A
//! request is read by the model's signature straight into Arrow columns
//! ([`trainyard_signature::enforce`]), predicted ([`trainyard_models`]), answered and logged.

mod answer;
mod blocking;
mod clock;
mod compare;
mod disk_quota;
mod docs;
mod endpoint;
mod error;
mod explained;
mod feedback;
mod feedback_file;
mod feedback_reader;
mod folder;
mod health;
mod http;
mod integrity;
mod load;
mod log;
mod memory;
mod metrics;
mod model_cache;
mod openapi;
mod options;
mod panics;
mod params;
mod private_files;
mod python;
mod scorer;
mod serve;
mod served_model;
mod server;
mod signature_probe;
mod status_page;
mod verify;
mod watch;
mod webhook;

pub use error::{Error, Result};
pub use feedback_reader::Facts;
pub use log::{LogReading, LogSummaries, LogSummary, logged};
pub use model_cache::ModelCache;
pub use options::{
    Limits, LoadFn, Loader, LogOptions, LogStore, ModelSource, PythonOptions, Retention,
    ServeOptions,
};
pub use scorer::Scorer;
pub use serve::serve;
