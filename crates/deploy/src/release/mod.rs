//! Releases: what they are told, their steps, and what they tell.

mod bake;
mod canary;
mod canary_step;
mod candidate;
mod cause;
mod commit;
mod event;
mod keeper;
mod recovery;
mod review;
mod revive;
mod rollback;
mod rollout;
mod settle;
mod shadow;
mod spec;
mod spec_at;
mod standing;
mod verify;

pub use canary_step::{CanaryStep, NoStep, Share};
pub use cause::{Cause, Kind};
pub use event::ReleaseEvent;
pub use keeper::Keeper;
pub use recovery::{settle, tidy};
pub use review::{GoneBack, Refusal, Review, Side, Sides, Unreviewed};
pub use revive::{Ills, Revived};
pub use rollback::{Rollback, returns_to, rollback};
pub use rollout::{Released, release};
pub use spec::{BakeLimits, ReleaseSpec};
pub use spec_at::spec_at;
pub use standing::{Condition, Post, Standing, should_serve, was_stopped};
