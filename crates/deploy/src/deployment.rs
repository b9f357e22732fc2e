//! One change of a service under its lock: what release, rollback, upgrade and stop have in common.

use std::time::Duration;

use futures::future::try_join_all;

use crate::error::Result;
use crate::gateway::control::Control;
use crate::release::ReleaseEvent;
use crate::runtime::{Instance, Replicas, Runtimes};
use crate::service::Service;
use crate::state::folder::Folder;
use crate::state::lock::{self, Lock};

/// Log lines shown with an error.
pub(crate) const LOG_LINES: usize = 20;

/// What is told while a deployment goes on.
pub type Progress<'a> = &'a (dyn Fn(ReleaseEvent) + Sync);

/// A service whose lock is held.
pub(crate) struct Deployment<'a> {
    pub(crate) service: &'a Service,
    pub(crate) folder: Folder,
    pub(crate) runtimes: Runtimes,
    pub(crate) control: Control,
    progress: Progress<'a>,
    /// What the journal lines belong to.
    pub(crate) release: String,
    _lock: Lock,
}

impl<'a> Deployment<'a> {
    /// Takes the lock.
    pub(crate) async fn begin(
        service: &'a Service,
        folder: Folder,
        what: &str,
        progress: Progress<'a>,
    ) -> Result<Self> {
        let deployment = Self::take(service, folder, what, progress).await?;
        deployment.folder.rotate_journal()?;
        deployment.step(ReleaseEvent::Locked)?;
        Ok(deployment)
    }

    /// The same for what must be done on a full disk too: nothing is written but who holds the lock.
    pub(crate) async fn take(
        service: &'a Service,
        folder: Folder,
        what: &str,
        progress: Progress<'a>,
    ) -> Result<Self> {
        let tell = |holder: &lock::Holder| {
            progress(ReleaseEvent::Waiting { pid: holder.pid, what: holder.what.clone() });
        };
        let lock = lock::lock(&folder.lock(), &service.name, what, service.lock_wait, tell).await?;
        Ok(Self {
            service,
            control: Control::new(folder.gateway_socket()),
            folder,
            runtimes: Runtimes::default(),
            progress,
            release: what.to_owned(),
            _lock: lock,
        })
    }

    /// Writes a step into the journal, then tells it.
    pub(crate) fn step(&self, event: ReleaseEvent) -> Result<()> {
        self.folder.log_step(&self.release, event.step(), event.to_string())?;
        self.tell(event);
        Ok(())
    }

    /// Writes a step down if the disk has room for it: users wait for what comes next.
    pub(crate) fn note(&self, event: ReleaseEvent) {
        let written = self.folder.log_step(&self.release, event.step(), event.to_string());
        if let Err(error) = written {
            tracing::warn!(%error, "the journal lacks that {event}");
        }
        self.tell(event);
    }

    /// Tells something that needs no journal line.
    pub(crate) fn tell(&self, event: ReleaseEvent) {
        (self.progress)(event);
    }

    /// Takes a release out of the gateway, lets its requests finish within a limit, and stops its instances.
    pub(crate) async fn retire(
        &self,
        replicas: &Replicas,
        drain_limit: Duration,
        stop_grace: Duration,
    ) -> Result<()> {
        let id = replicas.id().to_owned();
        let left = self.control.retire(&id, drain_limit).await?;
        self.step(ReleaseEvent::Drained { id: id.clone(), left })?;
        self.runtimes.stop_all(replicas, stop_grace).await?;
        // Children that outlived their parent bear the same label.
        let root = &self.folder.root;
        let removed = replicas.all().map(|one| self.runtimes.remove(root, &one.id, stop_grace));
        try_join_all(removed).await?;
        self.step(ReleaseEvent::Stopped { id })
    }

    /// The last log lines of an instance, for a message.
    pub(crate) async fn log_lines(&self, instance: &Instance) -> Vec<String> {
        // The message is about something else; a log that cannot be read must not hide it.
        let lines = self.runtimes.logs(instance, LOG_LINES).await;
        lines.unwrap_or_else(|error| vec![error.to_string()])
    }
}
