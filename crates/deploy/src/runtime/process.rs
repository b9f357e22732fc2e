//! Instances as plain processes of this machine.
//!
//! An instance gets a process group of its own and its output goes to a file, so it outlives the
//! deployer and its terminal. Two variables in its environment are its label: by them it is found again
//! even when the deployer died between starting it and writing that down.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::addresses::FreeAddresses;
use super::instance::{Instance, InstanceSpec, InstanceStatus, Runtime, Vitals, fill};
use super::procfs::{ProcessFacts, facts, find_by_environment, memory_of_group, to_pid, up};
use crate::environment;
use crate::error::{Error, Result};
use crate::state::file::{self, open_log};
use crate::state::instances::log_path;
use crate::workload::{ProcessSpec, RuntimeKind};

/// The label: folder of the service.
const DEPLOYMENT_VARIABLE: &str = "TRAINYARD_DEPLOYMENT";
/// The label: id of the instance.
const INSTANCE_VARIABLE: &str = "TRAINYARD_INSTANCE";

/// How long a killed process may take to vanish.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// How often a process that was asked to end is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Runs instances as processes.
#[derive(Debug, Default)]
pub(super) struct ProcessRuntime {
    /// Those this program started: their exit status is known here, and they are reaped.
    children: Mutex<HashMap<String, Child>>,
    addresses: FreeAddresses,
}

impl ProcessRuntime {
    /// Starts a process that outlives this program, on an address nobody uses.
    pub(super) fn start(&self, spec: &InstanceSpec<'_>, process: &ProcessSpec) -> Result<Instance> {
        let address = self.addresses.give().map_err(|reason| not_started(process, &reason))?;
        self.start_at(address, spec, process)
    }

    /// Starts what ended again, at the address that it had; at another one where somebody took that meanwhile.
    pub(super) fn restart(
        &self,
        spec: &InstanceSpec<'_>,
        process: &ProcessSpec,
        before: &Instance,
    ) -> Result<Instance> {
        if TcpListener::bind(before.address).is_err() {
            return self.start(spec, process);
        }
        self.start_at(before.address, spec, process)
    }

    /// Whether an instance that this program started ended because it was told to, or was killed: by somebody else, or
    /// by the kernel.
    pub(super) fn was_ended(&self, instance: &Instance) -> bool {
        use std::os::unix::process::ExitStatusExt as _;
        let told = [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];
        let Ok(mut children) = self.children.lock() else { return false };
        let status =
            children.get_mut(&instance.id).and_then(|child| child.try_wait().ok().flatten());
        status.is_some_and(|status| {
            let is_told = |signal: i32| told.iter().any(|told| told.as_raw() == signal);
            status.success() || status.signal().is_some_and(is_told)
        })
    }

    /// Starts a process that is told to listen there.
    fn start_at(
        &self,
        address: SocketAddr,
        spec: &InstanceSpec<'_>,
        process: &ProcessSpec,
    ) -> Result<Instance> {
        let log_path = log_path(spec.service_root, spec.id);
        let (output, errors) = open_log(&log_path)?;
        let fill = |text: &str| fill(text, address);
        let mut command = Command::new(&process.command);
        command
            .args(spec.release.args.iter().map(|argument| fill(argument)))
            .env_clear()
            .envs(environment::machine_environment())
            .envs(spec.release.env.iter().map(|(name, value)| (name, fill(value))))
            .env(DEPLOYMENT_VARIABLE, spec.service_root)
            .env(INSTANCE_VARIABLE, spec.id)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0);
        if let Some(variable) = &spec.release.port_env {
            command.env(variable, address.port().to_string());
        }
        if let Some(folder) = &spec.release.working_dir {
            command.current_dir(folder);
        }
        let child = command.spawn().map_err(|reason| not_started(process, &reason))?;
        let pid = child.id().unwrap_or_default();
        // A process that already ended has no start time; its status says so at the first look.
        let started = to_pid(pid).and_then(facts).map_or(0, |facts| facts.started);
        if let Ok(mut children) = self.children.lock() {
            children.insert(spec.id.to_owned(), child);
        }
        Ok(Instance {
            id: spec.id.to_owned(),
            address,
            runtime: RuntimeKind::Process,
            handle: pid.to_string(),
            started,
            log_path,
        })
    }
}

#[async_trait]
impl Runtime for ProcessRuntime {
    async fn status(&self, instance: &Instance) -> Result<InstanceStatus> {
        if let Ok(mut children) = self.children.lock()
            && let Some(child) = children.get_mut(&instance.id)
            && let Ok(status) = child.try_wait()
        {
            use std::os::unix::process::ExitStatusExt as _;
            // The kernel's word on a child of ours: /proc may show it as ended a moment before.
            let Some(status) = status else { return Ok(InstanceStatus::Running) };
            let how = match (status.code(), status.signal()) {
                (Some(code), _) => format!("exit code {code}"),
                (None, Some(signal)) => format!("signal {signal}"),
                (None, None) => "unknown cause".to_owned(),
            };
            return Ok(InstanceStatus::Ended(how));
        }
        Ok(match running(instance) {
            Some(_) => InstanceStatus::Running,
            None => InstanceStatus::Ended("the process is gone".to_owned()),
        })
    }

    async fn vitals(&self, instance: &Instance) -> Vitals {
        let Some(pid) = running(instance) else { return Vitals::default() };
        Vitals { up: up(instance.started), memory_bytes: memory_of_group(pid) }
    }

    async fn logs(&self, instance: &Instance, tail: usize) -> Result<Vec<String>> {
        file::tail(&instance.log_path, tail)
    }

    async fn stop(&self, instance: &Instance, grace: Duration) -> Result<()> {
        if let Some(pid) = running(instance) {
            end(pid, grace).await;
        }
        if let Ok(mut children) = self.children.lock() {
            // Dropping a child that ended lets the runtime reap it.
            children.remove(&instance.id);
        }
        Ok(())
    }

    async fn list(&self, service_root: &Path) -> Result<Vec<String>> {
        let mut ids: Vec<String> = labelled(service_root).into_iter().map(|(_, id)| id).collect();
        ids.sort();
        ids.dedup();
        Ok(ids)
    }

    async fn remove(&self, service_root: &Path, id: &str, grace: Duration) -> Result<()> {
        // Leaders of groups first: their children end with them.
        let mut pids: Vec<Pid> = labelled(service_root)
            .into_iter()
            .filter(|(_, found)| found == id)
            .map(|(pid, _)| pid)
            .collect();
        pids.sort_by_key(|pid| facts(*pid).is_none_or(|facts| facts.group != to_raw(*pid)));
        for pid in pids {
            end(pid, grace).await;
        }
        if let Ok(mut children) = self.children.lock() {
            children.remove(id);
        }
        Ok(())
    }
}

fn not_started(process: &ProcessSpec, reason: &std::io::Error) -> Error {
    Error::Start { command: process.command.clone(), reason: reason.to_string() }
}

fn labelled(service_root: &Path) -> Vec<(Pid, String)> {
    let label = format!("{DEPLOYMENT_VARIABLE}={}", service_root.display());
    find_by_environment(&label, &format!("{INSTANCE_VARIABLE}="))
}

fn to_raw(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}

/// The process of an instance, if it is still the one that was started.
fn running(instance: &Instance) -> Option<Pid> {
    let pid = to_pid(instance.handle.parse().ok()?)?;
    facts(pid).filter(|facts| facts.started == instance.started).map(|_| pid)
}

/// SIGTERM, wait, SIGKILL, wait. Signals go to the whole group when the process leads one.
async fn end(pid: Pid, grace: Duration) {
    let Some(process) = facts(pid) else { return };
    let send = |signal| {
        // The number may have been given to another process since it was looked up.
        if facts(pid) != Some(process) {
            return;
        }
        let sent = if process.group == to_raw(pid) {
            kill_process_group(pid, signal)
        } else {
            kill_process(pid, signal)
        };
        // It may have ended in the meantime, which is what is wanted.
        if let Err(error) = sent {
            tracing::debug!(pid = to_raw(pid), %error, "signal not delivered");
        }
    };
    send(Signal::TERM);
    if !ended_within(pid, process, grace).await {
        send(Signal::KILL);
        ended_within(pid, process, KILL_LIMIT).await;
    }
}

/// Looks until the process is gone. It need not be our child, so there is nothing to wait on.
async fn ended_within(pid: Pid, process: ProcessFacts, limit: Duration) -> bool {
    let start = Instant::now();
    while facts(pid) == Some(process) {
        if start.elapsed() >= limit {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}
