//! Looks after the current target while a standby is warm, and goes back to it when that is better.
//!
//! Without a standby there is nothing to go back to and nothing to look after.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use super::route::Target;
use crate::probe::{self, Answer};
use crate::spec::Probe;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(250);

/// Bad looks in a row that count: one slow answer under load is no reason to go back.
const BAD_IN_ROW: u32 = 3;

/// An answer to a health check takes no longer than this.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Runs until the gateway ends.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut watched: Option<Arc<Target>> = None;
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
            bad = 0;
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
async fn look(target: &Target) -> Result<(), (bool, String)> {
    let probe = Probe::get(&target.spec.health_path);
    match probe::ask(target.spec.address, &probe, TIMEOUT).await {
        Answer::Status { status, .. } if (200..300).contains(&status) => Ok(()),
        Answer::Refused => Err((true, "connection refused".to_owned())),
        answer => Err((false, answer.to_string())),
    }
}

fn go_back(shared: &Shared, failed: &Arc<Target>, reason: &str) {
    match shared.routes.go_back(failed, reason) {
        Ok(true) => {
            shared.metrics.went_back.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(from = failed.spec.id, reason, "went back to the standby");
        }
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "cannot go back to the standby"),
    }
}
