//! Tabular data and an algorithm to a fitted model, metrics and an MLflow model folder.
//!
//! - [`TrainConfig`] says what to train, [`split`] cuts a table in training rows and holdout,
//!   [`fit`] fits a model, [`evaluate`] judges predictions with scikit-learn's metrics.

mod column;
mod config;
mod error;
mod features;
mod forest;
mod linear;
mod matrix;
mod metrics;
mod model;
mod parameters;
mod random;
mod split;
mod target;
mod tree;

pub use config::{AUTO_CLASSES_MAX, Algorithm, MissingValues, Task, TrainConfig};
pub use error::{Error, Result};
pub use features::{Encoder, Encoding, FeatureColumn, NumberKind};
pub use forest::Forest;
pub use linear::LinearModel;
pub use matrix::Matrix;
pub use metrics::{Metrics, Predictions, Probabilities, evaluate, greater_is_better};
pub use model::{Fitted, FittedModel, Tick, fit};
pub use parameters::{
    Amount, ClassWeight, Estimator, ForestParams, LinearParams, LogisticParams, MaxFeatures,
    SplitCriterion,
};
pub use split::{Split, split};
pub use target::Classes;
pub use tree::{Node, Tree};
