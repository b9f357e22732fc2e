//! Looks after the current target while a standby is warm, and goes back to it when that is better.
//!
//! Better is: it answers its health check, and clients get fewer errors and shorter waits from it.
//! Without a standby there is nothing to go back to and nothing to look after.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use super::route::{Counted, Target};
use crate::probe::{self, Answer};
use crate::spec::{BakeLimits, Probe};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(250);

/// Bad looks in a row that count: one slow answer under load is no reason to go back.
const BAD_IN_ROW: u32 = 3;

/// An answer to a health check takes no longer than this.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Share of answers that may be late: the limit is about 95 of a hundred.
const SLOW_SHARE: f64 = 0.05;

/// Runs until the gateway ends.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut watched: Option<Arc<Target>> = None;
    let mut before = Before::default();
    let mut bad = 0;
    loop {
        let route = shared.routes.load();
        let (Some(current), Some(standby)) = (&route.current, &route.standby) else {
            watched = None;
            let changed = shared.routes.changed.notified();
            // Looked again after registering, so that a switch in between is not slept through.
            if shared.routes.load().standby.is_none() {
                changed.await;
            }
            continue;
        };
        if !watched.as_ref().is_some_and(|target| Arc::ptr_eq(target, current)) {
            watched = Some(Arc::clone(current));
            before = Before { current: current.counted(), standby: standby.counted() };
            bad = 0;
        }
        if let Some(reason) = too_bad(current.counted(), before, &shared.routes.bake_limits())
            && look(standby).await.is_ok()
        {
            go_back(&shared, current, &reason);
            continue;
        }
        match look(current).await {
            Ok(()) => bad = 0,
            Err((fatal, reason)) => {
                bad = if fatal { BAD_IN_ROW } else { bad + 1 };
                if bad >= BAD_IN_ROW && look(standby).await.is_ok() {
                    go_back(&shared, current, &reason);
                    continue;
                }
            }
        }
        // A failed connection of a request wakes this early.
        let _early = tokio::time::timeout(INTERVAL, shared.routes.changed.notified()).await;
    }
}

/// Whether a target answers its health check; the flag says that nobody listens there at all.
pub(super) async fn look(target: &Target) -> Result<(), (bool, String)> {
    let probe = Probe::get(&target.spec.health_path);
    match probe::ask(target.spec.address, &probe, TIMEOUT).await {
        Answer::Status { status, .. } if (200..300).contains(&status) => Ok(()),
        answer @ (Answer::Refused | Answer::Unreachable) => Err((true, answer.to_string())),
        answer => Err((false, answer.to_string())),
    }
}

pub(super) fn go_back(shared: &Shared, failed: &Arc<Target>, reason: &str) {
    match shared.routes.go_back(failed, reason) {
        Ok(true) => {
            shared.metrics.went_back.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(from = failed.spec.id, reason, "went back to the standby");
        }
        Ok(false) => {}
        Err(error) => {
            shared.metrics.went_back.fetch_add(1, Ordering::Relaxed);
            tracing::error!(from = failed.spec.id, reason, %error,
                "went back to the standby, which a restart of the gateway will not know");
        }
    }
}

/// What was counted when the watch began.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    current: Counted,
    standby: Counted,
}

/// What clients get from the current target that they would not get from the standby.
fn too_bad(now: Counted, before: Before, limits: &BakeLimits) -> Option<String> {
    let requests = now.requests.saturating_sub(before.current.requests);
    if requests < limits.min_requests.max(1) {
        return None;
    }
    let errors = now.errors.saturating_sub(before.current.errors);
    // What the standby failed at as well is not the new version's doing.
    let usual = before.standby.errors as f64 / before.standby.requests.max(1) as f64;
    let share = errors as f64 / requests as f64;
    if share > usual + f64::from(limits.errors_percent) / 100.0 {
        return Some(format!(
            "{errors} of {requests} requests got an error ({:.1} % before)",
            usual * 100.0
        ));
    }
    let slow = now.slow.saturating_sub(before.current.slow);
    match limits.latency {
        Some(limit) if slow as f64 > SLOW_SHARE * requests as f64 => {
            Some(format!("{slow} of {requests} answers took longer than {} ms", limit.as_millis()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_waits_count_from_enough_requests_on() {
        let limits = BakeLimits { latency: Some(Duration::from_millis(50)), ..Default::default() };
        let now = |requests, errors, slow| Counted { requests, errors, slow };
        let judged = |now| too_bad(now, Before::default(), &limits);
        assert_eq!(judged(now(19, 19, 0)), None);
        assert_eq!(judged(now(100, 10, 5)), None);
        assert_eq!(
            judged(now(100, 11, 0)).unwrap(),
            "11 of 100 requests got an error (0.0 % before)"
        );
        assert_eq!(judged(now(100, 0, 6)).unwrap(), "6 of 100 answers took longer than 50 ms");
        // The standby failed as often: going back would change nothing.
        let before = Before { current: now(0, 0, 0), standby: now(1000, 300, 0) };
        assert_eq!(too_bad(now(100, 35, 0), before, &limits), None);
        assert!(too_bad(now(100, 45, 0), before, &limits).is_some());
    }
}
