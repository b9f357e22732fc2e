//! Canary: some users get green before all do, step by step. A step ends early only if green is bad; one that
//! got too few requests to say anything says so and goes on by the clock, for the bake judges as well.

use super::candidate::Candidacy;
use super::event::ReleaseEvent;
use crate::error::Result;
use crate::gateway::Gets;

/// Lets green answer a share of the requests, as the steps of the release say.
pub(super) async fn canary(candidacy: &Candidacy<'_>) -> Result<()> {
    let Candidacy { deployment, spec, green, .. } = candidacy;
    for step in &spec.canary {
        let (id, share, time) = (green.id().to_owned(), step.share, step.time);
        deployment.step(ReleaseEvent::Canary { id: id.clone(), share, time })?;
        let gets = Gets::Share { share, header: spec.canary_header.clone() };
        let seen = candidacy.pass(&format!("as a canary of {share}"), gets, time).await?;
        if let Some(seen) = seen.step {
            let is_enough = seen.green.requests >= spec.bake_limits.min_requests;
            deployment.step(ReleaseEvent::CanaryStepped { id, seen, is_enough })?;
        }
    }
    Ok(())
}
