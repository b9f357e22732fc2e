//! Attempts to get a certificate, as they are remembered: written down before each one is made, so that a gateway
//! which is killed and started again and again asks an authority no more often than one that runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::files::Files;
use super::settings::AcmeSettings;
use crate::error::Result;
use crate::gateway::random;
use crate::state::file::{read_json, replace_json};

/// Time after the first attempt that came to nothing; twice as long after each further one.
const WAIT_MIN: Duration = Duration::from_mins(1);

/// The longest time between two attempts.
const WAIT_MAX: Duration = Duration::from_hours(6);

/// An authority that was asked too often counts as so many failures: it is let alone for an hour at least.
const RATE_LIMIT_FAILURES: u32 = 7;

/// What was attempted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Attempts {
    /// At what: other settings are another matter, which may be tried at once.
    goal: String,
    /// Those that came to nothing since the last certificate, the one under way among them.
    pub(super) failures: u32,
    /// When the last one began, or failed, in milliseconds since 1970.
    pub(super) last_ms: Option<u64>,
    /// When one failed for the last time, in milliseconds since 1970.
    pub(super) last_failure_ms: Option<u64>,
    /// Why, unless there has been a certificate since.
    pub(super) last_error: Option<String>,
}

impl Attempts {
    /// Those that were made with these settings. Where that cannot be read, one was made just now: that is the
    /// safe side, and the next one is made all the same.
    pub(super) fn read(files: &Files, settings: &AcmeSettings, now_ms: u64) -> Self {
        let goal = goal(settings);
        match read_json::<Self>(&files.attempts()) {
            Ok(Some(kept)) if kept.goal == goal => kept,
            Ok(_) => Self { goal, ..Self::default() },
            Err(error) => {
                tracing::warn!(%error, "attempts to get a certificate are not known any more");
                let mut unknown = Self { goal, ..Self::default() };
                unknown.begin(now_ms);
                unknown
            }
        }
    }

    pub(super) fn write(&self, files: &Files) -> Result<()> {
        replace_json(&files.attempts(), self)
    }

    /// One is about to be made.
    pub(super) fn begin(&mut self, now_ms: u64) {
        self.failures = self.failures.saturating_add(1);
        self.last_ms = Some(now_ms);
    }

    /// It came to nothing.
    pub(super) fn failed(&mut self, now_ms: u64, failure: &Failure) {
        if failure.is_rate_limit() {
            self.failures = self.failures.max(RATE_LIMIT_FAILURES);
        }
        self.last_ms = Some(now_ms);
        self.last_failure_ms = Some(now_ms);
        self.last_error = Some(failure.reason());
    }

    /// There is a certificate.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.last_error = None;
    }

    /// How long the next one has to wait. A clock that was put back makes nobody wait until it is there again.
    pub(super) fn wait(&self, now_ms: u64) -> Duration {
        let Some(passed) = self.last_ms.and_then(|last| now_ms.checked_sub(last)) else {
            return Duration::ZERO;
        };
        self.pause().saturating_sub(Duration::from_millis(passed))
    }

    /// Time between the last attempt and the next, which no two gateways have the same.
    fn pause(&self) -> Duration {
        let Some(doublings) = self.failures.checked_sub(1) else { return Duration::ZERO };
        let pause = WAIT_MIN.saturating_mul(1 << doublings.min(20)).min(WAIT_MAX);
        let random = random::mixed(self.last_ms.unwrap_or_default()) % 1024;
        pause + pause.mul_f64(random as f64 / 10_240.0)
    }
}

/// What an order is for.
fn goal(settings: &AcmeSettings) -> String {
    let AcmeSettings { directory, challenge, http_listen, .. } = settings;
    format!("{} {} {http_listen} {directory}", settings.names().join(","), challenge.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::folder::Folder;

    #[test]
    fn failures_make_the_next_attempt_wait_longer() {
        let mut attempts = Attempts::default();
        assert_eq!(attempts.wait(1_000), Duration::ZERO);
        let mut now = 1_000_000;
        let mut waits = Vec::new();
        for _ in 0..12 {
            attempts.begin(now);
            // Killed here, it would have to wait as well.
            assert!(attempts.wait(now) >= WAIT_MIN);
            attempts.failed(now, &Failure::GivenUp);
            let wait = attempts.wait(now);
            assert!(attempts.wait(now + 10_000) < wait, "time passes");
            waits.push(wait);
            now += 100_000_000;
        }
        for (wait, least) in waits.iter().zip([1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]) {
            let least = Duration::from_mins(least);
            assert!(*wait >= least && *wait < least.mul_f64(1.11), "{waits:?}");
        }
        assert_eq!(attempts.wait(now - 1_000_000_000), Duration::ZERO, "the clock was put back");
        attempts.succeeded();
        assert_eq!((attempts.wait(now), attempts.last_error), (Duration::ZERO, None));
    }

    #[test]
    fn attempts_outlive_the_gateway() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::of(&Folder::at(folder.path()).unwrap()).unwrap();
        let mut settings =
            AcmeSettings { domains: vec!["a.example".to_owned()], ..AcmeSettings::default() };
        let mut attempts = Attempts::read(&files, &settings, 7_000);
        assert_eq!(attempts.wait(7_000), Duration::ZERO);
        attempts.begin(7_000);
        attempts.write(&files).unwrap();
        assert_eq!(Attempts::read(&files, &settings, 7_000), attempts);
        settings.domains.push("b.example".to_owned());
        let other = Attempts::read(&files, &settings, 7_000);
        assert_eq!(other.wait(7_000), Duration::ZERO, "another matter");
        std::fs::write(files.attempts(), "{").unwrap();
        let unknown = Attempts::read(&files, &settings, 7_000);
        assert!(unknown.wait(7_000) >= WAIT_MIN, "nobody knows");
    }

    #[test]
    fn an_authority_that_was_asked_too_often_is_let_alone() {
        let problem = r#"{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}"#;
        let problem: instant_acme::Problem = serde_json::from_str(problem).unwrap();
        let failure = Failure::Authority(problem.into());
        let mut attempts = Attempts::default();
        attempts.begin(5_000);
        attempts.failed(5_000, &failure);
        assert!(attempts.wait(5_000) >= Duration::from_hours(1));
        assert!(attempts.last_error.unwrap().contains("too many"));
    }
}
