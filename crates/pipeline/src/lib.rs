//! `trainyard.toml` made real: train, gate, promote, deploy, monitor.
//!
//! Each step is one file and can be run alone; [`run`] is all of them in order. Steps talk to the
//! registry through [`trainyard_mlflow::Tracking`] and tell a [`Watcher`] what they do.

mod config;
mod deploy;
mod error;
mod event;
mod folder;
mod gate;
mod hint;
mod holdout;
mod init;
pub mod monitor;
mod project;
mod promote;
mod run;
mod staging;
mod summary;
mod temporary;
mod traffic;
mod train;

pub use config::{Bounds, Config, Deploy, FILE_NAME, Gate, Model, Train};
pub use deploy::{Deployed, deploy, rollback, service};
pub use error::{Error, Result};
pub use event::{Event, Step, Watcher};
pub use gate::{Check, Compared, Metrics, Verdict, judge};
pub use init::{FILES, init};
pub use project::Project;
pub use promote::{PRODUCTION, Promoted, STAGING, promote};
pub use run::{RunOptions, run};
pub use summary::{DriftSummary, ModelSummary, RequestsSummary, Summary};
pub use train::{Trained, train};
