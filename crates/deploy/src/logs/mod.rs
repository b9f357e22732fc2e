//! What instances, the gateway and the supervisor say: their last lines, those since some time, those to come.

mod excerpt;
mod file;
mod source;
mod stamp;
mod tell;

pub(crate) use excerpt::{Excerpt, Lines};
pub use source::LogOf;
pub use tell::{LogLine, LogOptions, logs};
