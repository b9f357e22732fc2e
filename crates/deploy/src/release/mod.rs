//! Releases: what they are told, their steps, and what they tell.

mod bake;
mod event;
mod recovery;
mod rollback;
mod rollout;
mod spec;
mod spec_at;
mod verify;

pub use event::ReleaseEvent;
pub use rollback::rollback;
pub use rollout::{Released, release};
pub use spec::{BakeLimits, ReleaseSpec};
pub use spec_at::spec_at;
