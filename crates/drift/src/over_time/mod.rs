//! What is said of one window of time after the other: windows, what is measured in each, and its result.

mod measure;
mod measured;
mod result;
mod window;

pub use measure::{About, Measure, metric};
pub use result::WindowResult;
pub use window::{NoWindowLength, Window, WindowLength};
