//! Where traffic goes: one current target, and a standby that is still warm after a switch. Requests
//! read the route without locks.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::target::{InFlight, Target, TargetSpec};
use super::trial::Trial;
use super::upstream::Links;
use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::release::BakeLimits;
use crate::state::file::{read_json, replace_json};

/// A switch back that the gateway made on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WentBack {
    /// The instance that turned bad.
    pub from: String,
    /// The one that serves again.
    pub to: String,
    /// What was seen.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// What the gateway remembers across its own restarts (`gateway.json`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteState {
    /// Where requests go.
    pub current: Option<TargetSpec>,
    /// Still warm, takes over when `current` fails.
    pub standby: Option<TargetSpec>,
    /// The last switch back, until the next switch.
    pub went_back: Option<WentBack>,
    /// What is not accepted of `current` while the standby is warm.
    #[serde(default)]
    pub bake_limits: Option<BakeLimits>,
}

/// Where requests go now.
#[derive(Debug, Default)]
pub(super) struct Route {
    pub(super) current: Option<Arc<Target>>,
    pub(super) standby: Option<Arc<Target>>,
    /// How the two compare, since requests left the standby.
    pub(super) trial: Option<Arc<Trial>>,
}

impl Route {
    /// A route that comes after another. A trial that is going on goes on.
    fn after(
        before: &Self,
        current: Option<Arc<Target>>,
        standby: Option<Arc<Target>>,
        limits: BakeLimits,
    ) -> Self {
        let is_same = |one: &Option<Arc<Target>>, other: &Option<Arc<Target>>| match (one, other) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        let goes_on = is_same(&before.current, &current) && is_same(&before.standby, &standby);
        let trial = match (&before.trial, &current, &standby) {
            (Some(trial), ..) if goes_on => Some(Arc::clone(trial)),
            (_, Some(current), Some(standby)) => {
                Some(Arc::new(Trial::begin(current, standby, limits)))
            }
            _ => None,
        };
        Self { current, standby, trial }
    }
}

/// The route with the few operations that change it. Each change is on disk before it is answered.
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
    fn keep(
        &self,
        current: Option<&Arc<Target>>,
        standby: Option<&Arc<Target>>,
        went_back: Option<&WentBack>,
    ) -> Result<()> {
        let state = RouteState {
            current: current.map(|target| target.spec.clone()),
            standby: standby.map(|target| target.spec.clone()),
            went_back: went_back.cloned(),
            bake_limits: self.bake_limits,
        };
        replace_json(&self.path, &state)
    }
}

impl RouteTable {
    /// Takes up the route that was in force when the gateway last ran.
    pub(super) fn restore(path: PathBuf, links: Links) -> Result<Self> {
        let state: RouteState = read_json(&path)?.unwrap_or_default();
        let make = |spec: Option<TargetSpec>| spec.map(|spec| Target::new(spec, links.clone()));
        let limits = state.bake_limits.unwrap_or_default();
        let (current, standby) = (make(state.current), make(state.standby));
        let route = Route::after(&Route::default(), current, standby, limits);
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
                went_back: state.went_back,
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

    /// Sends all new requests to `current`; `standby` stays warm. Doing it twice changes nothing.
    pub(super) fn switch(
        &self,
        current: TargetSpec,
        standby: Option<TargetSpec>,
        bake_limits: Option<BakeLimits>,
    ) -> Result<()> {
        let mut writer = self.writer();
        let before = self.load();
        let known = |spec: TargetSpec, writer: &Writer| {
            let all = before.current.iter().chain(&before.standby).chain(&writer.retired);
            let found = all.into_iter().find(|target| target.spec == spec).cloned();
            found.unwrap_or_else(|| Target::new(spec, self.links.clone()))
        };
        let current = known(current, &writer);
        let standby = standby.map(|spec| known(spec, &writer));
        writer.retired.retain(|target| target.in_flight() > 0 && !Arc::ptr_eq(target, &current));
        current.open();
        set_late_after(&current, bake_limits);
        writer.bake_limits = bake_limits;
        self.store(&mut writer, Some(current), standby, None)
    }

    /// All targets that may have connections.
    pub(super) fn targets(&self) -> Vec<Arc<Target>> {
        let writer = self.writer();
        let route = self.load();
        route.current.iter().chain(&route.standby).chain(&writer.retired).cloned().collect()
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
        let went_back = WentBack {
            from: failed.spec.id.clone(),
            to: standby.spec.id.clone(),
            reason: reason.to_owned(),
            at_ms: now_ms(),
        };
        standby.open();
        let kept = writer.keep(Some(&standby), None, Some(&went_back));
        self.put_in_force(&mut writer, Some(standby), None, Some(went_back));
        // Clients first: where the disk is full (a new version may well have filled it), they are served
        // all the same, and a gateway that starts from the state before goes back again.
        kept.map(|()| true)
    }

    /// Gives up a standby (or a target that is neither): no request reaches it from now on.
    /// `None` when the id is unknown; an error text when it is the current target.
    pub(super) fn retire(&self, id: &str) -> Result<Option<Arc<Target>>, RetireRefused> {
        let mut writer = self.writer();
        let before = self.load();
        if before.current.as_ref().is_some_and(|current| current.spec.id == id) {
            return Err(RetireRefused::Current);
        }
        if let Some(standby) = before.standby.clone().filter(|target| target.spec.id == id) {
            let went_back = writer.went_back.take();
            self.store(&mut writer, before.current.clone(), None, went_back)
                .map_err(RetireRefused::State)?;
            return Ok(Some(standby));
        }
        Ok(writer.retired.iter().find(|target| target.spec.id == id).cloned())
    }

    /// The route as it is written to disk.
    pub(super) fn state(&self) -> RouteState {
        let writer = self.writer();
        let route = self.load();
        let spec = |target: &Option<Arc<Target>>| target.as_ref().map(|target| target.spec.clone());
        RouteState {
            current: spec(&route.current),
            standby: spec(&route.standby),
            went_back: writer.went_back.clone(),
            bake_limits: writer.bake_limits,
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // The data behind the lock is whole between any two statements that could panic.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the new route to disk, then puts it in force.
    fn store(
        &self,
        writer: &mut Writer,
        current: Option<Arc<Target>>,
        standby: Option<Arc<Target>>,
        went_back: Option<WentBack>,
    ) -> Result<()> {
        writer.keep(current.as_ref(), standby.as_ref(), went_back.as_ref())?;
        self.put_in_force(writer, current, standby, went_back);
        Ok(())
    }

    /// Sends new requests along a route, then closes what it left.
    fn put_in_force(
        &self,
        writer: &mut Writer,
        current: Option<Arc<Target>>,
        standby: Option<Arc<Target>>,
        went_back: Option<WentBack>,
    ) {
        writer.went_back = went_back;
        let before = self.load();
        let keep = current.clone();
        let limits = writer.bake_limits.unwrap_or_default();
        self.route.store(Arc::new(Route::after(&before, current, standby, limits)));
        for target in before.current.iter().chain(&before.standby) {
            if keep.as_ref().is_some_and(|keep| Arc::ptr_eq(keep, target)) {
                continue;
            }
            target.close();
            // Their descriptors are needed for those to the new one.
            target.upstream.close_idle();
            if !writer.retired.iter().any(|retired| Arc::ptr_eq(retired, target)) {
                writer.retired.push(Arc::clone(target));
            }
        }
        self.changed.notify_waiters();
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
            health_path: "/".to_owned(),
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
}
