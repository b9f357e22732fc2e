//! scikit-learn's estimators, evaluated from their fitted attributes.
//!
//! One file for each family. Answers are computed in the order and type that scikit-learn computes them,
//! so that they agree to the last digits and exactly where values sit on thresholds.

mod adaboost;
mod bagging;
mod bayes;
mod bisecting;
mod boosters;
mod calibration;
mod catboost;
mod category_encoders;
mod chain;
mod compose;
mod data;
mod dict_vectorizer;
mod discriminant;
mod dummy;
mod encoders;
mod estimator;
mod families;
mod functions;
mod importance;
mod impute;
mod isotonic;
mod kernel;
mod kernel_features;
mod kernel_ridge;
mod knn_imputer;
mod least_squares;
mod linear;
mod matrix;
mod members;
mod mixture;
mod model;
mod multiclass;
mod multioutput;
mod nearest;
mod neighbour_search;
mod neighbours;
mod network;
mod output;
mod power;
mod preprocessing;
mod projection;
mod quantiles;
mod reader;
mod search;
mod select;
mod sparse;
mod spline;
mod svm;
mod target_encoder;
mod text;
mod threshold;
mod tokens;
mod transformed_target;
mod trees;
mod voting;

pub(crate) use encoders::{Key, keys};
pub use families::estimators_table;
pub(crate) use model::{SklearnModel, read_object};
