//! Judges the current target: goes back to a warm standby when that is better, and says when the
//! target answers nobody.
//!
//! Better is: it answers its health check, clients get fewer errors and shorter waits from it, and it answers
//! what the target refuses.
//! Without a standby there is nothing to go back to, but a target that is silent (a stopped process, a
//! container on a host that is gone) must not hold its clients' requests until their time is up.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::route::Route;
use super::shared::Shared;
use super::target::Target;
use crate::probe::Look;

/// Time between two looks while a standby is warm.
const INTERVAL: Duration = Duration::from_millis(250);

/// Time between two looks at a target that serves for good.
const CALM_INTERVAL: Duration = Duration::from_secs(1);

/// Time between two looks when connections fail.
const DOUBTED_INTERVAL: Duration = Duration::from_millis(20);

/// Bad looks in a row that count: one slow answer under load is no reason to go back.
const BAD_IN_ROW: u32 = 3;

/// Runs until the gateway ends.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut watched: Option<Watched> = None;
    loop {
        let changed = shared.routes.changed.notified();
        tokio::pin!(changed);
        // Registered before looking, so that a switch in between is not slept through.
        changed.as_mut().enable();
        let route = shared.routes.load();
        let Some(current) = &route.current else {
            watched = None;
            changed.await;
            continue;
        };
        let one = match watched.take().filter(|one| Arc::ptr_eq(&one.target, current)) {
            Some(one) => watched.insert(one),
            None => watched.insert(Watched::new(current)),
        };
        tokio::select! {
            biased;
            () = one.turn(&shared, &route) => {}
            () = &mut changed => {}
        }
    }
}

/// The current target, and what was seen of it.
struct Watched {
    target: Arc<Target>,
    bad_in_row: u32,
    nothing_in_row: u32,
    /// Its answers to anybody when nothing came back first.
    answers: u64,
}

impl Watched {
    fn new(target: &Arc<Target>) -> Self {
        Self { target: Arc::clone(target), bad_in_row: 0, nothing_in_row: 0, answers: 0 }
    }

    /// One look, what follows from it, and the time until the next.
    async fn turn(&mut self, shared: &Shared, route: &Route) {
        let doubted = shared.routes.doubted.notified();
        tokio::pin!(doubted);
        doubted.as_mut().enable();
        if let Some(standby) = &route.standby {
            let reason = match self.judge(route, standby) {
                Some(reason) => Some(reason),
                None => self.look().await,
            };
            // From bad to worse would be no help.
            if let Some(reason) = reason
                && standby.look().await == Look::Well
            {
                go_back(shared, &self.target, &reason);
            }
        } else {
            self.target.record.note(Instant::now(), self.target.counted());
            self.look().await;
        }
        tokio::time::sleep(DOUBTED_INTERVAL).await;
        let interval = if route.standby.is_some() { INTERVAL } else { CALM_INTERVAL };
        let _early = tokio::time::timeout(interval, doubted).await;
    }

    fn judge(&self, route: &Route, standby: &Target) -> Option<String> {
        let of_requests =
            route.trial.as_ref().and_then(|trial| trial.too_bad(&self.target, standby));
        of_requests.or_else(|| route.mirror.as_ref().and_then(|mirror| mirror.too_bad()))
    }

    /// Looks at the target; why it should not serve, if that has become clear.
    async fn look(&mut self) -> Option<String> {
        let look = self.target.look().await;
        self.listen(&look);
        match look {
            Look::Well => {
                self.bad_in_row = 0;
                None
            }
            Look::Gone(reason) => Some(reason),
            Look::Sick(reason) | Look::Nothing(reason) => {
                self.bad_in_row += 1;
                (self.bad_in_row >= BAD_IN_ROW).then_some(reason)
            }
        }
    }

    /// Notes whether the target answers anybody. One that is gone refuses connections at once and may come
    /// back at any time, so requests go on finding that out themselves.
    fn listen(&mut self, look: &Look) {
        let answers = self.target.answers();
        let Look::Nothing(reason) = look else {
            self.nothing_in_row = 0;
            if self.target.set_silent(false) {
                tracing::warn!(instance = self.target.spec.id, "it answers again");
            }
            return;
        };
        // Busy, but with requests: those are answered.
        if self.nothing_in_row == 0 || answers != self.answers {
            self.nothing_in_row = 0;
            self.answers = answers;
        }
        self.nothing_in_row += 1;
        if self.nothing_in_row >= BAD_IN_ROW && self.target.set_silent(true) {
            tracing::warn!(instance = self.target.spec.id, reason, "it answers nobody");
        }
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
