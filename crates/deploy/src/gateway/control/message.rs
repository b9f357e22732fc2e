//! What a deployer and the gateway say to each other.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::gateway::acme::AcmeSeen;
use crate::gateway::candidate::CandidateState;
use crate::gateway::mirror::CopiesSeen;
use crate::gateway::pause::Mode;
use crate::gateway::route::RouteState;
use crate::gateway::target::TargetSpec;
use crate::gateway::window::Lately;
use crate::release::BakeLimits;
use crate::service::local_address;

/// Version of what is said here; a gateway may be older than the deployer.
pub(crate) const PROTOCOL: u32 = 1;

/// What the gateway says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// Version of the control protocol.
    pub protocol: u32,
    /// Its process.
    pub pid: u32,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether clients speak TLS with it.
    #[serde(default)]
    pub encrypted: bool,
    /// Since when it runs, in milliseconds since 1970.
    pub started_ms: u64,
    /// Version of its program.
    #[serde(default)]
    pub version: String,
    /// Whether requests come in.
    #[serde(default)]
    pub mode: Mode,
    /// Where requests go.
    pub route: RouteState,
    /// Instances that get no requests while others of their release are well.
    #[serde(default)]
    pub ejected: Vec<String>,
    /// Requests that the current target works on.
    pub in_flight: usize,
    /// What the current target answered since this gateway runs: a sign of life.
    #[serde(default)]
    pub answers: u64,
    /// Requests that the standby works on.
    pub standby_in_flight: usize,
    /// Open client connections.
    pub connections: u64,
    /// What copies of requests say, while there are two versions to compare.
    #[serde(default)]
    pub copies: Option<CopiesSeen>,
    /// All requests of the last minute, whoever answered them.
    #[serde(default)]
    pub lately: Lately,
    /// Those that each instance had, by its id.
    #[serde(default)]
    pub instances: BTreeMap<String, Lately>,
    /// How the certificate stands, where it is had by ACME.
    #[serde(default)]
    pub acme: Option<AcmeSeen>,
}

impl GatewayStatus {
    /// Where clients on this machine find it.
    pub fn url(&self) -> String {
        let scheme = if self.encrypted { "https" } else { "http" };
        format!("{scheme}://{}", local_address(self.listen))
    }
}

/// Sends all new requests to `current`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Switch {
    pub(crate) current: TargetSpec,
    pub(crate) standby: Option<TargetSpec>,
    /// What is not accepted of `current` while the standby is warm.
    #[serde(default)]
    pub(crate) bake_limits: Option<BakeLimits>,
}

/// Gives a new version copies of the requests, or a share of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Try {
    /// The version that users have. Nothing happens when it is another.
    pub(crate) beside: String,
    pub(crate) candidate: CandidateState,
}

/// Asks to go back to the standby, because whoever asks knows that the current target is bad.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GoBack {
    /// Nothing happens when this is not the current target any more.
    pub(crate) from: String,
    pub(crate) reason: String,
}

/// Gives a standby up and waits for its requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Retire {
    pub(crate) id: String,
    pub(crate) limit_ms: u64,
}

/// What is left after [`Retire`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retired {
    /// Requests that were still running at the limit.
    pub(crate) left: usize,
}

/// Ends the gateway.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Shutdown {
    pub(crate) limit_ms: u64,
}
