//! Gate and promotion: a version that passes the gate and answers its own input example is approved
//! (`Staging`). `deploy` brings it to users; for those who serve elsewhere promotion moves `Production` itself.

use std::time::Duration;

use serde::Serialize;
use trainyard_deploy::Cause;
use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::{AliasId, Tracking};

use crate::actor::cause_of;
use crate::alias::{PRODUCTION, STAGING, number, production};
use crate::approval;
use crate::baseline::{baseline, serving};
use crate::candidate::Candidate;
use crate::event::{Step, Watcher};
use crate::gate::{Verdict, gate};
use crate::releases::set_state;
use crate::states::{State, Transition};
use crate::{Error, Project, Result, staging};

/// What is to be promoted.
#[derive(Debug, Clone, Default)]
pub struct PromoteOptions {
    /// The version; the newest if none is named.
    pub version: Option<String>,
    /// Whether the alias `Production` moves as well: for servers that follow it.
    pub to_production: bool,
    /// Why, for those who look at it later.
    pub reason: Option<String>,
    /// Who asked for it on a page; none where it is whoever runs this program.
    pub asked_by: Option<String>,
}

/// What promotion did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Promoted {
    pub name: String,
    pub version: String,
    /// The alias that the version earned: `Staging` or `Production`.
    pub alias: String,
    /// Version that has `Production`, or had it before.
    pub replaced: Option<String>,
    pub gate: Verdict,
    #[serde(skip)]
    pub gate_took: Duration,
    #[serde(skip)]
    pub promote_took: Duration,
}

/// Puts a version through the gate and approves it; labels it `Production` only where that is wanted.
pub async fn promote(
    project: &Project,
    tracking: &Tracking,
    options: PromoteOptions,
    watcher: Watcher<'_>,
) -> Result<Promoted> {
    let candidate = Candidate::find(project, tracking, options.version.as_deref()).await?;
    let cause = cause_of(project, options.reason.as_deref(), options.asked_by.as_deref());
    let approved = approve(project, tracking, &candidate, &cause, watcher).await?;
    if !options.to_production {
        return Ok(approved);
    }
    approval::check(project, tracking, &candidate.version, &cause).await?;
    let moving = label_production(tracking, &candidate.version, &approved, &cause);
    let done = |(): &()| format!("{} version {} is {PRODUCTION}", approved.name, approved.version);
    let ((), took) = Step::Promote.watched(watcher, moving, done).await?;
    let promote_took = approved.promote_took + took;
    Ok(Promoted { alias: PRODUCTION.to_owned(), promote_took, ..approved })
}

/// The gate, the check as `Staging`, the alias.
pub(crate) async fn approve(
    project: &Project,
    tracking: &Tracking,
    candidate: &Candidate,
    cause: &Cause,
    watcher: Watcher<'_>,
) -> Result<Promoted> {
    let ModelVersion { name, version, .. } = &candidate.version;
    let production = production(tracking, name).await?;
    let serving = serving(project).await?;
    let baseline =
        baseline(tracking, &candidate.version, serving.as_deref(), production.as_ref()).await?;
    let gating = gate(project, tracking, candidate, baseline.as_ref(), watcher);
    let done = Verdict::summary;
    let gated = Step::Gate.watched(watcher, gating, done).await;
    let labelled = production.as_ref().map(|production| &production.version);
    let serves = serving.as_ref().or(labelled) == Some(version);
    if let Err(Error::Gate(verdict)) = &gated {
        withdraw(tracking, &candidate.version, cause, verdict).await;
    }
    let (verdict, gate_took) = gated?;

    let staging = async {
        Step::Promote.tell(watcher, format!("whether version {version} answers its input example"));
        staging::check(project, candidate).await?;
        // A version that is in production is not on its way there.
        if !serves {
            let what = "the gate passed";
            let approved = Transition::now(name, version, State::Approved, cause, what);
            set_state(tracking, &approved).await?;
        }
        tracking.registered_models.set_alias(candidate.version.id(), STAGING).await?;
        Ok::<_, Error>(())
    };
    let done = |(): &()| format!("{name} version {version} is approved ({STAGING})");
    let ((), promote_took) = Step::Promote.watched(watcher, staging, done).await?;
    Ok(Promoted {
        name: name.clone(),
        version: version.clone(),
        alias: STAGING.to_owned(),
        replaced: production.map(|version| version.version),
        gate: verdict,
        gate_took,
        promote_took,
    })
}

/// Takes back that a version is approved. What cannot be written now is known by the verdict's own tag.
async fn withdraw(tracking: &Tracking, version: &ModelVersion, cause: &Cause, verdict: &Verdict) {
    let withdrawing = async {
        let ModelVersion { name, version: candidate, .. } = version;
        if State::of(version) == Some(State::Approved) {
            // Why it was to be released is not why it is refused.
            let cause = Cause { reason: None, ..cause.clone() };
            let what = verdict.to_string();
            let refused = Transition::now(name, candidate, State::Refused, &cause, what);
            set_state(tracking, &refused).await?;
        }
        if number(tracking, name, STAGING).await?.as_ref() == Some(candidate) {
            let alias = AliasId { name, alias: STAGING };
            tracking.registered_models.delete_alias(alias).await?;
        }
        Ok::<_, Error>(())
    };
    if let Err(error) = withdrawing.await {
        tracing::warn!(error = error.message(), "an approval cannot be withdrawn now");
    }
}

/// Moves `Production`, then says so on both versions.
async fn label_production(
    tracking: &Tracking,
    version: &ModelVersion,
    approved: &Promoted,
    cause: &Cause,
) -> Result<()> {
    tracking.registered_models.set_alias(version.id(), PRODUCTION).await?;
    let Promoted { name, version, replaced, .. } = approved;
    if let Some(before) = replaced.as_ref().filter(|before| *before != version) {
        let what = format!("version {version} replaced it");
        let replaced = Transition::now(name, before, State::Replaced, cause, what);
        set_state(tracking, &replaced).await?;
    }
    let what = format!("promoted to {PRODUCTION}");
    set_state(tracking, &Transition::now(name, version, State::Released, cause, what)).await
}
