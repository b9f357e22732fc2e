//! What this host records of the project's service in the tracking store: how it is, each minute while somebody keeps it
//! up, and what went through over time. Pages of a tracking server elsewhere know a service by this alone.
//!
//! Nothing that serves, or keeps up what serves, waits for it: a store that is away is told when it is back.

mod asked_release;
mod command;
mod kept;
mod look;
mod minutely;
mod news;
mod recorder;
mod wish;

pub(crate) use asked_release::keep_asked_release;
pub use asked_release::last_asked_release;
pub(crate) use command::record_change;
pub use command::record_stop;
pub(crate) use minutely::{Minutely, each_minute};
pub(crate) use news::News;
pub(crate) use recorder::run_id;
pub use wish::TakenWish;
pub(crate) use wish::gateway_mode;
