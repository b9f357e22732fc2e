//! `trainyard.toml` made real: train, gate, promote, deploy, monitor.
//!
//! Each step is one file and can be run alone; [`run`] is all of them in order. Steps talk to the
//! registry through [`trainyard_mlflow::Tracking`] and tell a [`Watcher`] what they do.

mod alias;
mod attempt;
mod candidate;
mod config;
mod cron;
mod deploy;
mod deploy_config;
mod error;
mod event;
mod feedback;
mod fingerprint;
mod gate;
mod init;
mod install_from;
mod loopback;
mod markdown;
pub mod monitor;
mod notify;
mod notify_config;
mod pace;
mod project;
mod promote;
mod registry;
mod retrain;
mod retraining_lock;
mod run;
mod staging;
mod summary;
mod temporary;
mod toml_error;
mod traffic;
mod train;
mod troubles;
mod watch;
mod watch_config;
mod workload;

pub use alias::{PRODUCTION, STAGING};
pub use config::{Config, FILE_NAME, Model, Train};
pub use cron::Cron;
pub use deploy::{Deployed, deploy, rollback, service};
pub use deploy_config::Deploy;
pub use error::{Error, Result};
pub use event::{Event, Step, Watcher};
pub use gate::{Bounds, Check, Compared, Gate, Metrics, Verdict, judge};
pub use init::{FILES, init};
pub use install_from::InstallFrom;
pub use notify::{Happened, notify};
pub use notify_config::{Notify, Occasion};
pub use project::Project;
pub use promote::{Promoted, promote};
pub use registry::is_in_production;
pub use retrain::{Looked, Turn, look, look_failed, retrain};
pub use run::{RunOptions, run};
pub use summary::{DriftSummary, ModelSummary, RequestsSummary, Summary};
pub use train::{TrainOptions, Trained, train};
pub use watch::watch;
pub use watch_config::Watch;
