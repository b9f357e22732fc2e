//! What a running gateway knows, shared by all its connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::access_log::AccessLog;
use super::metrics::Metrics;
use super::options::Limits;
use super::paths::Paths;
use super::pause::PauseControl;
use super::route_table::RouteTable;
use super::tap::Copies;
use super::target::Target;

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
        let row = |target: &Arc<Target>, role| {
            let requests = target.sent.load(Ordering::Relaxed);
            let failures = target.failures.load(Ordering::Relaxed);
            (target.spec.id.clone(), role, target.in_flight(), requests, failures)
        };
        let targets: Vec<_> = route
            .current
            .iter()
            .map(|target| row(target, "current"))
            .chain(route.standby.iter().map(|target| row(target, "standby")))
            .chain(route.candidate.iter().map(|candidate| row(&candidate.target, "candidate")))
            .collect();
        let canary = route.candidate.as_ref().and_then(|candidate| candidate.steps().pop());
        let copies = route.mirror.as_ref().map(|mirror| mirror.copies());
        let dropped = self.access.as_ref().map_or(0, |log| log.dropped.load(Ordering::Relaxed));
        self.metrics.render(&targets, dropped, canary, copies)
    }
}
