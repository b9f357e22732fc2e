//! A release as the gateway sees it: its instances, its requests in flight, and what it did with those it
//! got. It is judged as one, over the sum of its instances.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use super::balance::{Balanced, Places};
use super::drain::Gate;
use super::failure::Fault;
use super::record::{Counted, Record};
use super::replica::{Replica, Standing};
use super::upstream::Links;
use crate::instance_token::InstanceToken;
use crate::probe::Look;

/// A release as the gateway sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSpec {
    /// Id of the release, and of its first instance.
    pub id: String,
    /// Where its first instance answers.
    pub address: SocketAddr,
    /// Where its further instances answer, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<SocketAddr>,
    /// Its health check.
    pub health_path: String,
    /// Request id by which it knows what no user asked, and does not log it; none if empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub copy_id: String,
    /// The token that it asks for, if it asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<InstanceToken>,
}

impl TargetSpec {
    /// Whether both are one release, whatever else is known of it. Its instances may have been started
    /// again elsewhere meanwhile.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.id, self.replicas.len()) == (&other.id, other.replicas.len())
    }

    fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        std::iter::once(self.address).chain(self.replicas.iter().copied())
    }
}

/// A target with its connections and counters.
#[derive(Debug)]
pub(super) struct Target {
    /// As it came; [`Self::spec_now`] has the addresses of today.
    pub(super) spec: TargetSpec,
    pub(super) replicas: Balanced,
    /// What says its token.
    authorization: Option<HeaderValue>,
    gate: Gate,
    /// Requests that say something about it, and what they say.
    judged: AtomicU64,
    errors: AtomicU64,
    late: AtomicU64,
    /// From when an answer is late, in microseconds.
    late_after_us: AtomicU64,
    /// What the counters said before, for whoever judges it.
    pub(super) record: Record,
}

impl Target {
    pub(super) fn new(spec: TargetSpec, links: &Links) -> Arc<Self> {
        Arc::new(Self {
            replicas: Balanced::new(&spec.id, spec.address, &spec.replicas, links),
            authorization: spec.token.as_ref().and_then(InstanceToken::header),
            spec,
            gate: Gate::default(),
            judged: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            late: AtomicU64::new(0),
            late_after_us: AtomicU64::new(u64::MAX),
            record: Record::default(),
        })
    }

    /// What it is, with the addresses that its instances have now.
    pub(super) fn spec_now(&self) -> TargetSpec {
        let mut addresses = self.replicas.each().map(|replica| replica.upstream.address());
        let address = addresses.next().unwrap_or(self.spec.address);
        let replicas = addresses.collect();
        TargetSpec { address, replicas, ..self.spec.clone() }
    }

    /// Its instances answer here from now on. What was counted of them stays.
    pub(super) fn move_to(&self, spec: &TargetSpec) {
        for (replica, address) in self.replicas.each().zip(spec.addresses()) {
            replica.move_to(address);
        }
    }

    /// Adds its own token to a request that the gateway vouches for.
    pub(super) fn authorize(&self, headers: &mut HeaderMap) {
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
    }

    /// From when an answer counts as late.
    pub(super) fn set_late_after(&self, limit: Option<Duration>) {
        let micros = limit.and_then(|limit| u64::try_from(limit.as_micros()).ok());
        self.late_after_us.store(micros.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts an answer that began `waited` after the last byte of its request.
    pub(super) fn answered(&self, status: u16, waited: Duration) {
        match Fault::of_status(status) {
            // A flood of these must neither condemn a version nor hide its errors.
            Some(Fault::Client) => return,
            Some(Fault::Instance) => {
                self.errors.fetch_add(1, Ordering::Relaxed);
            }
            Some(Fault::Gateway | Fault::Closed) | None => {}
        }
        if self.is_late(waited) {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
        self.judged.fetch_add(1, Ordering::Release);
    }

    /// Counts a request that got no answer.
    pub(super) fn failed(&self, fault: Fault) {
        if fault == Fault::Instance {
            self.errors.fetch_add(1, Ordering::Relaxed);
            self.judged.fetch_add(1, Ordering::Release);
        }
    }

    /// Counts an answer that broke off after its head was counted.
    pub(super) fn broke_off(&self) {
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

    /// Anything at all that it answered: a sign of life.
    pub(super) fn answers(&self) -> u64 {
        self.replicas.each().map(Replica::answers).sum()
    }

    /// Asks it for its health: it is well if one of its instances is. The one that seems best is asked first,
    /// the others only if it is not well.
    pub(super) async fn look(&self) -> Look {
        let (path, token) = (&self.spec.health_path, self.spec.token.as_ref());
        if let Some(only) = self.replicas.only() {
            return only.look(path, token).await;
        }
        let best = self.replicas.get(self.replicas.choose());
        let look = best.look(path, token).await;
        if look == Look::Well {
            return look;
        }
        let others = self.replicas.each().filter(|other| other.id != best.id);
        let mut looks: FuturesUnordered<_> = others.map(|other| other.look(path, token)).collect();
        while let Some(other) = looks.next().await {
            if other == Look::Well {
                return other;
            }
        }
        look
    }

    /// Whether nothing is to be expected of it now.
    pub(super) fn is_silent(&self) -> bool {
        self.replicas.each().all(Replica::is_down)
    }

    /// Says whether something is to be expected of it; whether that is news. Where there are several instances,
    /// each is looked after by itself.
    pub(super) fn set_silent(&self, silent: bool) -> bool {
        let standing = if silent { Standing::Silent } else { Standing::Well };
        self.replicas.only().is_some_and(|only| only.stand(standing))
    }

    /// Closes the connections that nobody uses.
    pub(super) fn close_idle(&self) {
        for replica in self.replicas.each() {
            replica.upstream.close_idle();
        }
    }

    /// Closes those that were idle for too long.
    pub(super) fn sweep(&self) {
        for replica in self.replicas.each() {
            replica.upstream.sweep();
        }
    }

    /// Counts a request in, unless the target is closed.
    pub(super) fn enter(self: &Arc<Self>) -> Option<InFlight> {
        let is_open = self.gate.enter();
        let guard = InFlight::begin(Arc::clone(self));
        // A closed target counts the guard out again when it is dropped here.
        is_open.then_some(guard)
    }

    /// Counts a request in even so: the standby helps out while it is still warm.
    pub(super) fn enter_standby(self: &Arc<Self>) -> InFlight {
        self.gate.enter();
        InFlight::begin(Arc::clone(self))
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

/// A request in flight, at one of a target's instances; dropped when its answer is complete.
#[derive(Debug)]
pub(super) struct InFlight {
    at: Answering,
    /// Instances that could not take it.
    tried: Places,
}

impl InFlight {
    fn begin(target: Arc<Target>) -> Self {
        let place = target.replicas.choose();
        let at = Answering { target, place };
        at.replica().enter();
        Self { at, tried: Places::default() }
    }

    pub(super) fn target(&self) -> &Arc<Target> {
        &self.at.target
    }

    /// The instance that it is at.
    pub(super) fn replica(&self) -> &Replica {
        self.at.replica()
    }

    pub(super) fn answering(&self) -> &Answering {
        &self.at
    }

    /// Goes over to another instance of the target, one that takes requests and was not tried; whether there
    /// is one.
    pub(super) fn go_over(&mut self) -> bool {
        let tried = self.tried.with(self.at.place);
        let Some(place) = self.target().replicas.choose_but(tried) else { return false };
        self.replica().leave();
        self.tried = tried;
        self.at.place = place;
        self.replica().enter();
        true
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.replica().leave();
        self.target().gate.leave();
    }
}

/// An instance that answers, of its target.
#[derive(Debug, Clone)]
pub(super) struct Answering {
    target: Arc<Target>,
    place: usize,
}

impl Answering {
    pub(super) fn replica(&self) -> &Replica {
        self.target.replicas.get(self.place)
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
            replicas: Vec::new(),
            health_path: "/".to_owned(),
            copy_id: String::new(),
            token: None,
        };
        let target = Target::new(spec, &Links::new(1, Duration::from_secs(1)));
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

    #[test]
    fn a_request_is_counted_at_one_instance_and_at_the_target() {
        let spec = TargetSpec {
            id: "r1".to_owned(),
            address: ([127, 0, 0, 1], 9).into(),
            replicas: vec![([127, 0, 0, 1], 10).into()],
            health_path: "/".to_owned(),
            copy_id: String::new(),
            token: None,
        };
        let target = Target::new(spec.clone(), &Links::new(1, Duration::from_secs(1)));
        let at_each = || target.replicas.each().map(Replica::in_flight).collect::<Vec<_>>();
        let mut first = target.enter().unwrap();
        let second = target.enter().unwrap();
        assert_eq!((at_each(), target.in_flight()), (vec![1, 1], 2));
        drop(second);
        let before = first.replica().id.clone();
        assert!(first.go_over());
        assert_ne!(first.replica().id, before);
        assert!(!first.go_over(), "both were tried");
        assert_eq!((at_each().iter().sum::<usize>(), target.in_flight()), (1, 1));
        drop(first);
        assert_eq!((at_each(), target.in_flight()), (vec![0, 0], 0));
        // One of them was started again elsewhere.
        let moved = TargetSpec { replicas: vec![([127, 0, 0, 1], 11).into()], ..spec.clone() };
        assert!(target.spec.is_same(&moved));
        target.move_to(&moved);
        assert_eq!((target.spec_now(), &target.spec), (moved, &spec));
    }

    #[test]
    fn a_target_of_before_is_read() {
        let text = r#"{"id": "r1", "address": "127.0.0.1:9", "health_path": "/health"}"#;
        let spec: TargetSpec = serde_json::from_str(text).unwrap();
        assert_eq!(spec.replicas, Vec::new());
        assert!(!serde_json::to_string(&spec).unwrap().contains("replicas"));
    }
}
