//! The route in force, and the few operations that change it. Each change is on disk before it is answered.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::candidate::{Candidate, CandidateState};
use super::mirror::Mirror;
use super::route::{Next, Route, RouteState, WentBack};
use super::target::{InFlight, Target, TargetSpec};
use super::upstream::Links;
use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::release::BakeLimits;
use crate::state::file::{read_json, replace_json};

/// The route with the operations that change it. Requests read it without locks.
#[derive(Debug)]
pub(super) struct RouteTable {
    route: ArcSwap<Route>,
    writer: Mutex<Writer>,
    links: Links,
    /// The route is another now.
    pub(super) changed: Notify,
    /// A connection to an instance failed: its health is looked at sooner.
    pub(super) doubted: Notify,
}

#[derive(Debug)]
struct Writer {
    path: PathBuf,
    went_back: Option<WentBack>,
    bake_limits: Option<BakeLimits>,
    /// Retired targets whose requests may still be running.
    retired: Vec<Arc<Target>>,
}

impl Writer {
    /// Writes a route to disk.
    fn keep(&self, next: &Next) -> Result<()> {
        replace_json(&self.path, &next.state(self.bake_limits))
    }

    /// The route as it is, to be changed.
    fn next(&self, route: &Route) -> Next {
        Next {
            current: route.current.clone(),
            standby: route.standby.clone(),
            candidate: route.candidate.clone(),
            went_back: self.went_back.clone(),
        }
    }
}

impl RouteTable {
    /// Takes up the route that was in force when the gateway last ran.
    pub(super) fn restore(path: PathBuf, links: Links) -> Result<Self> {
        let state: RouteState = read_json(&path)?.unwrap_or_default();
        let make = |spec: TargetSpec| Target::new(spec, &links);
        let limits = state.bake_limits.unwrap_or_default();
        let (current, standby) = (state.current.map(make), state.standby.map(make));
        let candidate = match (state.candidate, &current) {
            (Some(state), Some(blue)) => {
                let target = make(state.target.clone());
                let candidate = Candidate::begin(state, target, blue, None);
                // Users have what they had without it.
                let told = candidate.inspect_err(|error| tracing::warn!(%error, "no candidate"));
                told.ok().map(Arc::new)
            }
            _ => None,
        };
        let next = Next { current, standby, candidate, went_back: state.went_back };
        let route = Route::after(&Route::default(), &next, limits);
        if let Some(standby) = &route.standby {
            standby.close();
        }
        if let Some(current) = &route.current {
            set_late_after(current, state.bake_limits);
        }
        Ok(Self {
            route: ArcSwap::from_pointee(route),
            writer: Mutex::new(Writer {
                path,
                went_back: next.went_back,
                bake_limits: state.bake_limits,
                retired: Vec::new(),
            }),
            links,
            changed: Notify::new(),
            doubted: Notify::new(),
        })
    }

    pub(super) fn load(&self) -> Arc<Route> {
        self.route.load_full()
    }

    /// The target for a new request, counted in.
    pub(super) fn enter(&self) -> Option<InFlight> {
        loop {
            let route = self.route.load();
            let current = route.current.as_ref()?;
            if let Some(guard) = current.enter() {
                return Some(guard);
            }
            // Closed between the two: the new route is stored before the old target is closed.
        }
    }

    /// A candidate that gets a share of the requests, if there is one.
    pub(super) fn canary(&self) -> Option<Arc<Candidate>> {
        let route = self.route.load();
        route.candidate.as_ref().filter(|candidate| !candidate.is_shadow()).cloned()
    }

    /// Who asks a copy of a request that this target answers, if anybody does. Most requests are not copied, so
    /// whether one could be is asked where somebody copies, and nothing is shared by those that are not.
    pub(super) fn mirror_of(
        &self,
        answering: &Arc<Target>,
        is_copyable: impl FnOnce() -> bool,
    ) -> Option<Arc<Mirror>> {
        let route = self.route.load();
        let mirror = route.mirror.as_ref()?;
        (is_copyable() && mirror.wants(answering)).then(|| Arc::clone(mirror))
    }

    /// Whether this one still does.
    pub(super) fn mirrors(&self, mirror: &Arc<Mirror>) -> bool {
        self.route.load().mirror.as_ref().is_some_and(|now| Arc::ptr_eq(now, mirror))
    }

    /// Sends all new requests to `current`; `standby` stays warm. Doing it twice changes nothing: to say where
    /// instances of the current target answer now is no new switch.
    pub(super) fn switch(
        &self,
        current: TargetSpec,
        standby: Option<TargetSpec>,
        bake_limits: Option<BakeLimits>,
    ) -> Result<()> {
        let mut writer = self.writer();
        let before = self.load();
        let current = self.known(current, &before, &writer);
        let standby = standby.map(|spec| self.known(spec, &before, &writer));
        writer.retired.retain(|target| target.in_flight() > 0 && !Arc::ptr_eq(target, &current));
        current.open();
        set_late_after(&current, bake_limits);
        writer.bake_limits = bake_limits;
        let stays = before.current.as_ref().is_some_and(|now| Arc::ptr_eq(now, &current));
        let next = if stays {
            Next { standby, ..writer.next(&before) }
        } else {
            Next { current: Some(current), standby, candidate: None, went_back: None }
        };
        self.store(&mut writer, next)
    }

    /// Gives a new version copies of the requests, or a share of them. `beside` is the version that users
    /// have; `false` when that is another.
    pub(super) fn try_candidate(&self, state: CandidateState, beside: &str) -> Result<bool> {
        let mut writer = self.writer();
        let before = self.load();
        let Some(blue) = before.current.as_ref().filter(|current| current.spec.id == beside) else {
            return Ok(false);
        };
        if state.target.id == beside {
            return Ok(false);
        }
        let target = self.known(state.target.clone(), &before, &writer);
        let candidate =
            Candidate::begin(state, Arc::clone(&target), blue, before.candidate.as_deref())?;
        writer.retired.retain(|other| other.in_flight() > 0 && !Arc::ptr_eq(other, &target));
        target.open();
        let candidate = Some(Arc::new(candidate));
        let next = Next { candidate, went_back: None, ..writer.next(&before) };
        self.store(&mut writer, next)?;
        Ok(true)
    }

    /// The target of this release, with its connections and counts if it is there already. An instance that
    /// was started again answers elsewhere maybe.
    fn known(&self, spec: TargetSpec, before: &Route, writer: &Writer) -> Arc<Target> {
        let mut all = before.targets().chain(&writer.retired);
        match all.find(|target| target.spec.is_same(&spec)) {
            Some(found) => {
                found.move_to(&spec);
                Arc::clone(found)
            }
            None => Target::new(spec, &self.links),
        }
    }

    /// All targets that may have connections.
    pub(super) fn targets(&self) -> Vec<Arc<Target>> {
        let writer = self.writer();
        let route = self.load();
        route.targets().chain(&writer.retired).cloned().collect()
    }

    /// Goes back to the standby because the current target failed. `false` when that is past.
    pub(super) fn go_back(&self, failed: &Arc<Target>, reason: &str) -> Result<bool> {
        let mut writer = self.writer();
        let before = self.load();
        let still_current =
            before.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, failed));
        let Some(standby) = before.standby.clone().filter(|_| still_current) else {
            return Ok(false);
        };
        let went_back = Some(went_back(failed, &standby, reason));
        standby.open();
        let next = Next { current: Some(standby), standby: None, candidate: None, went_back };
        self.store_clients_first(&mut writer, next).map(|()| true)
    }

    /// Gives a candidate up because it failed: all requests go where most of them went. `false` when that
    /// is past.
    pub(super) fn drop_candidate(&self, failed: &Arc<Target>, reason: &str) -> Result<bool> {
        let mut writer = self.writer();
        let before = self.load();
        let is_candidate = before
            .candidate
            .as_ref()
            .is_some_and(|candidate| Arc::ptr_eq(&candidate.target, failed));
        let Some(blue) = before.current.as_ref().filter(|_| is_candidate) else {
            return Ok(false);
        };
        let went_back = Some(went_back(failed, blue, reason));
        let next = Next { candidate: None, went_back, ..writer.next(&before) };
        self.store_clients_first(&mut writer, next).map(|()| true)
    }

    /// Gives up a standby, a candidate, or a target that is neither: no request reaches it from now on.
    /// `None` when the id is unknown; an error text when it is the current target.
    pub(super) fn retire(&self, id: &str) -> Result<Option<Arc<Target>>, RetireRefused> {
        let mut writer = self.writer();
        let before = self.load();
        if before.current.as_ref().is_some_and(|current| current.spec.id == id) {
            return Err(RetireRefused::Current);
        }
        let mut next = writer.next(&before);
        next.standby.take_if(|standby| standby.spec.id == id);
        next.candidate.take_if(|candidate| candidate.target.spec.id == id);
        let found = before.targets().find(|target| target.spec.id == id);
        if let Some(found) = found {
            self.store(&mut writer, next).map_err(RetireRefused::State)?;
            return Ok(Some(Arc::clone(found)));
        }
        Ok(writer.retired.iter().find(|target| target.spec.id == id).cloned())
    }

    /// Writes down what was seen of the candidate, so that a restart does not begin anew.
    pub(super) fn keep(&self) -> Result<()> {
        let writer = self.writer();
        writer.keep(&writer.next(&self.load()))
    }

    /// The route as it is written to disk.
    pub(super) fn state(&self) -> RouteState {
        let writer = self.writer();
        writer.next(&self.load()).state(writer.bake_limits)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // The data behind the lock is whole between any two statements that could panic.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the new route to disk, then puts it in force.
    fn store(&self, writer: &mut Writer, next: Next) -> Result<()> {
        writer.keep(&next)?;
        self.put_in_force(writer, next);
        Ok(())
    }

    /// Puts a route in force whatever becomes of the disk. Where that is full (a new version may well have
    /// filled it), clients are served all the same, and a gateway that starts from the state before finds
    /// out again.
    fn store_clients_first(&self, writer: &mut Writer, next: Next) -> Result<()> {
        let kept = writer.keep(&next);
        self.put_in_force(writer, next);
        kept
    }

    /// Sends new requests along a route, then closes what it left.
    fn put_in_force(&self, writer: &mut Writer, next: Next) {
        let before = self.load();
        let limits = writer.bake_limits.unwrap_or_default();
        let after = Arc::new(Route::after(&before, &next, limits));
        writer.went_back = next.went_back;
        self.route.store(Arc::clone(&after));
        let candidate = after.candidate.as_ref().map(|candidate| &candidate.target);
        for target in before.targets() {
            let mut kept = after.current.iter().chain(candidate);
            if kept.any(|kept| Arc::ptr_eq(kept, target)) {
                continue;
            }
            target.close();
            // Their descriptors are needed for those to the new one.
            target.close_idle();
            if !writer.retired.iter().any(|retired| Arc::ptr_eq(retired, target)) {
                writer.retired.push(Arc::clone(target));
            }
        }
        self.changed.notify_waiters();
    }
}

fn went_back(from: &Target, to: &Target, reason: &str) -> WentBack {
    WentBack {
        from: from.spec.id.clone(),
        to: to.spec.id.clone(),
        reason: reason.to_owned(),
        at_ms: now_ms(),
    }
}

/// From when an answer of the target counts as late.
fn set_late_after(target: &Target, limits: Option<BakeLimits>) {
    target.set_late_after(limits.and_then(|limits| limits.latency));
}

/// Why a target cannot be retired.
#[derive(Debug)]
pub(super) enum RetireRefused {
    /// Traffic goes to it.
    Current,
    /// The new state could not be written.
    State(Error),
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::gateway::candidate::Gets;
    use crate::release::Share;

    fn links() -> Links {
        Links::new(1, Duration::from_secs(1))
    }

    fn table() -> (tempfile::TempDir, RouteTable) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.json");
        (folder, RouteTable::restore(path, links()).unwrap())
    }

    fn spec(id: &str) -> TargetSpec {
        TargetSpec {
            id: id.to_owned(),
            address: ([127, 0, 0, 1], 9).into(),
            replicas: Vec::new(),
            health_path: "/".to_owned(),
            copy_id: String::new(),
            token: None,
        }
    }

    /// All requests go to a candidate, nearly.
    fn canary(id: &str) -> CandidateState {
        CandidateState {
            target: spec(id),
            gets: Gets::Share { share: Share::try_from(9_999).unwrap(), header: None },
            limits: BakeLimits::default(),
            until_ms: now_ms() + 60_000,
            steps: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_closed_target_drains_and_gets_nothing_new() {
        let (_folder, table) = table();
        assert!(table.enter().is_none());
        table.switch(spec("blue"), None, None).unwrap();
        let slow = table.enter().unwrap();
        table.switch(spec("green"), Some(spec("blue")), None).unwrap();
        assert_eq!(table.enter().unwrap().target().spec.id, "green");
        let blue = table.retire("blue").unwrap().unwrap();
        assert_eq!(blue.drained(Duration::from_millis(20)).await, 1);
        assert!(blue.enter().is_none());
        drop(slow);
        assert_eq!(blue.drained(Duration::from_secs(5)).await, 0);
        assert!(matches!(table.retire("green"), Err(RetireRefused::Current)));
        assert!(table.retire("nobody").unwrap().is_none());
    }

    #[tokio::test]
    async fn going_back_happens_once_and_survives_a_restart() {
        let (folder, table) = table();
        table.switch(spec("blue"), None, None).unwrap();
        table.switch(spec("green"), Some(spec("blue")), None).unwrap();
        let green = table.load().current.clone().unwrap();
        assert!(table.go_back(&green, "died").unwrap());
        assert!(!table.go_back(&green, "died").unwrap());
        assert_eq!(table.enter().unwrap().target().spec.id, "blue");
        let again = RouteTable::restore(folder.path().join("gateway.json"), links()).unwrap();
        assert_eq!(again.state(), table.state());
        assert_eq!(again.state().went_back.unwrap().from, "green");
    }

    #[tokio::test]
    async fn going_back_does_not_wait_for_the_disk() {
        let (folder, table) = table();
        table.switch(spec("blue"), None, None).unwrap();
        table.switch(spec("green"), Some(spec("blue")), None).unwrap();
        let green = table.load().current.clone().unwrap();
        // A folder that is gone stands for a disk that is full.
        folder.close().unwrap();
        table.switch(spec("next"), None, None).unwrap_err();
        assert_eq!(table.enter().unwrap().target().spec.id, "green");
        table.go_back(&green, "died").unwrap_err();
        assert_eq!(table.enter().unwrap().target().spec.id, "blue");
        assert_eq!(table.state().went_back.unwrap().from, "green");
    }

    #[test]
    fn no_request_slips_into_a_drained_target() {
        let (_folder, table) = table();
        let table = Arc::new(table);
        table.switch(spec("a"), None, None).unwrap();
        let stop = Arc::new(AtomicUsize::new(0));
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let (table, stop) = (Arc::clone(&table), Arc::clone(&stop));
                std::thread::spawn(move || {
                    while stop.load(Ordering::SeqCst) == 0 {
                        drop(table.enter().unwrap());
                    }
                })
            })
            .collect();
        for round in 0..200 {
            let old = table.load().current.clone().unwrap();
            table.switch(spec(&format!("t{round}")), Some(old.spec.clone()), None).unwrap();
            while old.in_flight() > 0 {
                std::thread::yield_now();
            }
            // Transient counts of refused entries aside, nobody gets in any more.
            assert!(old.enter().is_none());
        }
        stop.store(1, Ordering::SeqCst);
        for worker in workers {
            worker.join().unwrap();
        }
    }

    #[tokio::test]
    async fn a_candidate_is_dropped_once_and_gets_nothing_more() {
        let (folder, table) = table();
        assert!(!table.try_candidate(canary("green"), "blue").unwrap());
        table.switch(spec("blue"), None, None).unwrap();
        assert!(!table.try_candidate(canary("blue"), "blue").unwrap());
        assert!(table.try_candidate(canary("green"), "blue").unwrap());
        let path = folder.path().join("gateway.json");
        let again = RouteTable::restore(path.clone(), links()).unwrap();
        assert_eq!(again.state(), table.state());
        let green = Arc::clone(&table.canary().unwrap().target);
        assert!(green.enter().is_some());
        assert!(table.drop_candidate(&green, "died").unwrap());
        assert!(!table.drop_candidate(&green, "died").unwrap());
        assert!(green.enter().is_none() && table.canary().is_none());
        assert_eq!(table.enter().unwrap().target().spec.id, "blue");
        let went_back = RouteTable::restore(path, links()).unwrap().state().went_back.unwrap();
        assert_eq!((went_back.from.as_str(), went_back.to.as_str()), ("green", "blue"));
        assert_eq!(table.retire("green").unwrap().unwrap().in_flight(), 0);
    }

    #[tokio::test]
    async fn a_candidate_is_switched_to_with_its_connections() {
        let (_folder, table) = table();
        table.switch(spec("blue"), None, None).unwrap();
        table.try_candidate(canary("green"), "blue").unwrap();
        let green = Arc::clone(&table.canary().unwrap().target);
        let slow = green.enter().unwrap();
        table.try_candidate(canary("green"), "blue").unwrap();
        assert!(Arc::ptr_eq(&table.canary().unwrap().target, &green));
        table.switch(spec("green"), Some(spec("blue")), None).unwrap();
        assert!(table.canary().is_none());
        assert!(Arc::ptr_eq(table.load().current.as_ref().unwrap(), &green));
        assert_eq!(green.in_flight(), 1);
        drop(slow);
        let route = table.load();
        assert!(table.mirrors(route.mirror.as_ref().unwrap()));
    }

    #[tokio::test]
    async fn an_instance_that_answers_elsewhere_keeps_what_was_counted() {
        let (folder, table) = table();
        let address = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let three =
            |ports: [u16; 2]| TargetSpec { replicas: ports.map(address).to_vec(), ..spec("green") };
        table.switch(spec("blue"), None, None).unwrap();
        table.switch(three([10, 11]), Some(spec("blue")), None).unwrap();
        let green = table.load().current.clone().unwrap();
        let slow = table.enter().unwrap();
        green.answered(500, Duration::ZERO);
        let trial = table.load().trial.clone().unwrap();
        table.switch(three([10, 12]), Some(spec("blue")), None).unwrap();
        let route = table.load();
        assert!(Arc::ptr_eq(route.current.as_ref().unwrap(), &green));
        assert!(Arc::ptr_eq(route.trial.as_ref().unwrap(), &trial), "it is judged on");
        assert_eq!((green.counted().errors, green.in_flight()), (1, 1));
        assert_eq!(table.state().current.unwrap().replicas, [address(10), address(12)]);
        let again = RouteTable::restore(folder.path().join("gateway.json"), links()).unwrap();
        assert_eq!(again.state(), table.state());
        drop(slow);
        // The current one again while there is a candidate: it stays.
        table.switch(spec("next"), None, None).unwrap();
        table.try_candidate(canary("later"), "next").unwrap();
        table.switch(spec("next"), None, None).unwrap();
        assert_eq!(table.canary().unwrap().target.spec.id, "later");
    }
}
