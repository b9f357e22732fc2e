//! The gateway's process as a deployer sees it: started, replaced by one of this program, ended.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;
use tokio::time::Instant;

use crate::deployment::{Deployment, LOG_LINES, Progress};
use crate::environment::gateway_environment;
use crate::error::{Error, Result, indent};
use crate::gateway::control::{Control, GatewayStatus, PROTOCOL};
use crate::gateway::{GatewaySettings, Mode, write_settings};
use crate::release::ReleaseEvent;
use crate::runtime::{has_argument, is_stopped, runs};
use crate::service::Service;
use crate::state::file::{open_log, read_json, tail};
use crate::state::folder::Folder;
use crate::state::lock;

/// How long a gateway may take to come up or to go.
const GATEWAY_LIMIT: Duration = Duration::from_secs(20);

/// How long requests of a gateway that was replaced may take.
const UPGRADE_LIMIT: Duration = Duration::from_mins(1);

/// How long a gateway that is taken for one that hangs may take to show that it does not.
const HANG_PATIENCE: Duration = Duration::from_secs(1);

/// How often a process that comes or goes is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Replaces the running gateway by one of this program, without a gap for clients.
pub async fn upgrade(service: &Service, progress: Progress<'_>) -> Result<()> {
    let folder = Folder::open(service)?;
    let deployment = Deployment::begin(service, folder, "upgrade", progress).await?;
    let running = deployment.control.status().await?;
    let status = running.ok_or_else(|| deployment.folder.not_deployed(service))?;
    deployment.upgrade_gateway(&status).await?;
    deployment.step(ReleaseEvent::Finished)
}

/// Opens the gateway, pauses it (requests wait), or closes it for maintenance.
pub async fn set_mode(service: &Service, mode: &Mode) -> Result<()> {
    running(service).await?.set_mode(mode).await
}

/// Has the running gateway take up the settings of the service, all but its address, without closing a connection.
pub async fn reload(service: &Service, progress: Progress<'_>) -> Result<()> {
    let folder = Folder::open(service)?;
    let deployment = Deployment::begin(service, folder, "reload", progress).await?;
    let running = deployment.control.status().await?;
    let status = running.ok_or_else(|| deployment.folder.not_deployed(service))?;
    deployment.check_gateway(&status)?;
    write_settings(&service.gateway, &deployment.folder)?;
    deployment.control.reload().await?;
    deployment.step(ReleaseEvent::Finished)
}

/// Whether the service was told otherwise than its gateway was: a project's file was changed, and nobody had the gateway
/// take it up. What cannot be read tells nothing.
pub fn is_reload_due(service: &Service) -> bool {
    let told = Folder::open(service)
        .and_then(|folder| read_json::<GatewaySettings>(&folder.gateway_settings()));
    matches!(told, Ok(Some(told)) if told != service.gateway)
}

/// The gateway's counters in Prometheus' text format.
pub async fn metrics(service: &Service) -> Result<String> {
    running(service).await?.metrics().await
}

/// The way to the gateway, which must run.
async fn running(service: &Service) -> Result<Control> {
    let folder = Folder::open(service)?;
    let control = Control::new(folder.gateway_socket());
    match control.status().await? {
        Some(_) => Ok(control),
        None => Err(folder.not_deployed(service)),
    }
}

impl Deployment<'_> {
    /// Makes sure that the gateway runs by the service's settings, and says where requests go. Where it is urgent,
    /// settings that cannot be used, or written, leave those before as they are.
    pub(crate) async fn ensure_gateway(&self, is_urgent: bool) -> Result<GatewayStatus> {
        if let Some(mut status) = self.control.status().await? {
            self.check_gateway(&status)?;
            // One of before this program's version; where it cannot be replaced without a gap, it stays.
            if !status.version.is_empty() && status.version != env!("CARGO_PKG_VERSION") {
                status = self.upgrade_gateway(&status).await?;
            } else {
                match self.renew_settings().await {
                    Err(error) if is_urgent => {
                        tracing::warn!(%error, "the gateway goes on with the settings before");
                    }
                    renewed => status = renewed?,
                }
            }
            self.step(ReleaseEvent::GatewayReady { listen: status.listen, started: false })?;
            return Ok(status);
        }
        // Said here in one sentence rather than in the log of a process that ends at once.
        std::net::TcpListener::bind(self.service.listen).map_err(|error| Error::Listen {
            listen: self.service.listen,
            reason: error.to_string(),
        })?;
        let status = self.start_gateway(None, is_urgent).await?;
        self.note(ReleaseEvent::GatewayReady { listen: status.listen, started: true });
        Ok(status)
    }

    /// Has the running gateway take up the service's settings.
    async fn renew_settings(&self) -> Result<GatewayStatus> {
        write_settings(&self.service.gateway, &self.folder)?;
        self.control.reload().await?;
        let running = self.control.status().await?;
        running.ok_or_else(|| self.folder.not_deployed(self.service))
    }

    /// Replaces the running gateway by one of this program. Clients notice nothing; returns when the old
    /// one has finished its last request.
    pub(crate) async fn upgrade_gateway(&self, before: &GatewayStatus) -> Result<GatewayStatus> {
        let status = self.start_gateway(Some(before.pid), false).await?;
        let start = Instant::now();
        // What it still works on is in no count of the new one.
        while runs(before.pid) {
            if start.elapsed() > GATEWAY_LIMIT + UPGRADE_LIMIT {
                return Err(Error::Control {
                    request: "upgrade",
                    reason: format!("the old gateway (process {}) still runs", before.pid),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
        self.step(ReleaseEvent::GatewayUpgraded { from: before.pid, to: status.pid })?;
        Ok(status)
    }

    fn check_gateway(&self, status: &GatewayStatus) -> Result<()> {
        if status.protocol != PROTOCOL {
            return Err(Error::Control {
                request: "status",
                reason: format!(
                    "it speaks protocol {} and this program {PROTOCOL}; stop the service with the \
                     program that started it",
                    status.protocol
                ),
            });
        }
        let wanted = self.service.listen;
        if wanted.port() != 0 && wanted != status.listen {
            return Err(Error::GatewayAddress {
                service: self.service.name.clone(),
                running: status.listen,
                wanted,
            });
        }
        Ok(())
    }

    /// Starts a gateway, as the successor of another process if there is one.
    async fn start_gateway(
        &self,
        predecessor: Option<u32>,
        is_urgent: bool,
    ) -> Result<GatewayStatus> {
        match write_settings(&self.service.gateway, &self.folder) {
            // Without a gateway nobody is served at all.
            Err(error) if is_urgent && self.folder.gateway_settings().is_file() => {
                tracing::warn!(%error, "the gateway starts with the settings before");
            }
            written => written?,
        }
        let log_path = self.folder.gateway_log();
        let failed = |reason: String| Error::GatewayStart {
            reason,
            log: tail(&log_path, LOG_LINES).map(|lines| indent(&lines)).unwrap_or_default(),
            log_path: log_path.clone(),
        };
        let (output, errors) = open_log(&log_path)?;
        let mut arguments = self.gateway_command()?.into_iter();
        let program = arguments.next().unwrap_or_default();
        let mut child = Command::new(&program)
            .args(arguments)
            .arg("--state-dir")
            .arg(&self.folder.root)
            .arg("--listen")
            .arg(self.service.listen.to_string())
            .args(predecessor.map(|_| "--take-over"))
            // No keys of its deployer, and no label: the gateway is no instance, whoever starts it.
            .env_clear()
            .envs(gateway_environment())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|error| failed(format!("{}: {error}", program.display())))?;
        let start = Instant::now();
        loop {
            // While the old one hands over, a question may be cut off.
            let status = match self.control.status().await {
                Err(_) if predecessor.is_some() => None,
                answered => answered?,
            };
            if let Some(status) = status.filter(|status| Some(status.pid) != predecessor) {
                return Ok(status);
            }
            // Where there is no predecessor, one that was started by a deployer that died may be coming up.
            let comes_another =
                predecessor.is_none() && lock::holder(&self.folder.gateway_lock()).is_some();
            if let Ok(Some(status)) = child.try_wait()
                && !comes_another
            {
                return Err(failed(format!("it ended with {status}")));
            }
            if start.elapsed() > GATEWAY_LIMIT {
                return Err(failed(format!("no answer within {} s", GATEWAY_LIMIT.as_secs())));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn gateway_command(&self) -> Result<Vec<OsString>> {
        if let Some(command) = &self.service.gateway_command {
            return Ok(command.clone());
        }
        let program = std::env::current_exe()
            .map_err(|source| Error::io("cannot find", "this program".as_ref(), source))?;
        Ok(vec![program.into_os_string(), "gateway".into()])
    }

    /// Kills a gateway that hangs, and waits until it has let go. Only what was started as the gateway of this
    /// service is: a number alone may be that of another process.
    pub(crate) async fn kill_gateway(&self, cause: &str) -> Result<()> {
        let Some(holder) = lock::holder(&self.folder.gateway_lock()) else { return Ok(()) };
        let asked = tokio::time::timeout(HANG_PATIENCE, self.control.status());
        // Somebody may have replaced it since it was found so. One that is stopped need not be asked.
        if !is_stopped(holder.pid) && matches!(asked.await, Ok(Ok(Some(_)))) {
            return Ok(());
        }
        let failed = |reason: String| Error::Control { request: "end", reason };
        let pid = i32::try_from(holder.pid).ok().and_then(Pid::from_raw);
        let pid = pid.filter(|_| has_argument(holder.pid, &self.folder.root));
        let pid = pid.ok_or_else(|| failed("nobody knows its process".to_owned()))?;
        kill_process(pid, Signal::KILL).map_err(|error| failed(error.to_string()))?;
        let start = Instant::now();
        while lock::holder(&self.folder.gateway_lock()).is_some() {
            if start.elapsed() > GATEWAY_LIMIT {
                return Err(failed(format!(
                    "process {} was killed, and is still there",
                    holder.pid
                )));
            }
            tokio::time::sleep(LOOK).await;
        }
        self.note(ReleaseEvent::Killed { what: "the gateway".to_owned(), cause: cause.to_owned() });
        Ok(())
    }

    /// Ends the gateway; requests in flight may finish within the limit. One that hangs is killed: whoever wants
    /// the end of a service has nothing to wait for.
    pub(crate) async fn stop_gateway(&self, limit: Duration) -> Result<()> {
        let asked = match self.control.status().await {
            Ok(Some(_)) => self.control.shutdown(limit).await,
            Ok(None) => return Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = asked {
            self.kill_gateway(&error.to_string()).await?;
            if lock::holder(&self.folder.gateway_lock()).is_none() {
                return self.step(ReleaseEvent::GatewayStopped);
            }
            // Another one has taken its place.
            self.control.shutdown(limit).await?;
        }
        let start = Instant::now();
        // It lets go of its lock as the last thing.
        while lock::holder(&self.folder.gateway_lock()).is_some() {
            if start.elapsed() > limit + GATEWAY_LIMIT {
                return Err(Error::Control {
                    request: "shutdown",
                    reason: "it still runs".to_owned(),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
        self.step(ReleaseEvent::GatewayStopped)
    }
}
