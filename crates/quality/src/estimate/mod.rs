//! Quality before there are labels, as NannyML estimates it.
//!
//! [`Cbpe`] is for classifiers, [`Dle`] for regressions. Both learn from a reference with labels, and give each metric
//! with the error that comes of how many rows there are.

mod calibration;
mod cbpe;
mod dle;
mod expected;
mod explained;
mod isotonic;
mod sampling_error;

pub use calibration::Calibration;
pub use cbpe::{Cbpe, Estimate};
pub use dle::{Dle, LOSSES};
pub use explained::explained;
pub use isotonic::Isotonic;
