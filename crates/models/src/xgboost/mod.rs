//! XGBoost models: UBJSON, JSON and the binary format of before; trees (also with dropout, categories, vectors at the leaves) and
//! linear boosters.
//!
//! XGBoost computes in `f32`: inputs, thresholds, leaf values and their sums, which start from the base
//! score. So does this. Counts, lengths and indices of a file must agree with each other: XGBoost believes
//! most of them, and a file with a list too short would answer something else.

mod booster;
mod categories;
mod fields;
mod legacy;
mod model;
mod objective;
mod tree;
mod trees;
mod wrapper;

pub(crate) use booster::{Best, Booster};
pub(crate) use model::XgboostModel;
