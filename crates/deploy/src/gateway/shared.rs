//! What a running gateway knows, shared by all its connections.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::acme::Acme;
use super::in_force::InForce;
use super::metrics::{InstanceRow, Metrics};
use super::pause::PauseControl;
use super::replica::{Replica, Standing};
use super::route_table::RouteTable;
use super::tap::Copies;
use super::upstream::Links;
use crate::clock::now_ms;
use crate::error::Result;
use crate::state::folder::Folder;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) routes: RouteTable,
    pub(super) copies: Copies,
    pub(super) folder: Folder,
    pub(super) settings: Settings,
    pub(super) acme: Arc<Acme>,
    pub(super) links: Links,
    pub(super) pause: PauseControl,
    pub(super) metrics: Metrics,
    pub(super) listen: SocketAddr,
    pub(super) started_ms: u64,
    /// Asks the gateway to end.
    pub(super) end: watch::Sender<Option<End>>,
    /// Whether connections are accepted.
    pub(super) accepting: watch::Sender<bool>,
    /// Clients are told to come back on a new connection.
    pub(super) closing: AtomicBool,
}

/// The settings in force, and how they come to be others.
#[derive(Debug)]
pub(super) struct Settings {
    in_force: ArcSwap<InForce>,
    /// Changes with each time that they are read.
    reloads: watch::Sender<()>,
    /// One reading at a time, or the older one might be the last.
    reading: Mutex<()>,
}

impl From<InForce> for Settings {
    fn from(in_force: InForce) -> Self {
        let (in_force, reloads) = (ArcSwap::from_pointee(in_force), watch::channel(()).0);
        Self { in_force, reloads, reading: Mutex::default() }
    }
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
    /// The settings in force.
    pub(super) fn in_force(&self) -> Arc<InForce> {
        self.settings.in_force.load_full()
    }

    /// How long an instance may take to begin an answer.
    pub(super) fn response_timeout(&self) -> Duration {
        self.settings.in_force.load().limits.response_timeout
    }

    /// How long requests may take to finish when the gateway ends.
    pub(super) fn shutdown_limit(&self) -> Duration {
        self.settings.in_force.load().limits.shutdown_limit
    }

    /// Reads the settings again, and all files that they name. What cannot be used changes nothing.
    pub(super) fn reload(&self) -> Result<()> {
        let _one = self.settings.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.in_force();
        let next = InForce::open(&self.folder, Some(&before)).inspect_err(|error| {
            tracing::warn!(%error, "the settings before stay in force");
        })?;
        self.links.resize(next.limits.max_connections);
        if next.settings != before.settings {
            self.warn(&next);
        }
        self.settings.in_force.store(Arc::new(next));
        self.settings.reloads.send_replace(());
        tracing::info!("the settings were read again");
        Ok(())
    }

    /// Says what strangers could do.
    pub(super) fn warn(&self, in_force: &InForce) {
        if let Some(warning) = in_force.settings.warning(self.listen) {
            tracing::warn!("{warning}");
        }
    }

    /// Resolves when the settings in force are not the `same` any more.
    pub(super) async fn change(&self, same: impl Fn(&InForce) -> bool) {
        let mut reloads = self.settings.reloads.subscribe();
        while same(&self.in_force()) {
            if reloads.changed().await.is_err() {
                // The sender is this one's own, and is there as long.
                std::future::pending::<()>().await;
            }
        }
    }

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
        let in_force = self.in_force();
        let dropped = in_force.access.as_ref().map_or(0, |log| log.dropped.load(Ordering::Relaxed));
        let page = self.metrics.render(&rows, dropped, canary, copies);
        page + &in_force.door.page() + &self.acme.metrics(now_ms())
    }
}

fn row<'a>(replica: &'a Replica, role: &'static str) -> InstanceRow<'a> {
    InstanceRow {
        id: &replica.id,
        role,
        in_flight: replica.in_flight(),
        requests: replica.sent.load(Ordering::Relaxed),
        failures: replica.failures.load(Ordering::Relaxed),
        is_ejected: replica.standing() != Standing::Well,
    }
}
