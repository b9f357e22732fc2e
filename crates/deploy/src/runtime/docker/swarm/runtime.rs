//! Instances as services of a swarm: how one is started where Swarm has room, and what Swarm says of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bollard::query_parameters::LogsOptions;
use tokio::sync::mpsc::Sender;

use super::super::engine::{Engine, refused};
use super::super::runtime::number;
use super::super::{follow, image, output, vitals};
use super::judge::{current, history, judge};
use super::owner::Owner;
use super::spec::{Given, body};
use super::task::{self, Placed};
use super::{network, node, ports, secrets, service, volume};
use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::logs::Excerpt;
use crate::runtime::instance::{Instance, InstanceSpec, InstanceStatus, Runtime, Vitals};
use crate::state::file::tail as tail_of;
use crate::state::instances::log_path;
use crate::workload::{Pull, RuntimeKind, SwarmSpec};

/// A program of another machine may have a port that the swarm does not know of; then another is chosen.
const PORT_TRIES: u64 = 5;

/// How Swarm says that nodes have no place because of the port.
const PORT_TAKEN: &str = "host-mode port already in use";

/// How long the nodes may take to send what they have of a log.
const LOG_LIMIT: Duration = Duration::from_secs(20);

/// Constraints by which tasks are on one node, whose folders may be named.
const ONE_NODE: [&str; 2] = ["node.hostname", "node.id"];

/// Runs instances as services of a swarm.
#[derive(Debug)]
pub(crate) struct SwarmRuntime {
    engine: Engine,
    /// The engine's own node.
    node: String,
    /// Images by their names, with the digest that they had when they were prepared.
    digests: Mutex<BTreeMap<String, String>>,
}

impl SwarmRuntime {
    /// Finds the engine that `DOCKER_HOST` names, or the local one, which must be a manager of a swarm.
    pub(crate) async fn connect() -> Result<Self> {
        let engine = Engine::connect().await?;
        let node = node::own(&engine).await?;
        Ok(Self { engine, node, digests: Mutex::default() })
    }

    /// Finds out which image it is, for all nodes, and whether they can see what it needs; what was found, for a
    /// person.
    pub(crate) async fn prepare(&self, swarm: &SwarmSpec) -> Result<Option<String>> {
        self.check_mounts(swarm).await?;
        let name = &swarm.image;
        if name.contains('@') || swarm.pull == Pull::Never {
            return Ok(None);
        }
        let digest = match image::digest(&self.engine, name).await {
            Ok(digest) => digest,
            Err(error) if swarm.pull == Pull::Missing => {
                // It may be on the nodes without being in a registry.
                tracing::debug!(%error, "an image is known by its name alone");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let pinned = format!("{name}@{digest}");
        let said = format!("all nodes run {pinned}");
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), pinned);
        Ok(Some(said))
    }

    /// Refuses folders of this machine where a task may be on another.
    async fn check_mounts(&self, swarm: &SwarmSpec) -> Result<()> {
        let Some(mount) = swarm.mounts.first() else { return Ok(()) };
        let nodes = node::count(&self.engine).await?;
        if nodes <= 1 || is_on_one_node(&swarm.placement) {
            return Ok(());
        }
        Err(Error::Docker {
            doing: format!("cannot give instances the folder {}", mount.source.display()),
            reason: format!("it is one of this machine, and the swarm has {nodes} nodes"),
            hint: "under [deploy], write `predictions` as a URI of an object store (with a tracking server, \
                   if tracking is embedded), or a `placement` like [\"node.hostname==NAME\"]"
                .to_owned(),
        })
    }

    /// Makes a service that outlives this program, wherever Swarm has room for it.
    pub(crate) async fn start(
        &self,
        spec: &InstanceSpec<'_>,
        swarm: &SwarmSpec,
    ) -> Result<Instance> {
        Box::pin(self.start_on(spec, swarm, None)).await
    }

    /// Where an instance that Swarm brought back is now; one whose service is gone is made anew, at its port if that is
    /// free.
    pub(crate) async fn restart(
        &self,
        spec: &InstanceSpec<'_>,
        swarm: &SwarmSpec,
        before: &Instance,
    ) -> Result<Instance> {
        let port = before.address.port();
        if service::find(&self.engine, &before.handle).await?.is_none() {
            return Box::pin(self.start_on(spec, swarm, Some(port))).await;
        }
        match task::placed(&self.engine, &before.handle).await? {
            Placed::At(host) => {
                Ok(Instance { address: SocketAddr::new(host, port), ..before.clone() })
            }
            Placed::Nowhere(why) => Err(nowhere(spec.id, why)),
        }
    }

    async fn start_on(
        &self,
        spec: &InstanceSpec<'_>,
        swarm: &SwarmSpec,
        port: Option<u16>,
    ) -> Result<Instance> {
        let engine = &self.engine;
        let owner = Owner::provide(spec.service_root)?;
        let mut why = String::new();
        for attempt in 0..PORT_TRIES {
            let taken = service::published(engine).await?;
            let number = owner.number().wrapping_add(number(spec.id)).wrapping_add(attempt);
            let port = ports::choose(&taken, number, port.filter(|_| attempt == 0));
            let port = port.ok_or_else(|| nowhere(spec.id, "all ports are taken".to_owned()))?;
            let given = Given {
                image: self.pinned(&swarm.image),
                network: match &swarm.network {
                    Some(name) => name.clone(),
                    None => network::provide(engine, &owner).await?,
                },
                port,
                secrets: secrets::provide(engine, &owner, spec.id, spec.release, swarm).await?,
                api_minor: engine.api_minor,
            };
            let body = Box::new(body(spec, swarm, &owner, given));
            let handle = service::create(engine, &swarm.image, &body).await?;
            match task::placed(engine, &handle).await? {
                Placed::At(host) => {
                    return Ok(Instance {
                        id: spec.id.to_owned(),
                        address: SocketAddr::new(host, port),
                        runtime: RuntimeKind::Swarm,
                        handle,
                        started: now_ms(),
                        log_path: log_path(spec.service_root, spec.id),
                    });
                }
                Placed::Nowhere(reason) => {
                    let log = log_path(spec.service_root, spec.id);
                    Box::pin(service::end(engine, &handle, &log, Duration::ZERO)).await?;
                    secrets::remove(engine, &owner, Some(spec.id)).await?;
                    if !reason.contains(PORT_TAKEN) {
                        return Err(nowhere(spec.id, reason));
                    }
                    why = reason;
                }
            }
        }
        Err(nowhere(spec.id, why))
    }

    fn pinned(&self, image: &str) -> String {
        let digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.get(image).map_or_else(|| image.to_owned(), Clone::clone)
    }

    /// Ends the service of an instance, and what it had of its own.
    async fn end(&self, root: &Path, id: &str, service: &str, grace: Duration) -> Result<()> {
        Box::pin(service::end(&self.engine, service, &log_path(root, id), grace)).await?;
        match Owner::read(root)? {
            Some(owner) => secrets::remove(&self.engine, &owner, Some(id)).await,
            None => Ok(()),
        }
    }
}

fn nowhere(id: &str, reason: String) -> Error {
    Error::Docker {
        doing: format!("the swarm has no place for {id}"),
        reason,
        hint:
            "`docker node ls` shows the nodes; check `placement`, `cpus` and `image` under [deploy]"
                .to_owned(),
    }
}

/// Whether constraints leave one node.
fn is_on_one_node(placement: &[String]) -> bool {
    placement.iter().any(|constraint| {
        constraint.split_once("==").is_some_and(|(key, _node)| ONE_NODE.contains(&key.trim()))
    })
}

#[async_trait]
impl Runtime for SwarmRuntime {
    async fn status(&self, instance: &Instance) -> Result<InstanceStatus> {
        let engine = &self.engine;
        let Some(found) = service::find(engine, &instance.handle).await? else {
            return Ok(InstanceStatus::Ended("its service is gone".to_owned()));
        };
        let tasks = task::of_service(engine, &instance.handle).await?;
        let status = judge(&tasks, service::is_kept(&found));
        if status != InstanceStatus::Running {
            return Ok(status);
        }
        Ok(match task::address(engine, current(&tasks)).await? {
            // The gateway is told where it is when it is started again, which finds it running.
            Some(host) if host != instance.address.ip() => {
                InstanceStatus::Ended(format!("the swarm moved it to the node at {host}"))
            }
            _ => InstanceStatus::Running,
        })
    }

    async fn events(&self, instance: &Instance) -> Result<Vec<String>> {
        Ok(history(&task::of_service(&self.engine, &instance.handle).await?))
    }

    async fn vitals(&self, instance: &Instance) -> Vitals {
        let Ok(tasks) = task::of_service(&self.engine, &instance.handle).await else {
            return Vitals::default();
        };
        let Some(task) = current(&tasks) else { return Vitals::default() };
        let status = task.status.clone().unwrap_or_default();
        let container = status.container_status.and_then(|container| container.container_id);
        // Only of containers of its own node an engine tells more.
        if let Some(container) = container
            && task.node_id.as_ref() == Some(&self.node)
        {
            return vitals::vitals(&self.engine, &container).await;
        }
        let since = status.timestamp.as_deref().and_then(|at| humantime::parse_rfc3339(at).ok());
        let up = since.and_then(|since| SystemTime::now().duration_since(since).ok());
        Vitals { up, memory_bytes: None }
    }

    async fn logs(&self, instance: &Instance, tail: usize) -> Result<Vec<String>> {
        if service::find(&self.engine, &instance.handle).await?.is_none() {
            return tail_of(&instance.log_path, tail);
        }
        let options = LogsOptions { tail: tail.to_string(), ..LogsOptions::default() };
        let mut bytes = Vec::new();
        let stream = service::logs(&self.engine, &instance.handle, options);
        let gathered = tokio::time::timeout(LOG_LIMIT, output::gather(stream, &mut bytes)).await;
        match gathered {
            Ok(Err(refusal)) => {
                Err(refused(format!("cannot read the log of {}", instance.id), &refusal))
            }
            // A node that is away sends nothing: what the others sent is better than nothing.
            Ok(Ok(())) | Err(_) => Ok(output::lines(&bytes)),
        }
    }

    async fn tell_logs(
        &self,
        instance: &Instance,
        excerpt: &Excerpt,
        is_followed: bool,
        tell: &Sender<String>,
    ) -> Result<bool> {
        if service::find(&self.engine, &instance.handle).await?.is_none() {
            return Ok(false);
        }
        let options = follow::options(excerpt, is_followed);
        let stream = service::logs(&self.engine, &instance.handle, options);
        follow::tell_stream(stream, &instance.id, tell).await?;
        Ok(true)
    }

    async fn keep(&self, instance: &Instance) -> Result<()> {
        Box::pin(service::keep(&self.engine, &instance.handle)).await
    }

    async fn stop(&self, instance: &Instance, grace: Duration) -> Result<()> {
        let root = instance.log_path.ancestors().nth(3).unwrap_or(Path::new("."));
        self.end(root, &instance.id, &instance.handle, grace).await
    }

    async fn list(&self, service_root: &Path) -> Result<Vec<String>> {
        let Some(owner) = Owner::read(service_root)? else { return Ok(Vec::new()) };
        let services = service::list(&self.engine, &owner).await?;
        let mut ids: Vec<String> = services.into_iter().map(|(id, _)| id).collect();
        // Of a start that was broken off.
        ids.extend(secrets::instances(&self.engine, &owner).await?);
        ids.sort();
        ids.dedup();
        Ok(ids)
    }

    async fn remove(&self, service_root: &Path, id: &str, grace: Duration) -> Result<()> {
        let Some(owner) = Owner::read(service_root)? else { return Ok(()) };
        for (found, service) in service::list(&self.engine, &owner).await? {
            if found == id {
                self.end(service_root, id, &service, grace).await?;
            }
        }
        secrets::remove(&self.engine, &owner, Some(id)).await
    }

    async fn clean(&self, service_root: &Path) -> Result<()> {
        let Some(owner) = Owner::read(service_root)? else { return Ok(()) };
        if !service::list(&self.engine, &owner).await?.is_empty() {
            return Ok(());
        }
        secrets::remove(&self.engine, &owner, None).await?;
        volume::remove_all(&self.engine, &owner).await?;
        network::remove_all(&self.engine, &owner).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constraint_may_leave_one_node() {
        let is_on_one = |constraint: &str| is_on_one_node(&[constraint.to_owned()]);
        assert!(is_on_one("node.hostname==a") && is_on_one("node.id == x"));
        assert!(!is_on_one("node.hostname!=a") && !is_on_one("node.labels.gpu==true"));
    }
}
