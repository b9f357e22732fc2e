//! Judges a candidate as long as it is one: its health, what users of a canary get from it, and what it says
//! to copies. It does so by itself, for whoever began it may be gone: then it ends with its time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::candidate::Candidate;
use super::route::Route;
use super::shared::Shared;
use super::target::Target;
use crate::probe::Look;

/// Why a candidate is dropped that nobody goes on with: no verdict on it.
pub(crate) const ABANDONED: &str = "its time was over and no deployer went on with it";

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(250);

/// Time between two looks when connections fail.
const DOUBTED_INTERVAL: Duration = Duration::from_millis(20);

/// Bad looks in a row that count: one slow answer under load is no reason to give up.
const BAD_IN_ROW: u32 = 3;

/// Time between two writes of what was seen: what a gateway that is killed may forget.
const KEEP: Duration = Duration::from_secs(5);

/// Runs until the gateway ends.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut watched: Option<Watched> = None;
    loop {
        let changed = shared.routes.changed.notified();
        tokio::pin!(changed);
        // Registered before looking, so that a candidate in between is not slept through.
        changed.as_mut().enable();
        let route = shared.routes.load();
        let (Some(candidate), Some(blue)) = (&route.candidate, &route.current) else {
            watched = None;
            changed.await;
            continue;
        };
        let one = match watched.take().filter(|one| Arc::ptr_eq(&one.candidate, candidate)) {
            Some(one) => watched.insert(one),
            None => watched.insert(Watched::new(candidate)),
        };
        tokio::select! {
            biased;
            () = one.turn(&shared, &route, blue) => {}
            () = &mut changed => {}
        }
    }
}

/// A candidate, and what was seen of it.
struct Watched {
    candidate: Arc<Candidate>,
    bad_in_row: u32,
    /// Its answers to anybody when its looks turned bad.
    answers: u64,
    kept: Instant,
}

impl Watched {
    fn new(candidate: &Arc<Candidate>) -> Self {
        Self { candidate: Arc::clone(candidate), bad_in_row: 0, answers: 0, kept: Instant::now() }
    }

    /// One look, what follows from it, and the time until the next.
    async fn turn(&mut self, shared: &Shared, route: &Route, blue: &Target) {
        let doubted = shared.routes.doubted.notified();
        tokio::pin!(doubted);
        doubted.as_mut().enable();
        let reason = match self.judge(route, blue) {
            Some(reason) => Some(reason),
            None => self.look().await,
        };
        if let Some(reason) = reason {
            drop_candidate(shared, &self.candidate.target, &reason);
            return;
        }
        if !self.candidate.is_shadow() && self.kept.elapsed() >= KEEP {
            self.kept = Instant::now();
            if let Err(error) = shared.routes.keep() {
                tracing::warn!(%error, "what the canary has seen is not on the disk");
            }
        }
        tokio::time::sleep(DOUBTED_INTERVAL).await;
        let _early = tokio::time::timeout(INTERVAL, doubted).await;
    }

    fn judge(&self, route: &Route, blue: &Target) -> Option<String> {
        if self.candidate.is_over() {
            return Some(ABANDONED.to_owned());
        }
        let of_copies = || route.mirror.as_ref().and_then(|mirror| mirror.too_bad());
        self.candidate.too_bad(blue).or_else(of_copies)
    }

    /// Looks at its health; why it should not go on, if that has become clear.
    async fn look(&mut self) -> Option<String> {
        let target = &self.candidate.target;
        let answers = target.answers();
        let look = target.look().await;
        let is_nothing = matches!(look, Look::Nothing(_));
        match look {
            Look::Well => {
                self.bad_in_row = 0;
                None
            }
            Look::Gone(reason) => Some(reason),
            Look::Sick(reason) | Look::Nothing(reason) => {
                if self.bad_in_row == 0 {
                    self.answers = answers;
                }
                self.bad_in_row += 1;
                let is_enough = self.bad_in_row >= BAD_IN_ROW;
                // Its requests need not wait for their time to be over.
                if is_enough && is_nothing && answers == self.answers {
                    target.set_silent(true);
                }
                is_enough.then_some(reason)
            }
        }
    }
}

/// Sends all requests back to the version that users have.
pub(super) fn drop_candidate(shared: &Shared, failed: &Arc<Target>, reason: &str) {
    let dropped = shared.routes.drop_candidate(failed, reason);
    if matches!(dropped, Ok(false)) {
        return;
    }
    shared.metrics.went_back.fetch_add(1, Ordering::Relaxed);
    tracing::warn!(candidate = failed.spec.id, reason, "the candidate is dropped");
    if let Err(error) = dropped {
        tracing::error!(%error, "a restart of the gateway will not know that it was dropped");
    }
}
