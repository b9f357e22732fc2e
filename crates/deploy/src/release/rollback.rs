//! A rollback: what served before is released again.

use super::rollout::{self, Released};
use crate::deployment::{Deployment, Progress};
use crate::error::{Error, Result};
use crate::service::Service;
use crate::state::folder::Folder;
use crate::state::history::{HistoryEntry, Outcome};

/// Releases again what served before the current instance, with all steps of a release.
pub async fn rollback(service: &Service, progress: Progress<'_>) -> Result<Released> {
    let folder = Folder::open(service)?;
    let deployment = Deployment::begin(service, folder, "rollback", progress).await?;
    let none = || Error::NoPrevious { service: service.name.clone() };
    let history = deployment.folder.read_history()?;
    let status = deployment.control.status().await?;
    let current = status.and_then(|status| status.route.current).map(|target| target.id);
    let released = |entry: &&HistoryEntry| entry.outcome == Outcome::Released;
    let previous = match &current {
        Some(current) => history
            .iter()
            .rev()
            .find(|entry| entry.id == *current)
            .and_then(|entry| entry.from.clone())
            .or_else(|| {
                let others = history.iter().rev().filter(released);
                others.map(|entry| entry.id.clone()).find(|id| id != current)
            }),
        None => history.iter().rev().find(released).map(|entry| entry.id.clone()),
    };
    let spec = match previous {
        Some(id) => deployment.folder.read_spec(&id)?.ok_or_else(none)?,
        None => return Err(none()),
    };
    rollout::run(deployment, &spec).await
}
