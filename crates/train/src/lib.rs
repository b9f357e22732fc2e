//! Tabular data and an algorithm to a fitted model, metrics and an MLflow model folder.
//!
//! - [`TrainConfig`] says what to train, [`split`] cuts a table in training rows and holdout,
//!   [`fit`] fits a model, [`evaluate`] judges predictions with scikit-learn's metrics.
//! - [`Holdout`] is how rows are held out, a [`Rule`] what a run records of it, [`assign`] both applied to a table.
//! - [`HeldOut`] are rows that judge any model, and [`compare`] says whether one is worse there, beyond chance.
//! - [`export`] writes a fitted model as an ONNX graph.
//! - [`run_command`] runs a program that trains by itself and finds what it made.
//! - [`train`] does all of it and logs it to a run; [`preview`] says what it would find, [`survey`] what columns hold.

mod algorithm;
mod artifacts;
mod column;
mod columns;
mod command;
mod compare;
mod config;
mod dataset;
mod error;
mod export;
mod features;
mod folder;
mod forest;
mod git;
mod held_out;
mod holdout;
mod judge;
mod last_words;
mod linear;
mod matrix;
mod metrics;
mod model;
mod parameters;
mod preview;
mod progress;
mod proof;
mod python_environment;
mod random_split;
mod run;
mod split;
mod survey;
mod target;
mod tree;

pub use algorithm::Algorithm;
pub use command::{CommandRun, run_command, run_command_until};
pub use compare::{Comparison, Difference, LEVEL, Method, Pair, ROWS_MIN, Standing, compare};
pub use config::{AUTO_CLASSES_MAX, MissingValues, Task, TrainConfig};
pub use dataset::{DataSource, digest, input as dataset_input};
pub use error::{Error, Result};
pub use export::{Export, LABEL, PROBABILITY_PREFIX, VARIABLE, export};
pub use features::{CATEGORIES_MAX, Encoder, Encoding, FeatureColumn, NumberKind};
pub use forest::Forest;
pub use git::commit as git_commit;
pub use held_out::HeldOut;
pub use holdout::{Assigned, Holdout, Rule};
pub use judge::predict;
pub use linear::LinearModel;
pub use matrix::Matrix;
pub use metrics::{
    METRICS, Metrics, Predictions, Probabilities, evaluate, greater_is_better, metrics_of,
};
pub use model::{Fitted, FittedModel, Tick, fit};
pub use parameters::{
    Amount, ClassWeight, Estimator, ForestParams, LinearParams, LogisticParams, MaxFeatures,
    SplitCriterion,
};
pub use preview::{Preview, preview};
pub use progress::{OnProgress, Progress};
pub use python_environment::PythonEnvironment;
pub use run::{Outcome, experiment, train};
pub use split::{Split, assign, split};
pub use survey::{ColumnSurvey, Content, survey};
pub use target::Classes;
pub use tree::{Node, Tree};
