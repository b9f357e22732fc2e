//! What can go wrong in a deployment, with what a person needs to act on it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use trainyard_base::{Advice, Advise, Fault};

use crate::release::Refusal;
use crate::replica_id::REPLICAS_MAX;

/// The result of a deployment operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a deployment operation failed. The text says what, on which value; [`Advise::hint`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{doing} {path}: {source}")]
    Io {
        /// `"cannot read"` and the like.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A state file is not what this version writes.
    #[error("{path} is not a state file of this program: {reason}")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another deployment of the same service is going on.
    #[error("{service} is being changed by process {pid} ({what}, for {seconds} s)")]
    Locked {
        /// The service.
        service: String,
        /// Who holds the lock; 0 when unknown.
        pid: u32,
        /// What it does.
        what: String,
        /// For how long.
        seconds: u64,
    },
    /// Another process keeps the service up.
    #[error("{service} is kept up by process {pid} already (for {seconds} s)")]
    Supervised {
        /// The service.
        service: String,
        /// Who does; 0 when unknown.
        pid: u32,
        /// For how long.
        seconds: u64,
    },
    /// The gateway could not take its address.
    #[error("the gateway cannot listen on {listen}: {reason}")]
    Listen {
        /// The address wanted.
        listen: SocketAddr,
        /// The operating system's answer.
        reason: String,
    },
    /// The gateway process did not come up.
    #[error("the gateway did not start: {reason}{}", below(log))]
    GatewayStart {
        /// What was seen.
        reason: String,
        /// Its last log lines, each ending with a line break; may be empty.
        log: String,
        /// Where the log is.
        log_path: PathBuf,
    },
    /// The running gateway listens elsewhere.
    #[error("{service} already runs on {running}, not on {wanted}")]
    GatewayAddress {
        /// The service.
        service: String,
        /// Where the gateway listens.
        running: SocketAddr,
        /// Where it should.
        wanted: SocketAddr,
    },
    /// Another gateway serves the same state folder.
    #[error("another gateway (process {pid}) already serves {path}")]
    GatewayRuns {
        /// Its process; 0 when unknown.
        pid: u32,
        /// The state folder.
        path: PathBuf,
    },
    /// The gateway refused or broke off a control request.
    #[error("the gateway did not do {request}: {reason}")]
    Control {
        /// What was asked.
        request: &'static str,
        /// Its answer.
        reason: String,
    },
    /// The program of a release could not be started at all.
    #[error("cannot start {command}: {reason}")]
    Start {
        /// The program.
        command: PathBuf,
        /// The operating system's answer.
        reason: String,
    },
    /// The Docker Engine refused, or cannot be reached.
    #[error("{doing}: {reason}")]
    Docker {
        /// What was wanted (`cannot pull image iris:3`).
        doing: String,
        /// The engine's answer.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The new instance did not become healthy; the one before it goes on serving.
    #[error("{0}")]
    Unhealthy(Box<Unhealthy>),
    /// The new instance turned bad after the switch; the one before it serves again.
    #[error("{green} turned bad after the switch ({reason}); {blue} serves again{}", below(log))]
    WentBack {
        /// The new instance.
        green: String,
        /// The one that serves again.
        blue: String,
        /// What the gateway saw.
        reason: String,
        /// Last log lines of the new instance, each ending with a line break.
        log: Box<str>,
        /// Where its log is.
        log_path: PathBuf,
    },
    /// The service's owner does not agree to the new instance.
    #[error("{green} is not released: {refusal}{}", goes_on(serving.as_ref()))]
    Refused {
        /// The new instance.
        green: String,
        /// Why not.
        refusal: Refusal,
        /// The one that serves.
        serving: Option<String>,
    },
    /// The new instance turned out bad before the switch; the one before it goes on serving.
    #[error("{0}")]
    Dropped(Box<Dropped>),
    /// Nothing is deployed under this name, or not any more.
    #[error("nothing is deployed: no gateway runs for {path}")]
    NotDeployed {
        /// The service.
        service: String,
        /// Where its state is, or would be.
        path: PathBuf,
    },
    /// Nobody of that name has written a log.
    #[error("{of} has no log here: {} is not there", path.display())]
    NoLog {
        /// Whose log was asked for.
        of: String,
        /// Where it would be.
        path: PathBuf,
        /// Where there are logs.
        hint: String,
    },
    /// There is no earlier release to go back to.
    #[error("there is no earlier release to go back to")]
    NoPrevious {
        /// The service.
        service: String,
    },
    /// The version that is to serve again never served here, or nothing was kept of it.
    #[error("no release of version {version} is kept to go back to")]
    NotServed {
        /// The service.
        service: String,
        /// As given.
        version: String,
    },
    /// A release cannot have so many instances.
    #[error("a release cannot have {wanted} instances")]
    Replicas {
        /// As given.
        wanted: u32,
    },
    /// A certificate, a key or an authority cannot be used.
    #[error(transparent)]
    Certificate(#[from] trainyard_net::CertificateError),
    /// The file of tokens cannot be used.
    #[error("{}: {reason}", path.display())]
    Tokens {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting of the gateway that means nothing without TLS.
    #[error("{setting} is set, and the gateway has no certificate")]
    NeedsTls {
        /// The setting.
        setting: &'static str,
    },
    /// A path that cannot be let through the gateway.
    #[error("{0:?} is no path that can be exposed")]
    Path(String),
    /// No certificate can be had by such settings.
    #[error("{reason}")]
    Acme {
        /// What is wrong, and where.
        reason: String,
        /// What to write.
        hint: &'static str,
    },
    /// A name that no header has.
    #[error("{0:?} is no name of a header")]
    Header(String),
    /// A name that cannot name a folder and a label.
    #[error("{name:?} cannot name a service")]
    Name {
        /// As given.
        name: String,
    },
}

/// A new instance that was given up before any user had it for good.
#[derive(Debug, Clone)]
pub struct Dropped {
    /// The new instance.
    pub green: String,
    /// The one that goes on serving.
    pub blue: String,
    /// When, and what the gateway saw.
    pub reason: String,
    /// Whether it was found bad; otherwise nobody went on with its release, which says nothing about it.
    pub is_verdict: bool,
    /// Last log lines of the new instance, each ending with a line break.
    pub log: String,
    /// Where its log is.
    pub log_path: PathBuf,
}

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { green, blue, reason, log, .. } = self;
        write!(f, "{green} was given up before the switch ({reason}); {blue} goes on serving")?;
        f.write_str(&below(log))
    }
}

/// What is known about an instance that did not become healthy.
#[derive(Debug, Clone)]
pub struct Unhealthy {
    /// The instance.
    pub instance: String,
    /// What was asked last (`GET http://127.0.0.1:4711/health`).
    pub probe: String,
    /// What came back last (`503 Service Unavailable: …`, `connection refused`).
    pub answer: String,
    /// Successful probes in a row, and how many were needed.
    pub successes: (u32, u32),
    /// How long it was waited for.
    pub waited: Duration,
    /// How the process ended, if it did (`exit code 1`, `signal 9`).
    pub exit: Option<String>,
    /// The last results of the runtime's own health check.
    pub health_log: Vec<String>,
    /// What the runtime saw happen to it.
    pub events: Vec<String>,
    /// Its last log lines.
    pub log: Vec<String>,
    /// Its whole log.
    pub log_path: PathBuf,
    /// The instance that goes on serving, if there is one.
    pub serving: Option<String>,
}

impl std::fmt::Display for Unhealthy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waited = self.waited.as_secs_f64();
        match &self.exit {
            Some(exit) => write!(f, "{} ended ({exit}) after {waited:.1} s", self.instance)?,
            None => write!(
                f,
                "{} was not healthy within {waited:.1} s ({} of {} probes in a row)",
                self.instance, self.successes.0, self.successes.1
            )?,
        }
        write!(f, "\nlast probe: {}\nlast answer: {}", self.probe, self.answer)?;
        if !self.health_log.is_empty() {
            write!(f, "\nthe container's health checks:\n{}", indent(&self.health_log).trim_end())?;
        }
        if !self.events.is_empty() {
            write!(f, "\nthe container's events: {}", self.events.join(", "))?;
        }
        if !self.log.is_empty() {
            write!(f, "\nlast log lines:\n{}", indent(&self.log).trim_end())?;
        }
        match &self.serving {
            Some(serving) => {
                write!(f, "\n{serving} goes on serving; {} was removed", self.instance)?;
            }
            None => write!(f, "\nnothing is serving; {} was removed", self.instance)?,
        }
        Ok(())
    }
}

impl Advise for Error {
    fn advice(&self) -> Advice {
        match self {
            Self::Io { source, .. } => Advice { fault: Fault::Environment, hint: hint(source) },
            Self::State { .. } => Advice::environment(
                "if another version wrote it, use that one to stop the service, then remove the folder",
            ),
            Self::Locked { .. } => Advice::environment(
                "wait for it to finish; it is safe to end it, the next deployment tidies up",
            ),
            Self::Supervised { .. } => Advice::environment(
                "`trainyard up --take-over` takes over from it and leaves the service as it is; \
                 `trainyard up --down` ends both",
            ),
            Self::Listen { .. } => Advice::environment(
                "another program may use the port (see: ss -ltnp); choose another address",
            ),
            Self::GatewayStart { log_path, .. } => {
                Advice::environment(format!("its whole log is {}", log_path.display()))
            }
            Self::GatewayAddress { running, .. } => {
                Advice::environment(format!("stop it first, or set deploy.listen to {running}"))
            }
            Self::GatewayRuns { .. } => Advice::environment("stop the service first"),
            Self::Control { .. } => Fault::Environment.into(),
            Self::Start { .. } => {
                Advice::environment("check that the program exists and may be executed")
            }
            Self::Docker { hint, .. } => Advice::environment(hint),
            Self::Unhealthy(unhealthy) => {
                Advice::environment(format!("the whole log is {}", unhealthy.log_path.display()))
            }
            Self::WentBack { green, log_path, .. } => {
                Advice::environment(format!("the whole log of {green} is {}", log_path.display()))
            }
            Self::Refused { refusal, .. } => refusal.advice(),
            Self::Dropped(dropped) => Advice::environment(format!(
                "the whole log of {} is {}",
                dropped.green,
                dropped.log_path.display()
            )),
            Self::NotDeployed { .. } => Advice::input("`trainyard deploy` brings it up"),
            Self::NoLog { hint, .. } => Advice::input(hint),
            Self::NoPrevious { .. } => Advice::input("deploy the version you want"),
            Self::NotServed { version, .. } => Advice::input(format!(
                "`trainyard deploy history` shows what served; `trainyard deploy --version {version}` \
                 releases it as the project says today"
            )),
            Self::Replicas { .. } => {
                Advice::input(format!("set `replicas` to a number from 1 to {REPLICAS_MAX}"))
            }
            Self::Certificate(_) => Advice::input(
                "certificates, keys and authorities are PEM files: -----BEGIN CERTIFICATE-----",
            ),
            Self::Tokens { .. } => Advice::input(
                "`trainyard token list` shows the tokens, `trainyard token new NAME` adds one",
            ),
            Self::NeedsTls { .. } => {
                Advice::input("set deploy.tls_cert and deploy.tls_key as well")
            }
            Self::Path(_) => Advice::input(
                "write /feedback, /models/*/feedback (any one name) or /static/** (all below), \
                 without //, .., ; or needless %",
            ),
            Self::Acme { hint, .. } => Advice::input(*hint),
            Self::Header(_) => Advice::input("write it as in canary_header = \"X-User-Id\""),
            Self::Name { .. } => Advice::input(
                "use 1 to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit",
            ),
        }
    }
}

/// What helps against a refusal of the operating system, where that is known.
fn hint(error: &std::io::Error) -> Option<String> {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let hint = match error.kind() {
        StorageFull | QuotaExceeded => {
            "make room there (see: df -h), then deploy again: it tidies up"
        }
        PermissionDenied | ReadOnlyFilesystem => {
            "deploy as the user that owns this folder, or choose another with `state` under [deploy]"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Who serves in spite of a failure.
fn goes_on(serving: Option<&String>) -> String {
    serving.map_or_else(String::new, |serving| format!("; {serving} goes on serving"))
}

/// Log lines below a sentence.
fn below(log: &str) -> String {
    if log.is_empty() { String::new() } else { format!("\n{}", log.trim_end()) }
}

/// Log lines for a message.
pub(crate) fn indent(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        text.push_str("  | ");
        text.push_str(line);
        text.push('\n');
        text
    })
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }
}
