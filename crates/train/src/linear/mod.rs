//! Linear models: least squares and logistic regression, in 64-bit floats.

mod lbfgs;
pub(crate) mod least_squares;
pub(crate) mod logistic;
mod model;

pub use model::LinearModel;
