//! While a database cannot be reached: who tries again when, and what is said of it.
//!
//! Connecting to a machine that is gone takes seconds, and everybody who needs a connection would try it. So
//! after a failure nobody tries for a pause that grows, and then one tries for all; the others are told at once what
//! was found. That it began and that it is over is said once each, and that it goes on once a minute.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// First pause after a failure. It doubles …
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// … up to this one: a database that is back is noticed within it.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Time between two lines that say the same.
const SAID_AGAIN: Duration = Duration::from_mins(1);

/// What is known of the last attempts to connect.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<Option<State>>);

#[derive(Debug)]
struct State {
    since: Instant,
    said: Instant,
    pause: Duration,
    /// Nobody tries before.
    next: Instant,
    reason: String,
}

impl Outage {
    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // The state is whole between any two operations, so a panic elsewhere is no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether to try now. The one who may is to report what came of it; others do not try beside it, unless
    /// it takes longer than `attempt`.
    pub(super) fn may_try(&self, attempt: Duration) -> Result<()> {
        let mut state = self.lock();
        let Some(state) = state.as_mut() else { return Ok(()) };
        let now = Instant::now();
        if now < state.next {
            return Err(Error::Unreachable { reason: state.reason.clone() });
        }
        state.next = now + attempt;
        Ok(())
    }

    /// An attempt failed.
    pub(super) fn failed(&self, error: &Error) {
        let now = Instant::now();
        let mut state = self.lock();
        let reason = match error {
            Error::Unreachable { reason } => reason.clone(),
            error => error.to_string(),
        };
        match state.as_mut() {
            None => {
                tracing::warn!(
                    reason,
                    "the tracking database cannot be reached: what needs it is answered with 503 until it is back"
                );
                let next = now + PAUSE_MIN;
                *state = Some(State { since: now, said: now, pause: PAUSE_MIN, next, reason });
            }
            Some(state) => {
                state.pause = (state.pause * 2).min(PAUSE_MAX);
                state.next = now + state.pause;
                if now.duration_since(state.said) >= SAID_AGAIN {
                    state.said = now;
                    let seconds = now.duration_since(state.since).as_secs();
                    tracing::warn!(
                        reason,
                        seconds,
                        "the tracking database still cannot be reached"
                    );
                }
                state.reason = reason;
            }
        }
    }

    /// An attempt succeeded.
    pub(super) fn over(&self) {
        if let Some(state) = self.lock().take() {
            let seconds = state.since.elapsed().as_secs_f64();
            tracing::warn!(seconds, "the tracking database is reached again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tries_for_all_after_a_pause() {
        let outage = Outage::default();
        let long = Duration::from_mins(10);
        outage.may_try(long).unwrap();
        outage.may_try(long).unwrap();
        outage.failed(&Error::Unreachable { reason: "refused".to_owned() });
        // After the pause exactly one may, however long it takes.
        while outage.may_try(long).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let others = outage.may_try(long).unwrap_err();
        assert!(others.to_string().contains("refused"), "{others}");
        outage.over();
        outage.may_try(long).unwrap();
        outage.may_try(long).unwrap();
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        let outage = Outage::default();
        for _attempt in 0..100 {
            outage.failed(&Error::Unreachable { reason: "refused".to_owned() });
        }
        assert_eq!(outage.lock().as_ref().unwrap().pause, PAUSE_MAX);
    }
}
