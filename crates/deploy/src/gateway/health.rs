//! Looks after the instances of a release that has several: one that answers nobody, refuses connections or says
//! that it is ill gets no requests while others are well, and gets them again when a look finds it well.
//!
//! Looks at one that is out come the later the oftener it went out lately: health checks may be answered by what
//! fails at everything else. An only instance is the judge's, which looks at the release as a whole.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::replica::{Replica, Standing};
use super::shared::Shared;
use super::target::{Target, TargetSpec};
use crate::probe::Look;

/// Time between two looks at an instance that is well.
const INTERVAL: Duration = Duration::from_secs(1);

/// Time until the first look at one that went out, and what it grows to.
const AWAY_MIN: Duration = Duration::from_millis(100);
const AWAY_MAX: Duration = Duration::from_secs(2);

/// It does not grow so far where no instance of the release is well: requests wait for the first one.
const AWAY_MAX_OF_ALL: Duration = Duration::from_millis(250);

/// One that was well for so long is as good as any other.
const STEADY: Duration = Duration::from_secs(10);

/// Looks in a row without an answer to anybody after which nothing is expected any more, not even answers to what
/// it was given before.
const NOTHING_IN_ROW: u32 = 3;

/// Runs until the gateway ends.
pub(super) async fn watch(shared: Arc<Shared>) {
    loop {
        let changed = shared.routes.changed.notified();
        tokio::pin!(changed);
        // Registered before looking, so that a switch in between is not slept through.
        changed.as_mut().enable();
        let route = shared.routes.load();
        let mut rounds = Vec::new();
        for target in route.targets().filter(|target| target.replicas.only().is_none()) {
            rounds.extend(
                target.replicas.each().map(move |replica| Round::new(target, replica).go_on()),
            );
        }
        if rounds.is_empty() {
            changed.await;
            continue;
        }
        tokio::select! {
            biased;
            () = &mut changed => {}
            _never = join_all(rounds) => {}
        }
    }
}

/// One instance, and what was seen of it.
struct Round<'a> {
    target: &'a Target,
    replica: &'a Replica,
    nothing_in_row: u32,
    /// Its answers to anybody when nothing came back first.
    answers: u64,
}

impl<'a> Round<'a> {
    fn new(target: &'a Target, replica: &'a Replica) -> Self {
        Self { target, replica, nothing_in_row: 0, answers: 0 }
    }

    /// Looks again and again, as long as the release has requests.
    async fn go_on(mut self) {
        let mut away = AWAY_MIN;
        loop {
            let since = Instant::now();
            self.stay().await;
            if since.elapsed() >= STEADY {
                away = AWAY_MIN;
            }
            while self.replica.standing() != Standing::Well {
                let mut all = self.target.replicas.each();
                let is_any_well = all.any(|other| other.standing() == Standing::Well);
                let max = if is_any_well { AWAY_MAX } else { AWAY_MAX_OF_ALL };
                tokio::time::sleep(away.min(max)).await;
                away = (away * 2).min(AWAY_MAX);
                self.try_again().await;
            }
        }
    }

    /// Looks at it as long as it is well.
    async fn stay(&mut self) {
        while self.replica.standing() == Standing::Well {
            // Requests find out sooner.
            let _left = tokio::time::timeout(INTERVAL, self.replica.left.notified()).await;
            if self.replica.standing() != Standing::Well {
                return;
            }
            let (standing, reason) = self.look().await;
            self.replica.worsen(standing, &reason);
        }
    }

    /// Looks whether it is well again.
    async fn try_again(&mut self) {
        let (standing, _reason) = self.look().await;
        if self.replica.stand(standing) && standing == Standing::Well {
            tracing::warn!(instance = self.replica.id, "it gets requests again");
        }
    }

    /// How it stands, and what it said if that is not well.
    async fn look(&mut self) -> (Standing, String) {
        let TargetSpec { health_path, token, .. } = &self.target.spec;
        let said = match self.replica.look(health_path, token.as_ref()).await {
            Look::Well => (Standing::Well, String::new()),
            Look::Sick(reason) => (Standing::Poor, reason),
            Look::Gone(reason) => (Standing::Gone, reason),
            Look::Nothing(reason) => return (self.after_nothing(), reason),
        };
        self.nothing_in_row = 0;
        said
    }

    /// How it stands after a look without an answer.
    fn after_nothing(&mut self) -> Standing {
        let answers = self.replica.answers();
        // Busy, but with requests: those are answered.
        if self.nothing_in_row == 0 || answers != self.answers {
            self.nothing_in_row = 0;
            self.answers = answers;
        }
        self.nothing_in_row += 1;
        let is_silent = self.nothing_in_row >= NOTHING_IN_ROW;
        let standing = if is_silent { Standing::Silent } else { Standing::Poor };
        // Nothing is no sign that it is better than it was.
        standing.max(self.replica.standing())
    }
}
