//! All runtimes as one: which of them an instance belongs to is written down with it, so a service may
//! go from processes to containers and back.

use std::path::Path;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::sync::mpsc::Sender;

use super::docker::{DockerRuntime, SwarmRuntime};
use super::instance::{Instance, InstanceSpec, InstanceStatus, Runtime, RuntimeHealth, Vitals};
use super::process::ProcessRuntime;
use crate::error::Result;
use crate::logs::Excerpt;
use crate::release::ReleaseSpec;
use crate::state::folder::Folder;
use crate::workload::{RuntimeKind, Workload};

/// Processes, and containers here and in a swarm where a service has or had any.
#[derive(Debug, Default)]
pub(crate) struct Runtimes {
    process: ProcessRuntime,
    docker: OnceCell<DockerRuntime>,
    swarm: OnceCell<SwarmRuntime>,
}

impl Runtimes {
    /// Gets what a start needs and may take long (an image); what was got, for a person.
    pub(crate) async fn prepare(&self, release: &ReleaseSpec) -> Result<Option<String>> {
        match &release.workload {
            Workload::Process(_) => Ok(None),
            Workload::Container(container) => self.docker().await?.prepare(container).await,
            Workload::Swarm(swarm) => self.swarm().await?.prepare(swarm).await,
        }
    }

    /// Starts an instance that outlives this program, on an address nobody uses.
    pub(crate) async fn start(&self, spec: &InstanceSpec<'_>) -> Result<Instance> {
        match &spec.release.workload {
            Workload::Process(process) => self.process.start(spec, process),
            Workload::Container(container) => self.docker().await?.start(spec, container).await,
            Workload::Swarm(swarm) => self.swarm().await?.start(spec, swarm).await,
        }
    }

    /// Starts an instance that ended again, at the address that it had if nobody took it meanwhile. What is left
    /// of it must be gone before, but for a container that only ended, and what a swarm brings back by itself.
    pub(crate) async fn restart(
        &self,
        spec: &InstanceSpec<'_>,
        before: &Instance,
    ) -> Result<Instance> {
        match &spec.release.workload {
            Workload::Process(process) => self.process.restart(spec, process, before),
            Workload::Container(container) => {
                self.docker().await?.restart(spec, container, before).await
            }
            Workload::Swarm(swarm) => self.swarm().await?.restart(spec, swarm, before).await,
        }
    }

    pub(crate) async fn status(&self, instance: &Instance) -> Result<InstanceStatus> {
        self.of(instance).await?.status(instance).await
    }

    /// Whether an instance is known to have ended because it was told to, or was killed.
    pub(crate) fn was_ended(&self, instance: &Instance) -> bool {
        match instance.runtime {
            RuntimeKind::Process => self.process.was_ended(instance),
            RuntimeKind::Docker => false,
            // It brings back by itself what crashes; what has ended was removed or moved.
            RuntimeKind::Swarm => true,
        }
    }

    pub(crate) async fn health(&self, instance: &Instance) -> Result<Option<RuntimeHealth>> {
        self.of(instance).await?.health(instance).await
    }

    pub(crate) async fn events(&self, instance: &Instance) -> Result<Vec<String>> {
        self.of(instance).await?.events(instance).await
    }

    /// How an instance is, if it runs and its runtime can be asked.
    pub(crate) async fn vitals(&self, instance: &Instance) -> Vitals {
        match self.of(instance).await {
            Ok(runtime) => runtime.vitals(instance).await,
            Err(_cannot_be_asked) => Vitals::default(),
        }
    }

    pub(crate) async fn logs(&self, instance: &Instance, tail: usize) -> Result<Vec<String>> {
        self.of(instance).await?.logs(instance, tail).await
    }

    /// See [`Runtime::tell_logs`].
    pub(crate) async fn tell_logs(
        &self,
        instance: &Instance,
        excerpt: &Excerpt,
        is_followed: bool,
        tell: &Sender<String>,
    ) -> Result<bool> {
        self.of(instance).await?.tell_logs(instance, excerpt, is_followed, tell).await
    }

    pub(crate) async fn keep(&self, instance: &Instance) -> Result<()> {
        self.of(instance).await?.keep(instance).await
    }

    pub(crate) async fn stop(&self, instance: &Instance, grace: Duration) -> Result<()> {
        self.of(instance).await?.stop(instance, grace).await
    }

    pub(crate) async fn list(&self, service_root: &Path) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for runtime in self.used_by(service_root).await? {
            ids.extend(runtime.list(service_root).await?);
        }
        Ok(ids)
    }

    pub(crate) async fn remove(
        &self,
        service_root: &Path,
        id: &str,
        grace: Duration,
    ) -> Result<()> {
        for runtime in self.used_by(service_root).await? {
            runtime.remove(service_root, id, grace).await?;
        }
        Ok(())
    }

    pub(crate) async fn clean(&self, service_root: &Path) -> Result<()> {
        for runtime in self.used_by(service_root).await? {
            runtime.clean(service_root).await?;
        }
        Ok(())
    }

    /// The runtime of an instance that was started.
    async fn of(&self, instance: &Instance) -> Result<&dyn Runtime> {
        Ok(match instance.runtime {
            RuntimeKind::Process => &self.process,
            RuntimeKind::Docker => self.docker().await?,
            RuntimeKind::Swarm => self.swarm().await?,
        })
    }

    /// The runtimes that may have instances of a service: an instance's release says so before it is
    /// started.
    async fn used_by(&self, service_root: &Path) -> Result<Vec<&dyn Runtime>> {
        let mut runtimes: Vec<&dyn Runtime> = vec![&self.process];
        if self.docker.initialized() || uses(service_root, RuntimeKind::Docker)? {
            runtimes.push(self.docker().await?);
        }
        if self.swarm.initialized() || uses(service_root, RuntimeKind::Swarm)? {
            runtimes.push(self.swarm().await?);
        }
        Ok(runtimes)
    }

    /// The engine is asked only when there is something to ask it.
    async fn docker(&self) -> Result<&DockerRuntime> {
        self.docker.get_or_try_init(DockerRuntime::connect).await
    }

    /// The manager, likewise.
    async fn swarm(&self) -> Result<&SwarmRuntime> {
        self.swarm.get_or_try_init(SwarmRuntime::connect).await
    }
}

/// Whether one of the instances that are remembered was released in this runtime.
fn uses(service_root: &Path, runtime: RuntimeKind) -> Result<bool> {
    let specs = Folder::at(service_root)?.read_specs()?;
    Ok(specs.iter().any(|spec| spec.workload.runtime() == runtime))
}
