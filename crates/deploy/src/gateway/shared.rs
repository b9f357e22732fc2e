//! What a running gateway knows, shared by all its connections.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::access_log::AccessLog;
use super::metrics::{InstanceRow, Metrics};
use super::options::Limits;
use super::paths::Paths;
use super::pause::PauseControl;
use super::replica::{Replica, Standing};
use super::route_table::RouteTable;
use super::tap::Copies;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) routes: RouteTable,
    pub(super) copies: Copies,
    pub(super) paths: Paths,
    pub(super) pause: PauseControl,
    pub(super) metrics: Metrics,
    pub(super) access: Option<AccessLog>,
    pub(super) limits: Limits,
    pub(super) listen: SocketAddr,
    pub(super) started_ms: u64,
    /// Asks the gateway to end.
    pub(super) end: watch::Sender<Option<End>>,
    /// Whether connections are accepted.
    pub(super) accepting: watch::Sender<bool>,
    /// Clients are told to come back on a new connection.
    pub(super) closing: AtomicBool,
}

/// How the gateway ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// How long requests in flight may take.
    pub(super) limit: Duration,
    /// A successor has the sockets.
    pub(super) handed_over: bool,
}

impl Shared {
    /// Asks the gateway to end.
    pub(super) fn end(&self, limit: Duration, handed_over: bool) {
        self.end.send_replace(Some(End { limit, handed_over }));
    }

    /// The page of counters, in Prometheus' text format.
    pub(super) fn metrics_page(&self) -> String {
        let route = self.routes.load();
        let candidate = route.candidate.as_ref().map(|candidate| &candidate.target);
        let sides = [
            (route.current.as_ref(), "current"),
            (route.standby.as_ref(), "standby"),
            (candidate, "candidate"),
        ];
        let mut rows = Vec::new();
        for (target, role) in sides {
            let replicas = target.into_iter().flat_map(|target| target.replicas.each());
            rows.extend(replicas.map(|replica| row(replica, role)));
        }
        let canary = route.candidate.as_ref().and_then(|candidate| candidate.steps().pop());
        let copies = route.mirror.as_ref().map(|mirror| mirror.copies());
        let dropped = self.access.as_ref().map_or(0, |log| log.dropped.load(Ordering::Relaxed));
        self.metrics.render(&rows, dropped, canary, copies)
    }
}

fn row(replica: &Replica, role: &'static str) -> InstanceRow<'_> {
    InstanceRow {
        id: &replica.id,
        role,
        in_flight: replica.in_flight(),
        requests: replica.sent.load(Ordering::Relaxed),
        failures: replica.failures.load(Ordering::Relaxed),
        is_ejected: replica.standing() != Standing::Well,
    }
}
