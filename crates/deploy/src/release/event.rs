//! The steps of a deployment, as it tells them and as its journal names them.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::canary_step::Share;
use crate::gateway::{CopiesSeen, StepSeen};

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
    /// Copies of requests go to the new instance.
    Shadowing {
        /// The new instance.
        id: String,
        /// For how long.
        time: Duration,
    },
    /// What the new instance said to them.
    Shadowed {
        /// The new instance.
        id: String,
        /// What was seen.
        copies: CopiesSeen,
    },
    /// A share of the requests goes to the new instance.
    Canary {
        /// The new instance.
        id: String,
        /// The share.
        share: Share,
        /// For how long.
        time: Duration,
    },
    /// A step of a canary is over.
    CanaryStepped {
        /// The new instance.
        id: String,
        /// What was seen.
        seen: StepSeen,
        /// Whether that is enough to say anything.
        is_enough: bool,
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
    /// An instance that should serve did not: it is started again.
    Revived {
        /// The instance.
        id: String,
        /// Where it answers.
        address: SocketAddr,
        /// What had become of it.
        cause: String,
    },
    /// What hangs was killed, to be started again.
    Killed {
        /// The instance, or `the gateway`.
        what: String,
        /// What was seen.
        cause: String,
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
            Self::Shadowing { .. } => "shadowing",
            Self::Shadowed { .. } => "shadowed",
            Self::Canary { .. } => "canary",
            Self::CanaryStepped { .. } => "canary-stepped",
            Self::Switched { .. } => "switched",
            Self::Committing { .. } => "committing",
            Self::Committed { .. } => "committed",
            Self::Uncommitted { .. } => "uncommitted",
            Self::Draining { .. } => "draining",
            Self::Drained { .. } => "drained",
            Self::Stopped { .. } => "stopped",
            Self::WentBack { .. } => "went-back",
            Self::Revived { .. } => "revived",
            Self::Killed { .. } => "killed",
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
            Self::Shadowing { id, time } => {
                write!(f, "copies of requests go to {id} for {:.0} s", time.as_secs_f64())
            }
            Self::Shadowed { id, copies } => shadowed(f, id, copies),
            Self::Canary { id, share, time } => {
                write!(f, "{share} of the requests go to {id} for {:.0} s", time.as_secs_f64())
            }
            Self::CanaryStepped { id, seen, is_enough } => {
                let green = seen.green;
                let bad = green.errors + green.refused;
                write!(
                    f,
                    "{id} answered {} requests, {bad} of them with an error",
                    green.requests
                )?;
                if *is_enough { Ok(()) } else { f.write_str(": too few to say anything") }
            }
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
            Self::Revived { id, address, cause } => {
                write!(f, "started {id} again on {address}: {cause}")
            }
            Self::Killed { what, cause } => write!(f, "killed {what}: {cause}"),
            Self::GatewayUpgraded { from, to } => {
                write!(f, "the gateway is process {to} now, before {from}")
            }
            Self::GatewayStopped => f.write_str("gateway stopped"),
            Self::Finished => f.write_str("finished"),
        }
    }
}

/// What was seen in shadow.
fn shadowed(f: &mut fmt::Formatter<'_>, id: &str, copies: &CopiesSeen) -> fmt::Result {
    let CopiesSeen { pairs, green_failed, compared, differing, dropped, .. } = copies;
    if *pairs == 0 {
        return write!(
            f,
            "{id} got no copy of a request: nothing is known of it ({dropped} not copied)"
        );
    }
    let mean_ms = |sum_us: u64| sum_us as f64 / 1000.0 / *pairs as f64;
    write!(
        f,
        "{id} got copies of {pairs} requests ({dropped} not copied): it alone failed at {green_failed}, \
         {differing} of {compared} predictions differ, answers began after {:.1} ms ({:.1} ms before)",
        mean_ms(copies.green_wait_us),
        mean_ms(copies.blue_wait_us),
    )
}
