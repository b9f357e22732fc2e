//! An instance as the gateway sees it: its connections, its requests in flight, and what it did with
//! those it got.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::drain::Gate;
use super::failure::Fault;
use super::record::{Counted, Record};
use super::upstream::{Links, Upstream};
use crate::probe::{self, Look};

/// An answer to a health check takes no longer than this.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// An instance as the gateway sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSpec {
    /// Id of the instance.
    pub id: String,
    /// Where it answers.
    pub address: SocketAddr,
    /// Its health check.
    pub health_path: String,
    /// Request id by which it knows what no user asked, and does not log it; none if empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub copy_id: String,
}

impl TargetSpec {
    /// Whether both are one instance, whatever else is known of it.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.id, self.address) == (&other.id, other.address)
    }
}

/// A target with its connections and counters.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) spec: TargetSpec,
    pub(super) upstream: Upstream,
    gate: Gate,
    /// Requests sent to it, whatever came of them.
    pub(super) sent: AtomicU64,
    /// Requests that it failed to answer.
    pub(super) failures: AtomicU64,
    /// Anything at all that it answered: a sign of life.
    pub(super) answers: AtomicU64,
    /// Requests that say something about it, and what they say.
    judged: AtomicU64,
    errors: AtomicU64,
    late: AtomicU64,
    /// From when an answer is late, in microseconds.
    late_after_us: AtomicU64,
    /// It answers neither its health check nor anybody's requests.
    silent: AtomicBool,
    /// What the counters said before, for whoever judges it.
    pub(super) record: Record,
}

impl Target {
    pub(super) fn new(spec: TargetSpec, links: Links) -> Arc<Self> {
        Arc::new(Self {
            upstream: Upstream::new(spec.address, links),
            spec,
            gate: Gate::default(),
            sent: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            judged: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            late: AtomicU64::new(0),
            late_after_us: AtomicU64::new(u64::MAX),
            silent: AtomicBool::new(false),
            record: Record::default(),
        })
    }

    /// From when an answer counts as late.
    pub(super) fn set_late_after(&self, limit: Option<Duration>) {
        let micros = limit.and_then(|limit| u64::try_from(limit.as_micros()).ok());
        self.late_after_us.store(micros.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts an answer that began `waited` after the last byte of its request.
    pub(super) fn answered(&self, status: u16, waited: Duration) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        match Fault::of_status(status) {
            // A flood of these must neither condemn a version nor hide its errors.
            Some(Fault::Client) => return,
            Some(Fault::Instance) => {
                self.errors.fetch_add(1, Ordering::Relaxed);
            }
            Some(Fault::Gateway) | None => {}
        }
        if self.is_late(waited) {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
        self.judged.fetch_add(1, Ordering::Release);
    }

    /// Counts a request that got no answer.
    pub(super) fn failed(&self, fault: Fault) {
        if fault == Fault::Instance {
            self.failures.fetch_add(1, Ordering::Relaxed);
            self.errors.fetch_add(1, Ordering::Relaxed);
            self.judged.fetch_add(1, Ordering::Release);
        }
    }

    /// Counts an answer that broke off after its head was counted.
    pub(super) fn broke_off(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request whose client gave up while it waited: it says nothing, unless its answer would
    /// have been late already. A version that hangs would otherwise never be judged.
    pub(super) fn abandoned(&self, waited: Duration) {
        if self.is_late(waited) {
            self.late.fetch_add(1, Ordering::Relaxed);
            self.judged.fetch_add(1, Ordering::Release);
        }
    }

    fn is_late(&self, waited: Duration) -> bool {
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        micros > self.late_after_us.load(Ordering::Relaxed)
    }

    /// What the counters say now.
    pub(super) fn counted(&self) -> Counted {
        Counted {
            // Read first: it is counted last, so there are never more errors than requests.
            requests: self.judged.load(Ordering::Acquire),
            errors: self.errors.load(Ordering::Relaxed),
            late: self.late.load(Ordering::Relaxed),
        }
    }

    /// Asks it for its health.
    pub(super) async fn look(&self) -> Look {
        probe::look(self.spec.address, &self.spec.health_path, None, LOOK_TIMEOUT).await
    }

    /// Whether nothing is to be expected of it now.
    pub(super) fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    /// Says whether something is to be expected of it; whether that is news.
    pub(super) fn set_silent(&self, silent: bool) -> bool {
        self.silent.swap(silent, Ordering::Relaxed) != silent
    }

    /// Counts a request in, unless the target is closed.
    pub(super) fn enter(self: &Arc<Self>) -> Option<InFlight> {
        let is_open = self.gate.enter();
        let guard = InFlight(Arc::clone(self));
        // A closed target counts the guard out again when it is dropped here.
        is_open.then_some(guard)
    }

    /// Counts a request in even so: the standby helps out while it is still warm.
    pub(super) fn enter_standby(self: &Arc<Self>) -> InFlight {
        self.gate.enter();
        InFlight(Arc::clone(self))
    }

    pub(super) fn close(&self) {
        self.gate.close();
    }

    pub(super) fn open(&self) {
        self.gate.open();
    }

    /// Requests this target works on.
    pub(super) fn in_flight(&self) -> usize {
        self.gate.inside()
    }

    /// Waits until no request is left, up to a limit; how many are left then.
    pub(super) async fn drained(&self, limit: Duration) -> usize {
        self.gate.drained(limit).await
    }
}

/// A request in flight; dropped when its answer is complete.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Target>);

impl InFlight {
    pub(super) fn target(&self) -> &Arc<Target> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.gate.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_clients_count_for_nobody() {
        let spec = TargetSpec {
            id: "r1".to_owned(),
            address: ([127, 0, 0, 1], 9).into(),
            health_path: "/".to_owned(),
            copy_id: String::new(),
        };
        let target = Target::new(spec, Links::new(1, Duration::from_secs(1)));
        let second = Duration::from_secs(1);
        target.set_late_after(Some(Duration::from_millis(10)));
        for status in [400, 404, 413, 422, 429] {
            target.answered(status, second);
        }
        target.failed(Fault::Client);
        target.failed(Fault::Gateway);
        target.abandoned(Duration::from_millis(5));
        assert_eq!(target.counted(), Counted::default());
        target.answered(200, Duration::ZERO);
        target.answered(500, second);
        target.failed(Fault::Instance);
        target.abandoned(second);
        assert_eq!(target.counted(), Counted { requests: 4, errors: 2, late: 2 });
    }
}
