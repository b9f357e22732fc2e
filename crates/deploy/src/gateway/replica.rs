//! One instance of a release as the gateway sees it: its connections, its requests in flight, and whether
//! requests should go to it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::failure::{Failure, Fault};
use super::upstream::{Links, Upstream};
use super::window::Window;
use crate::instance_token::InstanceToken;
use crate::probe::{self, Look};

/// An answer to a health check takes no longer than this.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// Failures in a row that say something about an instance rather than about a request.
const FAILED_IN_ROW: u32 = 3;

/// An instance that has more to do than it can says so with this status. That is no failure of its own: to
/// send its requests to the others would bring those down as well.
const BUSY: u16 = 503;

/// How an instance stands, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Standing {
    /// It gets its share of the requests.
    Well,
    /// It failed in a row, or says that it is not well: it gets requests where no other one is well. So
    /// requests that fail everywhere put nobody out.
    Poor,
    /// It takes no connections.
    Gone,
    /// It answers nobody, also not what it was given before.
    Silent,
}

impl Standing {
    fn of(word: u8) -> Self {
        match word {
            0 => Self::Well,
            1 => Self::Poor,
            2 => Self::Gone,
            _ => Self::Silent,
        }
    }

    /// Whether nothing is sent to it.
    pub(super) fn is_down(self) -> bool {
        self >= Self::Gone
    }
}

/// An instance with its connections and counters.
#[derive(Debug)]
pub(super) struct Replica {
    /// Its own id (`r7.2`).
    pub(super) id: String,
    pub(super) upstream: Upstream,
    /// There is no other one of its release: whatever it does, requests go on finding that out themselves.
    is_only: bool,
    in_flight: AtomicUsize,
    standing: AtomicU8,
    failed_in_row: AtomicU32,
    /// It is not well any more.
    pub(super) left: Notify,
    /// Requests sent to it, whatever came of them.
    pub(super) sent: AtomicU64,
    /// Requests that it failed to answer.
    pub(super) failures: AtomicU64,
    /// Anything at all that it answered: a sign of life.
    answers: AtomicU64,
    /// What it did in the last minute, for people.
    pub(super) window: Window,
}

impl Replica {
    pub(super) fn new(id: String, address: SocketAddr, links: Links, is_only: bool) -> Self {
        Self {
            id,
            upstream: Upstream::new(address, links),
            is_only,
            in_flight: AtomicUsize::new(0),
            standing: AtomicU8::new(Standing::Well as u8),
            failed_in_row: AtomicU32::new(0),
            left: Notify::new(),
            sent: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            window: Window::default(),
        }
    }

    pub(super) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Requests it works on.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    pub(super) fn standing(&self) -> Standing {
        Standing::of(self.standing.load(Ordering::Relaxed))
    }

    pub(super) fn is_down(&self) -> bool {
        self.standing().is_down()
    }

    /// Says how it stands; whether that is news.
    pub(super) fn stand(&self, standing: Standing) -> bool {
        let before = Standing::of(self.standing.swap(standing as u8, Ordering::Relaxed));
        if standing == Standing::Well {
            self.failed_in_row.store(0, Ordering::Relaxed);
        }
        self.put_out(before, standing);
        before != standing
    }

    /// Says that it stands so badly at least.
    pub(super) fn worsen(&self, standing: Standing, reason: &str) {
        let before = Standing::of(self.standing.fetch_max(standing as u8, Ordering::Relaxed));
        self.put_out(before, standing.max(before));
        if before == Standing::Well && standing > before {
            tracing::warn!(instance = self.id, reason, "it gets no requests while others are well");
        }
    }

    /// What follows from a change of how it stands.
    fn put_out(&self, before: Standing, now: Standing) {
        if now.is_down() && !before.is_down() {
            // Their descriptors are needed for those to the others.
            self.upstream.close_idle();
        }
        if now > Standing::Well && before == Standing::Well {
            self.left.notify_one();
        }
    }

    /// Takes note of an answer.
    pub(super) fn answered(&self, status: u16) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        if Fault::of_status(status) == Some(Fault::Instance) && status != BUSY {
            self.failed_once_more("it answers with errors");
        } else if self.failed_in_row.load(Ordering::Relaxed) != 0 {
            self.failed_in_row.store(0, Ordering::Relaxed);
        }
    }

    /// Takes note of a request that got no answer.
    pub(super) fn failed(&self, failure: &Failure) {
        if failure.fault() != Fault::Instance {
            return;
        }
        self.failures.fetch_add(1, Ordering::Relaxed);
        match failure {
            Failure::Connect(reason) if !self.is_only => self.worsen(Standing::Gone, reason),
            failure => self.failed_once_more(&failure.message()),
        }
    }

    /// Takes note of an answer that broke off after its head.
    pub(super) fn broke_off(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.window.blame(Fault::Instance);
        self.failed_once_more("its answers break off");
    }

    fn failed_once_more(&self, reason: &str) {
        let before = self.failed_in_row.fetch_add(1, Ordering::Relaxed);
        if before + 1 >= FAILED_IN_ROW && !self.is_only {
            self.worsen(Standing::Poor, reason);
        }
    }

    /// Asks it for its health.
    pub(super) async fn look(&self, health_path: &str, token: Option<&InstanceToken>) -> Look {
        probe::look(self.upstream.address(), health_path, token, LOOK_TIMEOUT).await
    }

    /// It was started anew, maybe elsewhere. What was counted of it stays.
    pub(super) fn move_to(&self, address: SocketAddr) {
        if self.upstream.move_to(address) {
            self.stand(Standing::Well);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(is_only: bool) -> Replica {
        let links = Links::new(1, Duration::from_secs(1));
        Replica::new("r1.2".to_owned(), ([127, 0, 0, 1], 9).into(), links, is_only)
    }

    #[test]
    fn three_failures_in_a_row_are_its_own() {
        let one = replica(false);
        for status in [500, 500, 200, 500, 400, 502, 500, 503] {
            one.answered(status);
        }
        one.failed(&Failure::Abandoned);
        assert_eq!(one.standing(), Standing::Well);
        one.answered(500);
        one.failed(&Failure::Broken("reset".to_owned()));
        one.failed(&Failure::Timeout(Duration::from_secs(1)));
        assert_eq!(one.standing(), Standing::Poor);
        one.answered(200);
        assert_eq!(one.standing(), Standing::Poor, "only a look brings it back");
        assert!(one.stand(Standing::Well));
        one.answered(500);
        assert_eq!(one.standing(), Standing::Well, "the row begins anew");
        for _ in 0..9 {
            one.answered(503);
        }
        assert_eq!(one.standing(), Standing::Well, "it is busy, and says so");
    }

    #[test]
    fn one_that_takes_no_connection_is_gone_unless_it_is_the_only_one() {
        let refused = Failure::Connect("refused".to_owned());
        let one = replica(false);
        one.failed(&refused);
        assert_eq!((one.standing(), one.is_down()), (Standing::Gone, true));
        // What becomes known later of requests before does not bring it back.
        for _ in 0..3 {
            one.answered(500);
        }
        assert_eq!(one.standing(), Standing::Gone);
        one.move_to(([127, 0, 0, 1], 9).into());
        assert_eq!(one.standing(), Standing::Gone);
        one.move_to(([127, 0, 0, 1], 10).into());
        assert_eq!((one.standing(), one.answers()), (Standing::Well, 3));
        let only = replica(true);
        for _ in 0..9 {
            only.failed(&refused);
            only.answered(500);
        }
        assert_eq!(only.standing(), Standing::Well);
        assert_eq!(only.failures.load(Ordering::Relaxed), 9);
    }
}
