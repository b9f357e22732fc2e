//! Tabular data and an algorithm to a fitted model, metrics and an MLflow model folder.
//!
//! - [`TrainConfig`] says what to train, [`split`] cuts a table in training rows and holdout,
//!   [`fit`] fits a model, [`evaluate`] judges predictions with scikit-learn's metrics.
//! - [`export`] writes a fitted model as an ONNX graph.
//! - [`run_command`] runs a program that trains by itself and finds what it made.
//! - [`train`] does all of it and logs it to a run; [`judge`] judges any model on the same holdout.

mod algorithm;
mod artifacts;
mod column;
mod command;
mod config;
mod dataset;
mod error;
mod export;
mod features;
mod folder;
mod forest;
mod git;
mod judge;
mod linear;
mod matrix;
mod metrics;
mod model;
mod parameters;
mod progress;
mod proof;
mod random;
mod run;
mod split;
mod target;
mod tree;

pub use algorithm::Algorithm;
pub use command::{CommandRun, run_command, run_command_until};
pub use config::{AUTO_CLASSES_MAX, MissingValues, Task, TrainConfig};
pub use dataset::{DataSource, digest};
pub use error::{Error, Result};
pub use export::{Export, LABEL, PROBABILITY_PREFIX, VARIABLE, export};
pub use features::{Encoder, Encoding, FeatureColumn, NumberKind};
pub use forest::Forest;
pub use git::commit as git_commit;
pub use judge::{judge, predict};
pub use linear::LinearModel;
pub use matrix::Matrix;
pub use metrics::{Metrics, Predictions, Probabilities, evaluate, greater_is_better};
pub use model::{Fitted, FittedModel, Tick, fit};
pub use parameters::{
    Amount, ClassWeight, Estimator, ForestParams, LinearParams, LogisticParams, MaxFeatures,
    SplitCriterion,
};
pub use progress::{OnProgress, Progress};
pub use run::{Outcome, experiment, train};
pub use split::{Split, split};
pub use target::Classes;
pub use tree::{Node, Tree};
