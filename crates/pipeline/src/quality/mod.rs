//! Whether a model is still good: predictions with labels as far as there are any, and estimates where not.

mod answers;
mod columns;
mod defined;
mod found;
mod inputs;
mod job;
mod known;
mod labels;
mod of_runs;
mod options;
mod part;
mod spelling;
mod tables;
mod verdict;
mod whose;
mod windows;

pub use job::QualityJob;
pub use options::{QualityOptions, Task};

pub(crate) use defined::OfLabels;
pub(crate) use job::ACTUAL;
pub(crate) use windows::WindowQuality;
