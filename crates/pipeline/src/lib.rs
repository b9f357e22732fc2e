//! `trainyard.toml` made real: train, gate, promote, deploy, monitor.
//!
//! Each step is one file and can be run alone; [`run`] is all of them in order. Steps talk to the
//! registry through [`trainyard_mlflow::Tracking`] and tell a [`Watcher`] what they do.

mod accounts;
mod acme_config;
mod actor;
mod agreement;
mod alias;
mod approval;
mod attempt;
mod baseline;
mod behaviour;
mod candidate;
mod config;
mod cron;
mod deploy;
mod deploy_config;
mod error;
mod event;
mod example_request;
mod feedback;
mod fingerprint;
mod folder_files;
mod gate;
mod init;
mod install_from;
mod labels;
mod loopback;
mod markdown;
mod model_folder;
pub mod monitor;
mod notify;
mod owner;
mod pace;
pub mod predict;
mod project;
mod promote;
mod provenance;
mod python;
pub mod quality;
mod refusal;
mod registry;
mod releases;
mod remote;
mod retrain;
mod retraining_lock;
mod review;
mod rollback;
mod run;
mod schema;
mod serve_config;
mod serve_environment;
mod service;
mod service_record;
mod staging;
mod states;
mod summary;
mod temporary;
mod toml_error;
mod traffic;
mod train;
mod training_part;
mod troubles;
mod up;
mod watch;
mod watch_config;
mod workload;
mod wrap;

pub use acme_config::Acme;
pub use actor::owner;
pub use agreement::{Difference, difference};
pub use alias::{PRODUCTION, STAGING};
pub use behaviour::{
    Behaviour, BehaviourRules, ChangedRow, ClassShare, Errors, Measure, Sample, Spread,
};
pub use config::{Config, FILE_NAME, Model, Train};
pub use cron::Cron;
pub use deploy::{DeployOptions, Deployed, deploy, settle};
pub use deploy_config::Deploy;
pub use error::{Error, Result};
pub use event::{Event, Step, Watcher};
pub use gate::{
    Bounds, Check, Compared, ContractRule, Gate, Metrics, Source, Undecided, Verdict, Worth, judge,
};
pub use init::{Change, Ci, DeployBy, Guesses, InitOptions, Scaffold};
pub use install_from::InstallFrom;
pub use model_folder::check_model_folder;
pub use notify::{
    Alert, Alertmanager, Email, Encryption, Happened, Late, Notify, Occasion, Trouble, notify,
};
pub use project::Project;
pub use promote::{PromoteOptions, Promoted, promote};
pub use provenance::Provenance;
pub use registry::version_in_production;
pub use retrain::{Looked, Turn, look, look_failed, retrain};
pub use rollback::{RollbackOptions, rollback};
pub use run::{RunOptions, run};
pub use schema::schema;
pub use serve_config::{LogLimits, Serve};
pub use service::service;
pub use service_record::{TakenWish, last_asked_release, record_stop};
pub use states::State;
pub use summary::{DriftSummary, ModelSummary, RequestsSummary, Summary};
pub use train::{TrainOptions, Trained, train};
pub use up::{Installation, Open, Opened, Said, Told, UNIT_MARK, Up, UpOptions, opener, unit};
pub use watch::watch;
pub use watch_config::Watch;
pub use wrap::{FileFlavor, WrapOptions, Wrapped, wrap};
