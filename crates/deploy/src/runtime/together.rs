//! Both runtimes as one: which of them an instance belongs to is written down with it, so a service may
//! go from processes to containers and back.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::docker::DockerRuntime;
use super::process::ProcessRuntime;
use super::{Instance, InstanceSpec, InstanceStatus, Runtime, RuntimeHealth, RuntimeKind};
use crate::error::Result;
use crate::layout::read_json;
use crate::spec::ReleaseSpec;

/// Processes, and containers where a service has or had any.
#[derive(Debug, Default)]
pub(crate) struct Runtimes {
    process: ProcessRuntime,
    docker: OnceCell<DockerRuntime>,
}

impl Runtimes {
    /// The engine is asked only when there is something to ask it.
    async fn docker(&self) -> Result<&DockerRuntime> {
        self.docker.get_or_try_init(DockerRuntime::connect).await
    }

    async fn of(&self, instance: &Instance) -> Result<&dyn Runtime> {
        Ok(match instance.runtime {
            RuntimeKind::Process => &self.process,
            RuntimeKind::Docker => self.docker().await?,
        })
    }

    async fn of_spec(&self, release: &ReleaseSpec) -> Result<&dyn Runtime> {
        Ok(match release.container {
            None => &self.process,
            Some(_) => self.docker().await?,
        })
    }

    /// Docker, if the service uses it: an instance's release says so before it is started.
    async fn docker_of(&self, service_root: &Path) -> Result<Option<&DockerRuntime>> {
        if self.docker.initialized() || uses_containers(service_root)? {
            return self.docker().await.map(Some);
        }
        Ok(None)
    }
}

/// Whether one of the instances that are remembered was released as a container.
fn uses_containers(service_root: &Path) -> Result<bool> {
    let Ok(folders) = std::fs::read_dir(service_root.join("instances")) else { return Ok(false) };
    for folder in folders.flatten() {
        let spec: Option<ReleaseSpec> = read_json(&folder.path().join("spec.json"))?;
        if spec.is_some_and(|spec| spec.container.is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[async_trait]
impl Runtime for Runtimes {
    fn name(&self) -> &'static str {
        "process and docker"
    }

    async fn prepare(&self, release: &ReleaseSpec) -> Result<Option<String>> {
        self.of_spec(release).await?.prepare(release).await
    }

    async fn start(&self, spec: &InstanceSpec) -> Result<Instance> {
        self.of_spec(&spec.release).await?.start(spec).await
    }

    async fn status(&self, instance: &Instance) -> Result<InstanceStatus> {
        self.of(instance).await?.status(instance).await
    }

    async fn health(&self, instance: &Instance) -> Result<Option<RuntimeHealth>> {
        self.of(instance).await?.health(instance).await
    }

    async fn events(&self, instance: &Instance) -> Result<Vec<String>> {
        self.of(instance).await?.events(instance).await
    }

    async fn logs(&self, instance: &Instance, tail: usize) -> Result<Vec<String>> {
        self.of(instance).await?.logs(instance, tail).await
    }

    async fn keep(&self, instance: &Instance) -> Result<()> {
        self.of(instance).await?.keep(instance).await
    }

    async fn stop(&self, instance: &Instance, grace: Duration) -> Result<()> {
        self.of(instance).await?.stop(instance, grace).await
    }

    async fn list(&self, service_root: &Path) -> Result<Vec<String>> {
        let mut ids = self.process.list(service_root).await?;
        if let Some(docker) = self.docker_of(service_root).await? {
            ids.extend(docker.list(service_root).await?);
        }
        Ok(ids)
    }

    async fn remove(&self, service_root: &Path, id: &str, grace: Duration) -> Result<()> {
        self.process.remove(service_root, id, grace).await?;
        if let Some(docker) = self.docker_of(service_root).await? {
            docker.remove(service_root, id, grace).await?;
        }
        Ok(())
    }

    async fn clean(&self, service_root: &Path) -> Result<()> {
        if let Some(docker) = self.docker_of(service_root).await? {
            docker.clean(service_root).await?;
        }
        Ok(())
    }
}
