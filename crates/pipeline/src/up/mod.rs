//! `trainyard up`: one process that keeps the deployments of one or more projects up, and does what `run --watch` does
//! for each. What it keeps up goes on without it.

mod follow;
mod going_back;
mod host;
mod keep;
mod pace;
mod recording;
mod registry;
mod releasing;
mod said;
mod unit;
mod wishes;

pub use host::{Up, UpOptions};
pub use registry::{Open, Opened, opener};
pub use said::{Said, Told};
pub use unit::{Installation, UNIT_MARK, unit};
