//! What is reported of a service and its instances.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;

use super::certificate::CertificateSeen;
use crate::gateway::Lately;
use crate::gateway::control::GatewayStatus;
use crate::state::history::HistoryEntry;
use crate::state::lock::Holder;
use crate::state::restarts::Restarts;
use crate::state::supervisor::SupervisorSeen;

/// What should be, by what was done last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Something was released: it should serve.
    Serving,
    /// It was stopped on purpose.
    Stopped,
    /// Nothing was ever released.
    Nothing,
}

/// What an instance is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Requests go to it.
    Current,
    /// It gets copies of the requests, or a share of them.
    Candidate,
    /// It is kept warm.
    Standby,
    /// A release in progress brings it up, or an interrupted one left it.
    Other,
}

/// What an instance said when [`status`](super::status) asked for its health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "said")]
pub enum Health {
    /// It is well.
    Well,
    /// It answered that it is not (`503: model is loading`).
    Sick(String),
    /// It did not answer (`no answer within 2.0 s`).
    Silent(String),
}

/// An instance as [`status`](super::status) reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstanceReport {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub role: Role,
    /// Whether it runs.
    pub running: bool,
    /// How it ended, or why its runtime cannot tell whether it runs (`exit code 1`).
    pub ended: Option<String>,
    /// What it said just now, if it runs.
    pub health: Option<Health>,
    /// The body of its health check, where that is JSON: which model it serves, and how it came by it.
    pub said: Option<serde_json::Value>,
    /// Where it answers, when that is known.
    pub address: Option<SocketAddr>,
    /// Its process or container, when that is known.
    pub handle: Option<String>,
    /// What was released.
    pub label: BTreeMap<String, String>,
    /// For how long it has run, in milliseconds.
    pub up_ms: Option<u64>,
    /// Bytes of memory that it holds.
    pub memory_bytes: Option<u64>,
    /// How often it was started again, and why.
    pub restarts: Restarts,
    /// What the gateway saw of it in the last minute.
    pub lately: Option<Lately>,
}

/// A service as [`status`](super::status) reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceStatus {
    /// What should be, by what was done last.
    pub wanted: Wanted,
    /// Where clients find it, when the gateway runs.
    pub url: Option<String>,
    /// The gateway, when it runs and answers.
    pub gateway: Option<GatewayStatus>,
    /// Why the gateway does not answer, when it runs and does not.
    pub gateway_error: Option<String>,
    /// All instances, the serving ones first.
    pub instances: Vec<InstanceReport>,
    /// Why a runtime cannot say which instances there are.
    pub runtime_error: Option<String>,
    /// The certificate that clients are shown, if they are shown one.
    pub certificate: Option<CertificateSeen>,
    /// Who brings back what dies, when somebody does.
    pub supervisor: Option<SupervisorSeen>,
    /// Who changes the service now.
    pub holder: Option<Holder>,
    /// The instance of a release that was broken off between its switch and its end, while nobody is at it:
    /// the next change settles it.
    pub unfinished: Option<String>,
    /// The release that finished last.
    pub last: Option<HistoryEntry>,
}
