//! How good a model is in production, as far as anybody knows.
//!
//! It takes data and returns data: columns of one window, with labels or without.
//!
//! - [`metrics`] are scikit-learn's, one definition for training, gate and monitoring; [`interval`] says how sure a
//!   figure is.
//! - [`quality`] judges labelled rows by all metrics, [`standing`] compares one with what it was.
//! - [`estimate`] says what metrics will be before labels come, as NannyML does: [`estimate::Cbpe`] for classifiers,
//!   [`estimate::Dle`] for regressions; [`estimate::explained`] ranks columns by what they do to the loss.
//! - [`multivariate`] finds columns that do not go together any more.
//! - [`LabelIndex`] finds the labels of predictions, in bounded memory.

mod boosting;
mod error;
pub mod estimate;
mod features;
pub mod interval;
mod join;
pub mod judge;
pub mod metrics;
pub mod multivariate;

pub use error::{Error, Result};
pub use features::{Codes, Feature};
pub use join::{Found, LabelIndex};
pub use judge::{Measured, Quality, ROWS_MIN, Standing, quality, standing};
