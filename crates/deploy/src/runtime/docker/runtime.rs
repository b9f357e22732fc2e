//! Instances as containers: how they are started on an address that is free, and what the engine says of
//! them.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use bollard::models::{
    ContainerStateStatusEnum, ContainerUpdateBody, HealthStatusEnum, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::EventsOptions;
use futures::StreamExt as _;
use tokio::sync::mpsc::Sender;

use super::engine::{Engine, reason, refused};
use super::labels::{container_name, service_name};
use super::{container, create, follow, image, network, output, vitals};
use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::logs::Excerpt;
use crate::replica_id::{place_of, release_of};
use crate::runtime::addresses::FreeAddresses;
use crate::runtime::instance::{
    HealthVerdict, Instance, InstanceSpec, InstanceStatus, Runtime, RuntimeHealth, Vitals,
};
use crate::state::file::tail as tail_of;
use crate::state::instances::log_path;
use crate::workload::{ContainerSpec, Network, RuntimeKind};

/// Exit code of a program that was killed: 128 and the signal's number.
const KILLED: i64 = 137;

/// Somebody else may take an address between its choice and its use; then another is chosen.
const ADDRESS_TRIES: u64 = 5;

/// Addresses of a release's instances are so far apart, for those of the releases after it.
const RELEASES_BETWEEN: u64 = 1000;

/// Characters of a health check's output that are shown.
const SHOWN_CHARS_MAX: usize = 300;

/// Events of a container that are shown.
const EVENTS_MAX: usize = 50;

/// Runs instances as containers.
#[derive(Debug)]
pub(crate) struct DockerRuntime {
    engine: Engine,
    addresses: FreeAddresses,
}

impl DockerRuntime {
    /// Finds the engine that `DOCKER_HOST` names, or the one behind the local socket, and agrees with it
    /// on a version of its API.
    pub(crate) async fn connect() -> Result<Self> {
        Ok(Self { engine: Engine::connect().await?, addresses: FreeAddresses::default() })
    }

    /// Gets the image; what was done, for a person.
    pub(crate) async fn prepare(&self, container: &ContainerSpec) -> Result<Option<String>> {
        image::provide(&self.engine, container).await
    }

    /// Starts a container that outlives this program, on an address nobody uses.
    pub(crate) async fn start(
        &self,
        spec: &InstanceSpec<'_>,
        container: &ContainerSpec,
    ) -> Result<Instance> {
        let range = match container.network {
            Network::Own => Some(network::provide(&self.engine, spec.service_root).await?),
            Network::Host | Network::Named(_) => None,
        };
        let no_address =
            |reason: String| Error::Start { command: container.image.clone().into(), reason };
        let number = number(spec.id);
        for attempt in 0..ADDRESS_TRIES {
            let address = match range {
                Some(range) => range.address(number.wrapping_add(attempt), container.port),
                None => self.addresses.give().map_err(|error| no_address(error.to_string()))?,
            };
            if let Some(handle) = self.start_at(address, spec, container).await? {
                return Ok(Instance {
                    id: spec.id.to_owned(),
                    address,
                    runtime: RuntimeKind::Docker,
                    handle,
                    started: now_ms(),
                    log_path: log_path(spec.service_root, spec.id),
                });
            }
        }
        Err(no_address(format!("{ADDRESS_TRIES} free addresses in a row were taken by others")))
    }

    /// Starts a container that ended again; one that is gone is made anew: in a network of the service's own its
    /// address follows from its id, so it is the one before as long as nobody took that.
    pub(crate) async fn restart(
        &self,
        spec: &InstanceSpec<'_>,
        container: &ContainerSpec,
        before: &Instance,
    ) -> Result<Instance> {
        if container::inspect(&self.engine, &before.handle).await?.is_some() {
            container::resume(&self.engine, &before.handle).await?;
            return Ok(before.clone());
        }
        self.start(spec, container).await
    }

    /// Starts a container on an address; `None` when the address was taken meanwhile.
    async fn start_at(
        &self,
        address: SocketAddr,
        spec: &InstanceSpec<'_>,
        container: &ContainerSpec,
    ) -> Result<Option<String>> {
        let engine = &self.engine;
        let name = container_name(spec.service_root, spec.id);
        let body = create::body(spec, container, address, engine.api_minor);
        let failed = |reason: String, hint: &str| Error::Docker {
            doing: format!("cannot start image {}", container.image),
            reason,
            hint: hint.to_owned(),
        };
        if let Err(refusal) = container::start(engine, &name, &body).await {
            container::discard(engine, &name).await?;
            if self.is_taken(address, spec.service_root, &container.network).await? {
                return Ok(None);
            }
            let hint = "check image, network and limits under [deploy]";
            return Err(failed(reason(&refusal), hint));
        }
        let found = container::inspect(engine, &name).await?;
        found.map(|(id, _)| Some(id)).ok_or_else(|| {
            let hint = "something else removes containers on this machine";
            failed("its container vanished".to_owned(), hint)
        })
    }

    /// Whether somebody has an address: another container of the network, or a program of this machine.
    /// The engine says that in words alone, which differ from version to version.
    async fn is_taken(
        &self,
        address: SocketAddr,
        service_root: &Path,
        network: &Network,
    ) -> Result<bool> {
        match (network, address.ip()) {
            (Network::Own, IpAddr::V4(ip)) => {
                network::has(&self.engine, &service_name(service_root), ip).await
            }
            (Network::Own, IpAddr::V6(_)) => Ok(false),
            (Network::Host | Network::Named(_), _) => {
                let bound = TcpListener::bind(address);
                Ok(bound.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse))
            }
        }
    }
}

/// Another number for each instance of releases that may be there at the same time.
pub(super) fn number(id: &str) -> u64 {
    let digits = release_of(id).bytes().filter(u8::is_ascii_digit);
    let release = digits
        .fold(0_u64, |number, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')));
    release.wrapping_add(u64::from(place_of(id)).wrapping_mul(RELEASES_BETWEEN))
}

#[async_trait]
impl Runtime for DockerRuntime {
    async fn status(&self, instance: &Instance) -> Result<InstanceStatus> {
        let Some((_, state)) = container::inspect(&self.engine, &instance.handle).await? else {
            return Ok(InstanceStatus::Ended("the container is gone".to_owned()));
        };
        Ok(match state.status {
            Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::PAUSED) => {
                InstanceStatus::Running
            }
            _ if state.oom_killed == Some(true) => InstanceStatus::Ended(
                "killed for want of memory: raise `memory` under [deploy]".to_owned(),
            ),
            // The engine misses the kernel's word on it when the container is gone first.
            _ if state.exit_code == Some(KILLED) => InstanceStatus::Ended(format!(
                "exit code {KILLED}: killed, probably for want of memory: raise `memory` under [deploy]"
            )),
            _ => {
                let code = state.exit_code.unwrap_or_default();
                let error = state.error.filter(|error| !error.is_empty());
                InstanceStatus::Ended(match error {
                    Some(error) => format!("exit code {code}: {error}"),
                    None => format!("exit code {code}"),
                })
            }
        })
    }

    async fn health(&self, instance: &Instance) -> Result<Option<RuntimeHealth>> {
        let Some((_, state)) = container::inspect(&self.engine, &instance.handle).await? else {
            return Ok(None);
        };
        let Some(health) = state.health else { return Ok(None) };
        let verdict = match health.status {
            Some(HealthStatusEnum::HEALTHY) => HealthVerdict::Healthy,
            Some(HealthStatusEnum::UNHEALTHY) => HealthVerdict::Unhealthy,
            Some(HealthStatusEnum::STARTING) => HealthVerdict::Starting,
            // The image has no health check.
            _ => return Ok(None),
        };
        let log = health.log.unwrap_or_default().into_iter().map(|check| {
            let code = check.exit_code.unwrap_or_default();
            let output = check.output.unwrap_or_default();
            let words: Vec<&str> = output.split_whitespace().collect();
            let shown: String = words.join(" ").chars().take(SHOWN_CHARS_MAX).collect();
            let at = check.end.unwrap_or_default();
            format!("{} exit code {code}: {shown}", at.get(..19).unwrap_or(&at))
        });
        Ok(Some(RuntimeHealth { verdict, log: log.collect() }))
    }

    async fn events(&self, instance: &Instance) -> Result<Vec<String>> {
        let filters = [
            ("container".to_owned(), vec![instance.handle.clone()]),
            ("type".to_owned(), vec!["container".to_owned()]),
        ];
        let options = EventsOptions {
            since: Some((instance.started / 1000).saturating_sub(60).to_string()),
            until: Some((now_ms() / 1000 + 1).to_string()),
            filters: Some(filters.into()),
        };
        let mut stream = Box::pin(self.engine.docker.events(Some(options)));
        let mut events = Vec::new();
        while let Some(event) = stream.next().await {
            let event = event.map_err(|refusal| refused("cannot read events".into(), &refusal))?;
            let action = event.action.unwrap_or_default();
            // Each health check is one: their results are in the health log.
            if action.starts_with("exec_") {
                continue;
            }
            let code = event.actor.and_then(|actor| actor.attributes?.remove("exitCode"));
            events.push(match code {
                Some(code) => format!("{action} (exit code {code})"),
                None => action,
            });
            if events.len() == EVENTS_MAX {
                break;
            }
        }
        Ok(events)
    }

    async fn vitals(&self, instance: &Instance) -> Vitals {
        vitals::vitals(&self.engine, &instance.handle).await
    }

    async fn logs(&self, instance: &Instance, tail: usize) -> Result<Vec<String>> {
        if container::inspect(&self.engine, &instance.handle).await?.is_none() {
            return tail_of(&instance.log_path, tail);
        }
        output::read(&self.engine, &instance.handle, tail).await
    }

    async fn tell_logs(
        &self,
        instance: &Instance,
        excerpt: &Excerpt,
        is_followed: bool,
        tell: &Sender<String>,
    ) -> Result<bool> {
        if container::inspect(&self.engine, &instance.handle).await?.is_none() {
            return Ok(false);
        }
        follow::tell(&self.engine, &instance.handle, excerpt, is_followed, tell).await?;
        Ok(true)
    }

    async fn keep(&self, instance: &Instance) -> Result<()> {
        let request = || {
            let update = ContainerUpdateBody {
                restart_policy: Some(RestartPolicy {
                    name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                    maximum_retry_count: None,
                }),
                ..ContainerUpdateBody::default()
            };
            self.engine.docker.update_container(&instance.handle, update)
        };
        self.engine
            .call(|| format!("cannot update the container of {}", instance.id), request)
            .await
    }

    async fn stop(&self, instance: &Instance, grace: Duration) -> Result<()> {
        container::end(&self.engine, &instance.handle, &instance.log_path, grace).await
    }

    async fn list(&self, service_root: &Path) -> Result<Vec<String>> {
        let found = container::list(&self.engine, service_root).await?;
        Ok(found.into_iter().map(|(id, _)| id).collect())
    }

    async fn remove(&self, service_root: &Path, id: &str, grace: Duration) -> Result<()> {
        let log = log_path(service_root, id);
        for (found, container) in container::list(&self.engine, service_root).await? {
            if found == id {
                container::end(&self.engine, &container, &log, grace).await?;
            }
        }
        Ok(())
    }

    async fn clean(&self, service_root: &Path) -> Result<()> {
        if !container::list(&self.engine, service_root).await?.is_empty() {
            return Ok(());
        }
        for name in network::list(&self.engine, service_root).await? {
            network::remove(&self.engine, &name).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_of_neighbouring_releases_have_numbers_of_their_own() {
        let ids = ["r1", "r1.2", "r1.12", "r1.32", "r2", "r2.2", "r11.2", "r112"];
        let numbers: std::collections::BTreeSet<u64> = ids.map(number).into();
        assert_eq!(numbers.len(), ids.len());
    }
}
