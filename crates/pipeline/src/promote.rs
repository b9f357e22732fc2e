//! Gate and promotion: a version gets `Staging`, proves itself, gets `Production`.

use std::time::Duration;

use serde::Serialize;
use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::{AliasId, Tracking, VersionId};

use crate::alias::{PRODUCTION, STAGING, production};
use crate::candidate::Candidate;
use crate::event::{Step, Watcher};
use crate::gate::{Verdict, gate};
use crate::{Project, Result, staging};

/// What promotion did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Promoted {
    pub name: String,
    pub version: String,
    /// Version that had the alias before.
    pub replaced: Option<String>,
    pub gate: Verdict,
    #[serde(skip)]
    pub gate_took: Duration,
    #[serde(skip)]
    pub promote_took: Duration,
}

/// Puts a version (the newest if none is named) through the gate and labels it `Production`.
pub async fn promote(
    project: &Project,
    tracking: &Tracking,
    version: Option<&str>,
    watcher: Watcher<'_>,
) -> Result<Promoted> {
    let candidate = Candidate::find(project, tracking, version).await?;
    promote_candidate(project, tracking, &candidate, watcher).await
}

/// The same for a version that was fetched already.
pub(crate) async fn promote_candidate(
    project: &Project,
    tracking: &Tracking,
    candidate: &Candidate,
    watcher: Watcher<'_>,
) -> Result<Promoted> {
    let ModelVersion { name, version, .. } = &candidate.version;
    let production = production(tracking, name).await?;
    let gating = gate(project, tracking, candidate, production.as_ref(), watcher);
    let done = Verdict::summary;
    let (verdict, gate_took) = Step::Gate.watched(watcher, gating, done).await?;

    let moving = move_aliases(tracking, candidate, watcher);
    let done = |(): &()| format!("{name} version {version} is {PRODUCTION}");
    let ((), promote_took) = Step::Promote.watched(watcher, moving, done).await?;
    Ok(Promoted {
        name: name.clone(),
        version: version.clone(),
        replaced: production.map(|version| version.version),
        gate: verdict,
        gate_took,
        promote_took,
    })
}

/// Gives the alias back to the version that had it before, because the promoted one could not be
/// deployed: what `Production` names is what is served.
pub(crate) async fn demote(tracking: &Tracking, promoted: &Promoted) -> Result<()> {
    let name = &promoted.name;
    let now = production(tracking, name).await?;
    // Somebody else may have moved it meanwhile.
    if now.is_none_or(|version| version.version != promoted.version) {
        return Ok(());
    }
    let models = &tracking.registered_models;
    match &promoted.replaced {
        Some(before) => models.set_alias(VersionId { name, version: before }, PRODUCTION).await?,
        None => models.delete_alias(AliasId { name, alias: PRODUCTION }).await?,
    }
    Ok(())
}

/// `Staging`, the check, `Production`.
async fn move_aliases(
    tracking: &Tracking,
    candidate: &Candidate,
    watcher: Watcher<'_>,
) -> Result<()> {
    let id = candidate.version.id();
    tracking.registered_models.set_alias(id, STAGING).await?;
    Step::Promote.tell(watcher, format!("serving version {} as {STAGING}", id.version));
    staging::check(candidate).await?;
    tracking.registered_models.set_alias(id, PRODUCTION).await?;
    Ok(())
}
