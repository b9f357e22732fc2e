//! Releases: what they are told, their steps, and what they tell.

mod bake;
mod cause;
mod commit;
mod event;
mod recovery;
mod review;
mod rollback;
mod rollout;
mod settle;
mod spec;
mod spec_at;
mod verify;

pub use cause::{Cause, Kind};
pub use event::ReleaseEvent;
pub use recovery::settle;
pub use review::{GoneBack, Refusal, Review, Side, Sides, Unreviewed};
pub use rollback::{Rollback, rollback};
pub use rollout::{Released, release};
pub use spec::{BakeLimits, ReleaseSpec};
pub use spec_at::spec_at;
