//! What labels say of a model: every metric with its interval, and where it is right and wrong.

mod calibration_curve;
mod deciles;
mod measured;
mod standing;
mod thinned;

pub use calibration_curve::{CalibrationPoint, calibration_curve};
pub use deciles::{Decile, deciles};
pub use measured::{ClassMeasured, Measured, Quality, quality};
pub use standing::{ROWS_MIN, Standing, standing};
