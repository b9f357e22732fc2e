//! The last steps of a release: that green is the one is made known, then blue stops. Between the two blue is
//! warm, so that neither can be had without the other.

use super::bake::back_to_blue;
use super::cause::Kind;
use super::event::ReleaseEvent;
use super::review::{GoneBack, Refusal, Sides};
use super::rollout::Rollout;
use super::spec::ReleaseSpec;
use crate::error::{Error, Result};
use crate::gateway::WentBack;
use crate::gateway::control::GoBack;
use crate::runtime::Replicas;
use crate::state::pending::Pending;

impl Rollout<'_> {
    /// Makes it known that green is the one from now on; blue is still warm.
    pub(super) async fn commit(
        &self,
        pending: &mut Pending,
        green: &Replicas,
        sides: &Sides,
    ) -> Result<()> {
        let deployment = self.deployment;
        let id = self.id.to_owned();
        deployment.step(ReleaseEvent::Committing { id: id.clone() })?;
        match self.review.before_blue_stops(sides).await {
            Ok(()) => {
                pending.committed = true;
                deployment.folder.write_pending(pending)?;
                deployment.step(ReleaseEvent::Committed { id })
            }
            // What a rollback leaves is worse than a registry that lags behind.
            Err(refusal @ Refusal::Failure { .. }) if self.spec.cause.kind == Kind::Rollback => {
                let reason = refusal.to_string();
                deployment.step(ReleaseEvent::Uncommitted { id, reason })
            }
            Err(refusal) => Err(self.take_traffic_back(pending, green, refusal).await?),
        }
    }

    /// Sends traffic back to blue because it cannot be made known that green is the one.
    async fn take_traffic_back(
        &self,
        pending: &mut Pending,
        green: &Replicas,
        refusal: Refusal,
    ) -> Result<Error> {
        let deployment = self.deployment;
        let Some(blue) = self.blue else { return Ok(self.refused(refusal)) };
        let is_verdict = matches!(refusal, Refusal::Verdict { .. });
        let reason = refusal.to_string();
        pending.gone_back = Some(GoneBack { reason: reason.clone(), is_verdict });
        deployment.folder.write_pending(pending)?;
        deployment.control.go_back(&GoBack { from: green.id().to_owned(), reason }).await?;
        if let Some(went_back) = self.went_back().await? {
            back_to_blue(deployment, self.spec, green, blue, &went_back).await?;
        }
        Ok(self.refused(refusal))
    }

    /// Stops blue, unless the gateway went back to it in the last moment.
    pub(super) async fn let_go(
        &self,
        green: &Replicas,
        blue: &Replicas,
        blue_spec: &ReleaseSpec,
    ) -> Result<()> {
        let Self { deployment, spec, .. } = *self;
        let retired = deployment.retire(blue, spec.drain_limit, blue_spec.stop_grace).await;
        match (retired, self.went_back().await?) {
            (Err(_refused), Some(went_back)) => {
                Err(back_to_blue(deployment, spec, green, blue, &went_back).await?)
            }
            (retired, _) => retired,
        }
    }

    /// Whether the gateway went back from green.
    async fn went_back(&self) -> Result<Option<WentBack>> {
        let status = self.deployment.control.status().await?;
        let went_back = status.and_then(|status| status.route.went_back);
        Ok(went_back.filter(|went_back| went_back.from == self.id))
    }
}
