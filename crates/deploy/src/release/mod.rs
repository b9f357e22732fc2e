//! Releases: what they are told, their steps, and what they tell.

mod bake;
mod canary;
mod canary_step;
mod candidate;
mod event;
mod recovery;
mod rollback;
mod rollout;
mod shadow;
mod spec;
mod verify;

pub use canary_step::{CanaryStep, NoStep, Share};
pub use event::ReleaseEvent;
pub use rollback::rollback;
pub use rollout::{Released, release};
pub use spec::{BakeLimits, ReleaseSpec};
