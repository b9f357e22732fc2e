//! Trees and their ensembles on the one tree engine: decision trees, forests, boosting, histogram
//! boosting, isolation forests.
//!
//! Trees of `sklearn.tree` see their input as `f32` and compare with `f64` thresholds; histogram boosting
//! sees `f64`. Sums are `f64` in the order of the trees.

pub(super) mod averaged;
pub(super) mod gradient;
pub(super) mod hist;
pub(super) mod isolation;
mod link;
pub(super) mod raw;
