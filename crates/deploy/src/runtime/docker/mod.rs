//! Instances as containers of a Docker Engine.
//!
//! An instance answers at an address that stays the same when its container is started again: one of the
//! service's own network, a port that the program takes itself on the host's, or a port of the loopback
//! that is published from a network of somebody else's.
//! Labels on container and network are how they are found again, whoever created them and however far
//! that got.

mod auth;
mod create;
mod engine;
mod image;
mod network;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::models::{
    ContainerState, ContainerStateStatusEnum, ContainerUpdateBody, HealthStatusEnum, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptions, EventsOptions, InspectContainerOptions, ListContainersOptions,
    LogsOptions, RemoveContainerOptions, StartContainerOptions, StopContainerOptions,
};
use futures::StreamExt as _;

use super::{
    HealthVerdict, Instance, InstanceSpec, InstanceStatus, Runtime, RuntimeHealth, RuntimeKind,
    free_address, log_path,
};
use crate::error::{Error, Result};
use crate::layout::{self, now_ms};
use crate::spec::{ContainerSpec, Network, ReleaseSpec};
use create::{INSTANCE_LABEL, container_name, service_filter};
use engine::{Engine, refused, status};

/// Exit code of a program that was killed: 128 and the signal's number.
const KILLED: i64 = 137;

/// Somebody else may take an address between its choice and its use; then another is chosen.
const ADDRESS_TRIES: u64 = 5;

/// Lines of a container's output that are kept when the container goes.
const KEPT_LINES: usize = 10_000;

/// Bytes of a container's output that are kept in memory on the way.
const MAX_LOG_BYTES: usize = 8 << 20;

/// Characters of a health check's output that are shown.
const SHOWN: usize = 300;

/// Events of a container that are shown.
const MAX_EVENTS: usize = 50;

/// Runs instances as containers.
#[derive(Debug, Clone)]
pub struct DockerRuntime {
    engine: Engine,
}

impl DockerRuntime {
    /// Finds the engine that `DOCKER_HOST` names, or the one behind the local socket, and agrees with it
    /// on a version of its API.
    pub async fn connect() -> Result<Self> {
        Ok(Self { engine: Engine::connect().await? })
    }

    /// Containers of a service, in whatever state: `(id of the instance, name)`.
    async fn containers(&self, service_root: &Path) -> Result<Vec<(String, String)>> {
        let filters = [("label".to_owned(), vec![service_filter(service_root)])];
        let options = ListContainersOptions {
            all: true,
            filters: Some(filters.into()),
            ..ListContainersOptions::default()
        };
        let request = || self.engine.docker.list_containers(Some(options.clone()));
        let found = self.engine.call(|| "cannot list containers".to_owned(), request).await?;
        let mut containers: Vec<(String, String)> = found
            .into_iter()
            .filter_map(|container| {
                let id = container.labels?.remove(INSTANCE_LABEL)?;
                Some((id, container.id?))
            })
            .collect();
        containers.sort();
        Ok(containers)
    }

    /// Creates and starts a container on an address; `None` when the address was taken meanwhile.
    async fn create(
        &self,
        spec: &InstanceSpec,
        container: &ContainerSpec,
        address: SocketAddr,
    ) -> Result<Option<String>> {
        let name = container_name(&spec.service_root, &spec.id);
        let options = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
        let body = create::body(spec, container, address, self.engine.api_minor);
        let created = self
            .engine
            .ask(|| self.engine.docker.create_container(Some(options.clone()), body.clone()))
            .await;
        match created {
            Ok(_) => {}
            // Asked again after the daemon went away with the answer: the name is ours alone.
            Err(refusal) if status(&refusal) == Some(409) => {}
            Err(refusal) => return Err(start_refused(container, &refusal)),
        }
        let start = || self.engine.docker.start_container(&name, None::<StartContainerOptions>);
        match self.engine.ask(start).await {
            Ok(()) => {}
            Err(refusal) if is_address_taken(&refusal) => {
                self.discard(&name).await?;
                return Ok(None);
            }
            Err(refusal) => {
                self.discard(&name).await?;
                return Err(start_refused(container, &refusal));
            }
        }
        let id = self.inspect(&name).await?.map(|(id, _)| id);
        id.map(Some).ok_or_else(|| Error::Docker {
            doing: format!("cannot start {}", container.image),
            reason: "its container vanished".to_owned(),
            hint: "something else removes containers on this machine".to_owned(),
        })
    }

    /// Id and state of a container; `None` when it is gone.
    async fn inspect(&self, container: &str) -> Result<Option<(String, ContainerState)>> {
        let request =
            || self.engine.docker.inspect_container(container, None::<InspectContainerOptions>);
        match self.engine.ask(request).await {
            Ok(found) => Ok(Some((found.id.unwrap_or_default(), found.state.unwrap_or_default()))),
            Err(refusal) if status(&refusal) == Some(404) => Ok(None),
            Err(refusal) => Err(refused(format!("cannot inspect container {container}"), &refusal)),
        }
    }

    /// Stops a container, keeps its output in a file and removes it.
    async fn end(&self, container: &str, log: &Path, grace: Duration) -> Result<()> {
        let seconds = i32::try_from(grace.as_secs().max(1)).unwrap_or(i32::MAX);
        let options = StopContainerOptions { t: Some(seconds), signal: None };
        let patient = self.engine.docker.clone().with_timeout(grace + Duration::from_mins(1));
        let stopped =
            self.engine.ask(|| patient.stop_container(container, Some(options.clone()))).await;
        match stopped {
            Ok(()) => {}
            // Gone, or ended before.
            Err(refusal) if matches!(status(&refusal), Some(304 | 404)) => {}
            Err(refusal) => {
                return Err(refused(format!("cannot stop container {container}"), &refusal));
            }
        }
        self.keep_log(container, log).await;
        self.discard(container).await
    }

    /// Removes a container, whatever it does.
    async fn discard(&self, container: &str) -> Result<()> {
        let options = RemoveContainerOptions { force: true, v: true, link: false };
        let request = || self.engine.docker.remove_container(container, Some(options.clone()));
        match self.engine.ask(request).await {
            Ok(()) => Ok(()),
            // Gone, or somebody else is removing it.
            Err(refusal) if matches!(status(&refusal), Some(404 | 409)) => Ok(()),
            Err(refusal) => Err(refused(format!("cannot remove container {container}"), &refusal)),
        }
    }

    async fn output(&self, container: &str, tail: usize) -> Result<Vec<String>> {
        let options = LogsOptions {
            stdout: true,
            stderr: true,
            tail: tail.to_string(),
            ..LogsOptions::default()
        };
        let mut stream = Box::pin(self.engine.docker.logs(container, Some(options)));
        let mut bytes = Vec::new();
        while let Some(part) = stream.next().await {
            match part {
                Ok(
                    LogOutput::StdOut { message }
                    | LogOutput::StdErr { message }
                    | LogOutput::Console { message },
                ) => bytes.extend_from_slice(&message),
                Ok(LogOutput::StdIn { .. }) => {}
                Err(refusal) => {
                    return Err(refused(format!("cannot read the log of {container}"), &refusal));
                }
            }
            if bytes.len() > MAX_LOG_BYTES {
                break;
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Writes a container's output to its file, so that it outlives the container.
    async fn keep_log(&self, container: &str, path: &Path) {
        let kept = async {
            let lines = self.output(container, KEPT_LINES).await?;
            let failed = |source| Error::io("cannot write", path, source);
            let mut file = std::fs::OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .open(path)
                .map_err(failed)?;
            let mut text = lines.join("\n");
            text.push('\n');
            file.write_all(text.as_bytes()).map_err(failed)
        };
        // The container must go even where its last words cannot be kept.
        if let Err(error) = kept.await {
            tracing::warn!(%error, container, "the log of a container is lost");
        }
    }
}

fn is_address_taken(refusal: &bollard::errors::Error) -> bool {
    let text = refusal.to_string().to_lowercase();
    text.contains("port is already allocated") || text.contains("address already in use")
}

fn start_refused(container: &ContainerSpec, refusal: &bollard::errors::Error) -> Error {
    let error = refused(format!("cannot start image {}", container.image), refusal);
    let Error::Docker { doing, reason, .. } = error else { return error };
    let hint = "check image, network and limits under [deploy]".to_owned();
    Error::Docker { doing, reason, hint }
}

#[async_trait]
impl Runtime for DockerRuntime {
    fn name(&self) -> &'static str {
        "docker"
    }

    async fn prepare(&self, release: &ReleaseSpec) -> Result<Option<String>> {
        match &release.container {
            Some(container) => image::provide(&self.engine, container).await,
            None => Ok(None),
        }
    }

    async fn start(&self, spec: &InstanceSpec) -> Result<Instance> {
        let container = spec.release.container.as_ref().ok_or_else(|| Error::Docker {
            doing: format!("cannot start {}", spec.id),
            reason: "the release names no image".to_owned(),
            hint: "set `image` under [deploy], or give --image".to_owned(),
        })?;
        let range = match container.network {
            Network::Own => Some(network::provide(&self.engine, &spec.service_root).await?),
            Network::Host | Network::Named(_) => None,
        };
        let number = spec.id.bytes().filter(u8::is_ascii_digit).fold(0_u64, |number, digit| {
            number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))
        });
        for attempt in 0..ADDRESS_TRIES {
            let address = match range {
                Some(range) => range.address(number.wrapping_add(attempt), container.port),
                None => free_address().map_err(|error| Error::Start {
                    command: container.image.clone().into(),
                    reason: error.to_string(),
                })?,
            };
            if let Some(handle) = self.create(spec, container, address).await? {
                return Ok(Instance {
                    id: spec.id.clone(),
                    address,
                    runtime: RuntimeKind::Docker,
                    handle,
                    started: now_ms(),
                    log_path: log_path(&spec.service_root, &spec.id),
                });
            }
        }
        Err(Error::Start {
            command: container.image.clone().into(),
            reason: format!("{ADDRESS_TRIES} free addresses in a row were taken by others"),
        })
    }

    async fn status(&self, instance: &Instance) -> Result<InstanceStatus> {
        let Some((_, state)) = self.inspect(&instance.handle).await? else {
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
        let Some((_, state)) = self.inspect(&instance.handle).await? else { return Ok(None) };
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
            let shown: String = words.join(" ").chars().take(SHOWN).collect();
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
            if events.len() == MAX_EVENTS {
                break;
            }
        }
        Ok(events)
    }

    async fn logs(&self, instance: &Instance, tail: usize) -> Result<Vec<String>> {
        if self.inspect(&instance.handle).await?.is_none() {
            return layout::tail(&instance.log_path, tail);
        }
        self.output(&instance.handle, tail).await
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
        self.end(&instance.handle, &instance.log_path, grace).await
    }

    async fn list(&self, service_root: &Path) -> Result<Vec<String>> {
        Ok(self.containers(service_root).await?.into_iter().map(|(id, _)| id).collect())
    }

    async fn remove(&self, service_root: &Path, id: &str, grace: Duration) -> Result<()> {
        for (found, container) in self.containers(service_root).await? {
            if found == id {
                self.end(&container, &log_path(service_root, id), grace).await?;
            }
        }
        Ok(())
    }

    async fn clean(&self, service_root: &Path) -> Result<()> {
        if !self.containers(service_root).await?.is_empty() {
            return Ok(());
        }
        for name in network::list(&self.engine, service_root).await? {
            network::remove(&self.engine, &name).await?;
        }
        Ok(())
    }
}
