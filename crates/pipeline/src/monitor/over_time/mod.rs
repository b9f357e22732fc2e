//! Windows one after the other: each compared with the reference and with the one before it, kept, and alerted on.

mod cut;
mod defined;
mod in_engine;
mod judged;
mod kept;
mod look;
mod memory;
mod metrics;
mod outcome;
mod partial;
mod pass;
mod recent;
mod rows;
mod summed;
mod tried;
mod untold;

pub use kept::{History, KeptWindow};
pub use look::OverTime;
pub use tried::tried;
