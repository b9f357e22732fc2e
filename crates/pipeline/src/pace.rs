//! How often may be trained without anybody asking: quota, cool-down, and a back-off of failures.
//!
//! Only what was trained costs: a version was made. A training that fails before costs no quota, but the next
//! waits, twice as long with each failure in a row, so that it does not fail in a hot loop.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::watch_config::Watch;

/// Wait after a training that failed; it doubles with each failure in a row, up to the cool-down, which is the
/// wait after one that did not.
const BACK_OFF: Duration = Duration::from_mins(5);

/// Failures by which the wait has grown as far as it does: after 5 minutes × 2¹² it is two weeks.
const DOUBLINGS_MAX: usize = 12;

/// The window of the quota.
const DAY: Duration = Duration::from_hours(24);

/// What is known of trainings so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// When versions were trained that nobody had asked for.
    pub(crate) unasked: Vec<DateTime<Utc>>,
    /// When a version was trained last, asked for or not.
    pub(crate) last: Option<DateTime<Utc>>,
    /// When a training began of which no end is known.
    pub(crate) open: Option<DateTime<Utc>>,
    /// When trainings failed since one that did not, the newest first.
    pub(crate) failures: Vec<DateTime<Utc>>,
    /// Up to when requests led to something that is settled: they are not looked at again.
    pub(crate) judged_until: Option<DateTime<Utc>>,
}

impl History {
    /// Why nothing may be tried now, neither a training nor a release of what was trained.
    pub(crate) fn waits(&self, config: &Watch, now: DateTime<Utc>) -> Option<String> {
        let within = |time: Option<DateTime<Utc>>, wait: Duration| {
            let ago = time.map(|time| since(time, now)).filter(|ago| *ago < wait)?;
            Some((ago.as_secs(), wait.saturating_sub(ago).as_secs()))
        };
        if let Some((ago, left)) = within(self.open, config.cool_down) {
            return Some(format!(
                "a training began {ago} s ago and no end of it is known; it is waited for {left} s more"
            ));
        }
        if let Some((ago, left)) = within(self.last, config.cool_down) {
            return Some(format!("the last training was {ago} s ago, cool-down ends in {left} s"));
        }
        let count = self.failures.len();
        let wait = back_off(count, config.cool_down);
        let (ago, left) = within(self.failures.first().copied(), wait)?;
        let what = if count == 1 {
            "the last training failed".to_owned()
        } else {
            format!("{count} trainings in a row failed, the last")
        };
        Some(format!("{what} {ago} s ago; the next begins in {left} s or later"))
    }

    /// Why nothing may be trained any more today.
    pub(crate) fn is_spent(&self, config: &Watch, now: DateTime<Utc>) -> Option<String> {
        let today = self.unasked.iter().filter(|time| since(**time, now) < DAY).count();
        (today >= config.max_per_day as usize)
            .then(|| format!("{today} trainings in 24 hours, {} are allowed", config.max_per_day))
    }
}

/// Nothing, where clocks of two machines disagree.
fn since(time: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (now - time).to_std().unwrap_or_default()
}

/// How long after so many failures in a row nothing is tried.
fn back_off(failures: usize, cool_down: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(DOUBLINGS_MAX);
    BACK_OFF.saturating_mul(1 << doublings).min(cool_down)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn ago(minutes: i64) -> DateTime<Utc> {
        now() - TimeDelta::minutes(minutes)
    }

    fn config() -> Watch {
        Watch { cool_down: Duration::from_hours(1), max_per_day: 2, ..Watch::default() }
    }

    #[test]
    fn trainings_are_not_too_often() {
        let held = |minutes: &[i64]| {
            let unasked: Vec<_> = minutes.iter().map(|minutes| ago(*minutes)).collect();
            let last = unasked.iter().max().copied();
            let history = History { unasked, last, ..History::default() };
            history.waits(&config(), now()).or_else(|| history.is_spent(&config(), now()))
        };
        assert_eq!(held(&[]), None);
        assert_eq!(held(&[61]), None);
        let text = held(&[20]).unwrap();
        assert_eq!(text, "the last training was 1200 s ago, cool-down ends in 2400 s");
        assert_eq!(held(&[600, 90]).unwrap(), "2 trainings in 24 hours, 2 are allowed");
        assert_eq!(held(&[2000, 90]), None);
    }

    #[test]
    fn what_somebody_asked_for_is_waited_for_and_costs_no_quota() {
        let history = |minutes| History { last: Some(ago(minutes)), ..History::default() };
        assert!(history(5).waits(&config(), now()).unwrap().contains("cool-down"));
        assert_eq!(history(70).waits(&config(), now()), None);
        assert_eq!(history(5).is_spent(&config(), now()), None);
    }

    #[test]
    fn failures_cost_no_quota_and_are_tried_again_ever_later() {
        let waits = |count: usize, minutes| {
            let history = History { failures: vec![ago(minutes); count], ..History::default() };
            assert_eq!(history.is_spent(&config(), now()), None);
            history.waits(&config(), now())
        };
        assert_eq!(
            waits(1, 4).unwrap(),
            "the last training failed 240 s ago; the next begins in 60 s or later"
        );
        assert_eq!(waits(1, 5), None);
        assert!(waits(3, 19).unwrap().starts_with("3 trainings in a row failed, the last 1140 s"));
        assert_eq!(waits(3, 20), None);
        // Never longer than after a training that went well.
        assert!(waits(1000, 59).is_some());
        assert_eq!(waits(1000, 60), None);
    }

    #[test]
    fn a_training_that_may_still_run_is_waited_for() {
        let waits = |minutes| {
            let history = History { open: Some(ago(minutes)), ..History::default() };
            history.waits(&config(), now())
        };
        assert!(waits(59).unwrap().starts_with("a training began 3540 s ago"));
        assert_eq!(waits(60), None);
    }
}
