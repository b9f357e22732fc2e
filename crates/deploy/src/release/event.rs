//! The steps of a deployment, as it tells them and as its journal names them.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// One step of a deployment, as it happens. `Display` is a short line for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReleaseEvent {
    /// Another deployment holds the lock.
    Waiting {
        /// Its process.
        pid: u32,
        /// What it does.
        what: String,
    },
    /// The lock is held.
    Locked,
    /// The gateway runs.
    GatewayReady {
        /// Where it listens.
        listen: SocketAddr,
        /// Whether it was started now.
        started: bool,
    },
    /// A release that was broken off between its switch and its end was brought to one of them.
    Settled {
        /// Its new instance.
        id: String,
        /// Whether that one is what serves.
        is_forward: bool,
    },
    /// An instance that an interrupted deployment left was removed.
    Recovered {
        /// The instance.
        id: String,
    },
    /// What the new instance needs was got (an image).
    Prepared {
        /// What was done.
        what: String,
    },
    /// The new instance is about to be started.
    Starting {
        /// The instance.
        id: String,
    },
    /// The new instance was started.
    Started {
        /// The instance.
        id: String,
        /// Where it answers.
        address: SocketAddr,
    },
    /// A health probe was answered in another way than the one before.
    Probed {
        /// Its answer.
        answer: String,
    },
    /// The new instance is healthy.
    Healthy {
        /// Time since its start.
        after: Duration,
    },
    /// The new instance answered the prediction.
    Predicted,
    /// The service's owner agrees that the new instance gets requests.
    Reviewed {
        /// What was found of it, if anything was looked for.
        found: Option<String>,
    },
    /// Requests go to the new instance.
    Switched {
        /// The instance before.
        from: Option<String>,
        /// The new instance.
        to: String,
    },
    /// It is about to be made known that the new instance is the one.
    Committing {
        /// The new instance.
        id: String,
    },
    /// It is known that the new instance is the one.
    Committed {
        /// The new instance.
        id: String,
    },
    /// It could not be made known; the next change does it.
    Uncommitted {
        /// The new instance.
        id: String,
        /// Why not.
        reason: String,
    },
    /// The old instance works on its last requests.
    Draining {
        /// The old instance.
        id: String,
        /// Its requests.
        in_flight: usize,
    },
    /// The old instance gets no request any more.
    Drained {
        /// The old instance.
        id: String,
        /// Requests that were still running at the limit.
        left: usize,
    },
    /// An instance was stopped.
    Stopped {
        /// The instance.
        id: String,
    },
    /// The gateway went back to the old instance.
    WentBack {
        /// The new instance.
        from: String,
        /// The old instance.
        to: String,
        /// What the gateway saw.
        reason: String,
    },
    /// A new gateway took over from another.
    GatewayUpgraded {
        /// The old process.
        from: u32,
        /// The new one.
        to: u32,
    },
    /// The gateway was stopped.
    GatewayStopped,
    /// All done.
    Finished,
}

impl ReleaseEvent {
    /// The step's name in the journal.
    pub fn step(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Locked => "locked",
            Self::GatewayReady { .. } => "gateway-ready",
            Self::Settled { .. } => "settled",
            Self::Recovered { .. } => "recovered",
            Self::Prepared { .. } => "prepared",
            Self::Starting { .. } => "starting",
            Self::Started { .. } => "started",
            Self::Probed { .. } => "probed",
            Self::Healthy { .. } => "healthy",
            Self::Predicted => "predicted",
            Self::Reviewed { .. } => "reviewed",
            Self::Switched { .. } => "switched",
            Self::Committing { .. } => "committing",
            Self::Committed { .. } => "committed",
            Self::Uncommitted { .. } => "uncommitted",
            Self::Draining { .. } => "draining",
            Self::Drained { .. } => "drained",
            Self::Stopped { .. } => "stopped",
            Self::WentBack { .. } => "went-back",
            Self::GatewayUpgraded { .. } => "gateway-upgraded",
            Self::GatewayStopped => "gateway-stopped",
            Self::Finished => "finished",
        }
    }
}

impl fmt::Display for ReleaseEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { pid, what } => write!(f, "waiting for process {pid} ({what})"),
            Self::Locked => f.write_str("lock taken"),
            Self::GatewayReady { listen, started: true } => {
                write!(f, "gateway started on {listen}")
            }
            Self::GatewayReady { listen, started: false } => write!(f, "gateway runs on {listen}"),
            Self::Settled { id, is_forward: true } => {
                write!(f, "the interrupted release of {id} is finished")
            }
            Self::Settled { id, is_forward: false } => {
                write!(f, "the interrupted release of {id} is taken back")
            }
            Self::Recovered { id } => write!(f, "removed {id}, left by an interrupted deployment"),
            Self::Prepared { what } => f.write_str(what),
            Self::Starting { id } => write!(f, "starting {id}"),
            Self::Started { id, address } => write!(f, "started {id} on {address}"),
            Self::Probed { answer } => write!(f, "health: {answer}"),
            Self::Healthy { after } => write!(f, "healthy after {:.1} s", after.as_secs_f64()),
            Self::Predicted => f.write_str("answered a prediction"),
            Self::Reviewed { found } => f.write_str(found.as_deref().unwrap_or("may get requests")),
            Self::Switched { from: Some(from), to } => write!(f, "switched from {from} to {to}"),
            Self::Switched { from: None, to } => write!(f, "switched to {to}"),
            Self::Committing { id } => write!(f, "{id} is to be the released one"),
            Self::Committed { id } => write!(f, "{id} is the released one"),
            Self::Uncommitted { id, reason } => {
                write!(f, "{id} serves, which could not be made known yet: {reason}")
            }
            Self::Draining { id, in_flight } => write!(f, "draining {id} ({in_flight} in flight)"),
            Self::Drained { id, left: 0 } => write!(f, "drained {id}"),
            Self::Drained { id, left } => write!(f, "drained {id}, cutting off {left} requests"),
            Self::Stopped { id } => write!(f, "stopped {id}"),
            Self::WentBack { from, to, reason } => {
                write!(f, "went back from {from} to {to}: {reason}")
            }
            Self::GatewayUpgraded { from, to } => {
                write!(f, "the gateway is process {to} now, before {from}")
            }
            Self::GatewayStopped => f.write_str("gateway stopped"),
            Self::Finished => f.write_str("finished"),
        }
    }
}
