//! A new version that has not been switched to: it gets copies of the requests (shadow), or a share of them
//! (canary), and is dropped when it is bad, or when nobody goes on with it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::evidence::{Errors, is_worse};
use super::failure::{Failure, Fault};
use super::split::{Lot, Side, Split};
use super::target::{Target, TargetSpec};
use super::trial::Trial;
use crate::clock::now_ms;
use crate::error::Result;
use crate::release::{BakeLimits, Share};

/// What is remembered of clients where they are known, up to three things of each; some megabytes. Beyond
/// them nothing more is counted.
const KNOWN_MAX: usize = 131_072;

/// No candidate is one for longer, whatever its file says.
const TIME_MAX: Duration = Duration::from_hours(366 * 24);

/// What a candidate gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Gets {
    /// Copies of the requests, whose answers nobody gets.
    Copies,
    /// A share of the requests.
    Share {
        /// The share.
        share: Share,
        /// The header by which a client stays on one side; each request on its own if none.
        header: Option<String>,
    },
}

/// What one side of a canary did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideSeen {
    /// Requests that it answered, or should have; clients, where a header tells who they are.
    pub requests: u64,
    /// Those with an answer of 5xx, or none.
    pub errors: u64,
    /// Those with an answer of 4xx.
    pub refused: u64,
}

impl SideSeen {
    /// Share of the requests that went wrong.
    fn bad(&self) -> f64 {
        (self.errors + self.refused) as f64 / self.requests.max(1) as f64
    }
}

/// One step of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSeen {
    /// Share of the requests that green got.
    pub share: Share,
    /// What green did.
    pub green: SideSeen,
    /// What blue did meanwhile.
    pub blue: SideSeen,
}

/// A candidate as the gateway has it on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateState {
    /// The new version.
    pub target: TargetSpec,
    /// What it gets.
    pub gets: Gets,
    /// What is not accepted of it.
    pub limits: BakeLimits,
    /// When it is dropped unless somebody goes on with it, in milliseconds since 1970.
    pub until_ms: u64,
    /// What was seen in this canary, step by step; the last one goes on.
    #[serde(default)]
    pub steps: Vec<StepSeen>,
}

/// A candidate beside the version that users have.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) target: Arc<Target>,
    /// As it began.
    state: CandidateState,
    until: Instant,
    split: Option<Split>,
    green: Counts,
    blue: Counts,
    /// Clients that asked, had an error or a refusal, where clients are known: many of one are one.
    known: Arc<Known>,
    trial: Trial,
}

/// Who asked, and with what fault.
type Known = Mutex<HashSet<(u64, Option<Fault>)>>;

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    errors: AtomicU64,
    refused: AtomicU64,
}

impl Counts {
    fn seen(&self, before: SideSeen) -> SideSeen {
        // Read first, for they are counted last: there are never more errors than requests.
        let (errors, refused) =
            (self.errors.load(Ordering::Acquire), self.refused.load(Ordering::Acquire));
        SideSeen {
            requests: before.requests + self.requests.load(Ordering::Relaxed),
            errors: before.errors + errors,
            refused: before.refused + refused,
        }
    }
}

impl Candidate {
    /// Begins, or goes on with what `before` saw of the same version.
    pub(super) fn begin(
        mut state: CandidateState,
        target: Arc<Target>,
        blue: &Target,
        before: Option<&Self>,
    ) -> Result<Self> {
        let before = before.filter(|before| Arc::ptr_eq(&before.target, &target));
        let split = match &state.gets {
            Gets::Copies => None,
            Gets::Share { share, header } => {
                let split = Split::new(*share, header.as_deref(), &target.spec.id)?;
                match before {
                    Some(before) => state.steps = before.steps(),
                    // Whose errors were counted is not on disk: they begin anew.
                    None if header.is_some() => state.steps.clear(),
                    None => {}
                }
                let goes_on = state.steps.last().is_some_and(|last| last.share == *share);
                if !goes_on {
                    let nothing = SideSeen::default();
                    state.steps.push(StepSeen { share: *share, green: nothing, blue: nothing });
                }
                Some(split)
            }
        };
        target.set_late_after(state.limits.latency);
        Ok(Self {
            until: Instant::now()
                + Duration::from_millis(state.until_ms.saturating_sub(now_ms())).min(TIME_MAX),
            trial: Trial::begin(&target, blue, state.limits),
            known: before.map(|before| Arc::clone(&before.known)).unwrap_or_default(),
            target,
            split,
            green: Counts::default(),
            blue: Counts::default(),
            state,
        })
    }

    /// Where a request goes; `None` where there is nothing to choose.
    pub(super) fn draw(&self, headers: &HeaderMap) -> Option<Lot> {
        self.split.as_ref()?.draw(headers)
    }

    /// What is not accepted of it.
    pub(super) fn limits(&self) -> BakeLimits {
        self.state.limits
    }

    /// Whether it gets copies only.
    pub(super) fn is_shadow(&self) -> bool {
        self.split.is_none()
    }

    /// Counts what a request came to.
    pub(super) fn count(&self, lot: Lot, outcome: Result<u16, &Failure>) {
        let fault = match outcome {
            Ok(status) => Fault::of_status(status),
            // What clients and the gateway do wrong before an answer says nothing about either side.
            Err(failure) if failure.fault() != Fault::Instance => return,
            Err(_) => Some(Fault::Instance),
        };
        let side = if lot.side == Side::Green { &self.green } else { &self.blue };
        let is_new = |what| lot.client.is_none_or(|client| self.is_first(client, what));
        if is_new(None) {
            side.requests.fetch_add(1, Ordering::Relaxed);
        }
        let counter = match fault {
            None => return,
            Some(Fault::Instance) => &side.errors,
            Some(Fault::Client | Fault::Gateway | Fault::Closed) => &side.refused,
        };
        if is_new(fault) {
            counter.fetch_add(1, Ordering::Release);
        }
    }

    fn is_first(&self, client: u64, what: Option<Fault>) -> bool {
        // A set is whole between any two operations.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.len() < KNOWN_MAX && known.insert((client, what))
    }

    /// What was seen so far, this step last.
    pub(super) fn steps(&self) -> Vec<StepSeen> {
        let mut steps = self.state.steps.clone();
        if let Some(last) = steps.last_mut() {
            last.green = self.green.seen(last.green);
            last.blue = self.blue.seen(last.blue);
        }
        steps
    }

    /// What goes to disk.
    pub(super) fn state(&self) -> CandidateState {
        CandidateState { target: self.target.spec_now(), steps: self.steps(), ..self.state.clone() }
    }

    /// Whether nobody went on with it.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// What users get from it that they would not get from the version that they have.
    pub(super) fn too_bad(&self, blue: &Target) -> Option<String> {
        too_many_errors(&self.steps()).or_else(|| self.trial.too_bad(&self.target, blue))
    }
}

fn too_many_errors(steps: &[StepSeen]) -> Option<String> {
    let errors = |count: fn(&SideSeen) -> u64| -> Vec<Errors> {
        let of_step = |step: &StepSeen| Errors {
            share: step.share.as_fraction(),
            green: count(&step.green),
            blue: count(&step.blue),
        };
        steps.iter().map(of_step).collect()
    };
    let last = steps.last()?;
    let shares = (last.green.bad(), last.blue.bad());
    is_worse(&errors(|seen| seen.errors), &errors(|seen| seen.refused), shares).then(|| {
        let told = |seen: &SideSeen| format!("{} of {}", seen.errors + seen.refused, seen.requests);
        format!(
            "{} requests of the canary got an error, {} beside it",
            told(&last.green),
            told(&last.blue)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::upstream::Links;

    fn candidate(steps: Vec<StepSeen>, header: Option<&str>) -> Candidate {
        let spec = |id: &str| TargetSpec {
            id: id.to_owned(),
            address: ([127, 0, 0, 1], 9).into(),
            replicas: Vec::new(),
            health_path: "/".to_owned(),
            copy_id: String::new(),
            token: None,
        };
        let make = |id| Target::new(spec(id), &Links::new(1, Duration::from_secs(1)));
        let state = CandidateState {
            target: spec("green"),
            gets: Gets::Share {
                share: Share::try_from(2500).unwrap(),
                header: header.map(str::to_owned),
            },
            limits: BakeLimits::default(),
            until_ms: now_ms() + 60_000,
            steps,
        };
        Candidate::begin(state, make("green"), &make("blue"), None).unwrap()
    }

    fn lot(side: Side, client: Option<u64>) -> Lot {
        Lot { side, client }
    }

    #[test]
    fn what_was_seen_outlives_a_restart() {
        let first = candidate(Vec::new(), None);
        for request in 0..40_u16 {
            first.count(lot(Side::Green, None), Ok(if request < 4 { 500 } else { 200 }));
            first.count(lot(Side::Blue, None), Ok(if request < 2 { 422 } else { 200 }));
        }
        first.count(lot(Side::Green, None), Err(&Failure::Abandoned));
        let again = candidate(first.state().steps, None);
        again.count(lot(Side::Green, None), Err(&Failure::FellSilent));
        let green = SideSeen { requests: 41, errors: 5, refused: 0 };
        let blue = SideSeen { requests: 40, errors: 0, refused: 2 };
        let share = Share::try_from(2500).unwrap();
        assert_eq!(again.steps(), [StepSeen { share, green, blue }]);
        assert!(!again.is_over());
    }

    #[test]
    fn one_client_is_one_error_however_often_it_asks() {
        let canary = candidate(Vec::new(), Some("x-user-id"));
        for _ in 0..100 {
            canary.count(lot(Side::Green, Some(7)), Ok(400));
            canary.count(lot(Side::Green, Some(7)), Ok(500));
        }
        let steps = canary.steps();
        let expected = SideSeen { requests: 1, errors: 1, refused: 1 };
        assert_eq!(steps.last().unwrap().green, expected);
        assert_eq!(too_many_errors(&steps), None);
    }

    #[test]
    fn a_canary_that_fails_more_often_is_too_bad() {
        let canary = candidate(Vec::new(), None);
        for _ in 0..12 {
            canary.count(lot(Side::Green, None), Ok(400));
            canary.count(lot(Side::Green, None), Ok(200));
            canary.count(lot(Side::Blue, None), Ok(200));
        }
        let told = too_many_errors(&canary.steps()).unwrap();
        assert_eq!(told, "12 of 24 requests of the canary got an error, 0 of 12 beside it");
    }
}
