//! Releases: what they are told, their steps, and what they tell.

mod bake;
mod event;
mod recovery;
mod review;
mod rollback;
mod rollout;
mod spec;
mod verify;

pub use event::ReleaseEvent;
pub use review::{GoneBack, Refusal, Review, Side, Sides, Unreviewed};
pub use rollback::rollback;
pub use rollout::{Released, release};
pub use spec::{BakeLimits, ReleaseSpec};
