//! A way back for a version that cannot live, looked for beside the looks: neither a registry that does not answer nor
//! an earlier version that takes long to start holds up the new start of anything else.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use trainyard_deploy::Error as DeployError;

use super::pace::CrashLoop;
use super::registry::Registry;
use crate::event::Event;
use crate::rollback::{RollbackOptions, rollback};
use crate::{Error, Project};

/// How long the tracking store may take to be opened when traffic is to go back.
const REGISTRY_LIMIT: Duration = Duration::from_secs(30);

/// How it ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// An earlier version serves.
    Back { version: String },
    /// Why none does.
    NoWay { why: String },
    /// Somebody changes the service, and may bring another version anyway.
    NotNow,
}

/// A way back that was looked for.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) found: CrashLoop,
    pub(super) reason: String,
    pub(super) outcome: Outcome,
}

/// The way back that is looked for, one at a time. It is given up when this is dropped.
#[derive(Debug, Default)]
pub(super) struct GoingBack(JoinSet<Ended>);

impl GoingBack {
    /// Whether one is looked for.
    pub(super) fn is_under_way(&self) -> bool {
        !self.0.is_empty()
    }

    /// Looks for one.
    pub(super) fn begin(
        &mut self,
        project: &Arc<Project>,
        registry: &Arc<Registry>,
        found: CrashLoop,
        reason: String,
    ) {
        let (project, registry) = (Arc::clone(project), Arc::clone(registry));
        self.0.spawn(async move {
            let outcome = go_back(&project, &registry, &reason).await;
            Ended { found, reason, outcome }
        });
    }

    /// What became of one, once.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        match self.0.try_join_next()? {
            Ok(ended) => Some(ended),
            Err(error) => {
                tracing::error!(%error, "the way back broke off");
                None
            }
        }
    }
}

async fn go_back(project: &Arc<Project>, registry: &Registry, reason: &str) -> Outcome {
    let opened = match tokio::time::timeout(REGISTRY_LIMIT, registry.of(project)).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(why)) => return Outcome::NoWay { why },
        Err(_elapsed) => {
            return Outcome::NoWay { why: "the tracking store does not answer".to_owned() };
        }
    };
    let options = RollbackOptions { reason: Some(reason.to_owned()), ..RollbackOptions::default() };
    let watcher = |_event: Event| {};
    match Box::pin(rollback(project, &opened.tracking, options, &watcher)).await {
        Ok(deployed) => Outcome::Back { version: deployed.version },
        Err(Error::Deploy(DeployError::Locked { .. })) => Outcome::NotNow,
        Err(error) => Outcome::NoWay { why: error.message() },
    }
}
