//! Shadow: before any user has green, it gets copies of their requests, and what it says is compared with what
//! blue says.

use super::candidate::Candidacy;
use super::event::ReleaseEvent;
use crate::error::Result;
use crate::gateway::Gets;

/// Lets green answer copies for as long as the release wants.
pub(super) async fn shadow(candidacy: &Candidacy<'_>) -> Result<()> {
    let Candidacy { deployment, spec, green, .. } = candidacy;
    if spec.shadow.is_zero() {
        return Ok(());
    }
    let id = green.id().to_owned();
    deployment.step(ReleaseEvent::Shadowing { id: id.clone(), time: spec.shadow })?;
    let seen = candidacy.pass("in shadow", Gets::Copies, spec.shadow).await?;
    deployment.step(ReleaseEvent::Shadowed { id, copies: seen.copies })
}
