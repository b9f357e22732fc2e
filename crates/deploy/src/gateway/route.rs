//! Where traffic goes: one current target, a candidate that may come after it, and a standby that is still
//! warm after a switch. Requests read the route without locks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::candidate::{Candidate, CandidateState};
use super::mirror::Mirror;
use super::target::{Target, TargetSpec};
use super::trial::Trial;
use crate::release::BakeLimits;

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
    /// Gets copies of the requests or a share of them, and is not switched to yet.
    #[serde(default)]
    pub candidate: Option<CandidateState>,
}

/// Where requests go now.
#[derive(Debug, Default)]
pub(super) struct Route {
    pub(super) current: Option<Arc<Target>>,
    pub(super) standby: Option<Arc<Target>>,
    /// How the two compare, since requests left the standby.
    pub(super) trial: Option<Arc<Trial>>,
    /// What may come after the current target.
    pub(super) candidate: Option<Arc<Candidate>>,
    /// Asks copies of requests, where there are two versions to compare.
    pub(super) mirror: Option<Arc<Mirror>>,
}

impl Route {
    /// A route that comes after another. A trial that is going on goes on.
    pub(super) fn after(before: &Self, next: &Next, limits: BakeLimits) -> Self {
        let Next { current, standby, candidate, .. } = next.clone();
        let goes_on = is_same(before.current.as_ref(), current.as_ref())
            && is_same(before.standby.as_ref(), standby.as_ref());
        let is_same_candidate = is_same(before.candidate.as_ref(), candidate.as_ref());
        let trial = match (&before.trial, &current, &standby) {
            (Some(trial), ..) if goes_on => Some(Arc::clone(trial)),
            (_, Some(current), Some(standby)) => {
                Some(Arc::new(Trial::begin(current, standby, limits)))
            }
            _ => None,
        };
        let mirror = match (&before.mirror, &current, &candidate, &standby) {
            (Some(mirror), ..) if goes_on && is_same_candidate => Some(Arc::clone(mirror)),
            (_, Some(blue), Some(candidate), _) => {
                let (green, limits) = (&candidate.target, candidate.limits());
                Some(Arc::new(if candidate.is_shadow() {
                    Mirror::shadow(blue, green, limits)
                } else {
                    Mirror::beside_canary(green, blue, limits)
                }))
            }
            (_, Some(green), None, Some(blue)) => {
                Some(Arc::new(Mirror::of_bake(green, blue, limits)))
            }
            _ => None,
        };
        Self { current, standby, trial, candidate, mirror }
    }

    /// All of its targets.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        let candidate = self.candidate.iter().map(|candidate| &candidate.target);
        self.current.iter().chain(&self.standby).chain(candidate)
    }
}

fn is_same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// A route to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Next {
    pub(super) current: Option<Arc<Target>>,
    pub(super) standby: Option<Arc<Target>>,
    pub(super) candidate: Option<Arc<Candidate>>,
    pub(super) went_back: Option<WentBack>,
}

impl Next {
    /// As it goes on the disk.
    pub(super) fn state(&self, bake_limits: Option<BakeLimits>) -> RouteState {
        let spec = |target: &Option<Arc<Target>>| target.as_ref().map(|target| target.spec_now());
        RouteState {
            current: spec(&self.current),
            standby: spec(&self.standby),
            went_back: self.went_back.clone(),
            bake_limits,
            candidate: self.candidate.as_ref().map(|candidate| candidate.state()),
        }
    }
}
