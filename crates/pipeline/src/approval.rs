//! `[gate] approvals`: what the gate let through is released when enough people agree.
//!
//! They are asked where the registry is: who approves is known to the tracking server, not to this program. A
//! version is asked for once, by whoever wants to release it first; releasing it again later finds who agreed.

use trainyard_deploy::Cause;
use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::{AliasMove, Tracking};

use crate::alias::{PRODUCTION, number};
use crate::{Error, Project, Result};

/// Why it is asked for, where people look at what waits.
const REASON: &str = "the gate passed, and it is to be released";

/// Refuses to go on with a version that too few people have approved, whoever wants it released not counted. One that is in
/// production is not on its way there.
pub(crate) async fn check(
    project: &Project,
    tracking: &Tracking,
    version: &ModelVersion,
    cause: &Cause,
) -> Result<()> {
    let needed = project.config.gate.approvals;
    let ModelVersion { name, version, .. } = version;
    if needed == 0 || number(tracking, name, PRODUCTION).await?.as_ref() == Some(version) {
        return Ok(());
    }
    let wanted =
        AliasMove { model: name.clone(), alias: PRODUCTION.to_owned(), version: version.clone() };
    let request = tracking.approvals.request(wanted, REASON).await?;
    let names = request.approvals.into_iter().map(|approval| approval.who);
    let approved_by: Vec<String> = names.filter(|who| *who != cause.actor).collect();
    if approved_by.len() >= usize::from(needed) {
        return Ok(());
    }
    let (model, version) = (name.clone(), version.clone());
    Err(Error::NotApproved { model, version, needed, approved_by })
}
