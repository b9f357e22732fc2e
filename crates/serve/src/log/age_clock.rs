//! Which time it is, as far as files are removed for their age.
//!
//! A clock that jumps ahead makes every file old at once, and no reading of it tells a jump from a long rest. So only
//! time that servers saw pass makes a log older: each look counts what went by since the one before, unless that is
//! more than a pause between two of them can be. What a jump, or a host that was off, adds is counted when the log was
//! looked at for as long as it is kept since: by then all that was there before is due by the time that was seen. Each
//! such gap waits for itself, so that a host that is off every weekend is behind by some of them and not by all.
//!
//! What was seen is kept in a hidden file of the log, so that a new start, and other servers of the folder, go on from it.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use trainyard_base::file::{self, Access};

/// The file of a log.
const FILE: &str = ".predictions.clock";

/// The longest time between two looks that counts, if the log is kept for long: a night, and a day for an upgrade. …
const PAUSE_MAX: Duration = Duration::from_hours(24);
/// … Otherwise such a part of how long it is kept, which is what a jump can take at most, …
const PAUSES_OF_AGE: u32 = 10;
/// … but more than a pause between two looks of one process: else what is kept for minutes would never be old.
const PAUSE_MIN: Duration = Duration::from_mins(5);

/// The file is written after such a part of the pause that counts.
const SAVES_OF_PAUSE: u64 = 4;

/// Gaps that wait; of more the newest are one. A host that is off each night has so many in two months.
const GAPS_MAX: usize = 64;

/// What was seen of the clock, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// The time that files are as old as.
    believed: u64,
    /// What the clock said last.
    said: u64,
    /// Time that nobody saw, the oldest first.
    #[serde(default)]
    gaps: Vec<Gap>,
}

/// Time that nobody saw pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Gap {
    /// How long it was, in milliseconds.
    long: u64,
    /// Milliseconds that are to be seen to pass until it counts.
    left: u64,
}

/// The time that a log goes by.
#[derive(Debug, Default)]
pub(super) struct AgeClock {
    seen: Option<Seen>,
    saved: Option<Seen>,
}

impl AgeClock {
    /// The time by which a log is judged that is kept for `age`: what the clock says if it can be believed, and less
    /// otherwise. `newest` is when the log was written to last. For whoever has the right to remove.
    pub(super) fn time(
        &mut self,
        dir: &Path,
        age: Duration,
        newest: Option<SystemTime>,
        now: SystemTime,
    ) -> SystemTime {
        let path = dir.join(FILE);
        let known = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        // Another server wrote it; else this process knows more than what it wrote last.
        if known.is_some() && known != self.saved {
            (self.seen, self.saved) = (known.clone(), known);
        }
        let now = millis(now);
        let first = || Seen::first(newest.map_or(now, millis).min(now));
        let before = self.seen.take().unwrap_or_else(first);
        let pause = millis_of((age / PAUSES_OF_AGE).clamp(PAUSE_MIN, PAUSE_MAX));
        let seen = before.after(now, pause, millis_of(age));
        let believed = seen.believed;
        let is_due = self.saved.as_ref().is_none_or(|saved| {
            seen.gaps.len() != saved.gaps.len()
                || seen.said.abs_diff(saved.said) >= pause / SAVES_OF_PAUSE
        });
        if is_due {
            match serde_json::to_vec(&seen)
                .map_err(Into::into)
                .and_then(|text| file::replace(&path, &text, Access::Private))
            {
                Ok(()) => self.saved = Some(seen.clone()),
                // This process knows it all the same.
                Err(error) => tracing::debug!(%error, "what was seen of the clock is not kept"),
            }
        }
        self.seen = Some(seen);
        UNIX_EPOCH + Duration::from_millis(believed.min(now))
    }
}

impl Seen {
    fn first(now: u64) -> Self {
        Self { believed: now, said: now, gaps: Vec::new() }
    }

    /// What is known after the clock said this.
    fn after(mut self, now: u64, pause: u64, age: u64) -> Self {
        // A clock that was not set yet, after a start: it will be.
        if now < self.believed {
            return self;
        }
        // An earlier version wrote how far it is behind, and not since when.
        if self.gaps.is_empty() && self.said > self.believed {
            self.gaps.push(Gap { long: self.said - self.believed, left: age });
        }
        let is_full = self.gaps.len() == GAPS_MAX;
        let passed = match now.checked_sub(self.said) {
            Some(passed) => passed,
            // It was set right by a little.
            None if self.said - now <= pause => 0,
            // It was far ahead, and is no more.
            None => {
                self.gaps.clear();
                now - self.believed
            }
        };
        self.said = now;
        if passed <= pause {
            self.believed = self.believed.saturating_add(passed);
            for gap in &mut self.gaps {
                gap.left = gap.left.saturating_sub(passed);
            }
        } else {
            let hours = passed / millis_of(Duration::from_hours(1));
            tracing::warn!(
                hours,
                "the clock is far ahead of when the prediction log was looked at last: only time that is seen to pass \
                 makes it older"
            );
            match self.gaps.last_mut().filter(|_| is_full) {
                Some(last) => *last = Gap { long: last.long.saturating_add(passed), left: age },
                None => self.gaps.push(Gap { long: passed, left: age }),
            }
        }
        let counts = self.gaps.iter().filter(|gap| gap.left == 0).map(|gap| gap.long);
        self.believed = counts.fold(self.believed, u64::saturating_add).min(now);
        self.gaps.retain(|gap| gap.left > 0);
        self
    }
}

fn millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, millis_of)
}

fn millis_of(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const DAY: u64 = 24 * 60 * MINUTE;
    const AGE: u64 = 30 * DAY;

    /// Looks once a minute, from one time to another.
    fn watched(mut seen: Seen, from: u64, to: u64) -> Seen {
        for now in (from..=to).step_by(usize::try_from(MINUTE).unwrap()) {
            seen = seen.after(now, DAY, AGE);
        }
        seen
    }

    #[test]
    fn a_jump_makes_nothing_older_and_a_clock_that_goes_back_is_forgiven() {
        let seen = watched(Seen::first(1000 * DAY), 1000 * DAY, 1001 * DAY);
        assert_eq!(seen.believed, 1001 * DAY);
        // A night is no jump.
        let seen = seen.after(1001 * DAY + DAY / 2, DAY, AGE);
        assert_eq!(seen.believed, 1001 * DAY + DAY / 2);
        let wrong = watched(seen, 9000 * DAY, 9002 * DAY);
        assert_eq!(wrong.believed, 1003 * DAY + DAY / 2, "two days were seen");
        let right = watched(wrong, 1003 * DAY + DAY / 2, 1004 * DAY);
        assert_eq!(right.believed, 1004 * DAY);
        // Before the clock is set it is 1970, and then not a jump.
        let unset = watched(right.clone(), 0, DAY);
        assert_eq!(unset, right);
        assert_eq!(unset.after(1004 * DAY + MINUTE, DAY, AGE).believed, 1004 * DAY + MINUTE);
    }

    #[test]
    fn what_was_off_for_long_is_on_time_again_after_as_long_as_the_log_is_kept() {
        let on = Seen::first(1000 * DAY).after(1200 * DAY, DAY, AGE);
        let later = watched(on, 1200 * DAY, 1229 * DAY);
        assert_eq!(later.believed, 1029 * DAY);
        assert_eq!(watched(later, 1229 * DAY, 1230 * DAY).believed, 1230 * DAY);
    }

    #[test]
    fn a_host_that_is_off_every_weekend_falls_behind_no_further() {
        let mut seen = Seen::first(1000 * DAY);
        for week in 0..52 {
            let monday = (1000 + 7 * week) * DAY;
            seen = watched(seen, monday, monday + 5 * DAY);
            let behind = seen.said - seen.believed;
            // Six weeks have 30 days that were seen.
            assert!(behind <= 2 * 7 * DAY, "{} days in week {week}", behind / DAY);
            assert!(seen.gaps.len() <= 7);
        }
        // Gaps without end are few to remember, and none is forgotten.
        let mut seen = Seen::first(1000 * DAY);
        for time in 1..=100 {
            seen = seen.after((1000 + 2 * time) * DAY, DAY, AGE);
        }
        assert_eq!(seen.gaps.len(), GAPS_MAX);
        assert_eq!(seen.gaps.iter().map(|gap| gap.long).sum::<u64>(), 200 * DAY);
        assert_eq!(watched(seen, 1200 * DAY, 1230 * DAY).believed, 1230 * DAY);
    }

    #[test]
    fn what_is_kept_for_minutes_grows_old_between_looks() {
        let folder = tempfile::tempdir().unwrap();
        let at = |minutes: u64| UNIX_EPOCH + Duration::from_millis(1000 * DAY + minutes * MINUTE);
        let age = Duration::from_millis(2 * MINUTE);
        let mut clock = AgeClock::default();
        for minutes in 0..5 {
            assert_eq!(clock.time(folder.path(), age, Some(at(0)), at(minutes)), at(minutes));
        }
    }

    #[test]
    fn what_was_seen_outlives_its_process() {
        let folder = tempfile::tempdir().unwrap();
        let at = |days: u64| UNIX_EPOCH + Duration::from_millis(days * DAY);
        let age = Duration::from_millis(AGE);
        let time = |days| AgeClock::default().time(folder.path(), age, Some(at(999)), at(days));
        assert_eq!(time(1000), at(1000), "the log was written to a day ago");
        for _start in 0..3 {
            assert_eq!(time(5000), at(1000));
        }
        assert_eq!(time(1001), at(1001));
        // Where nothing is known the log itself tells.
        let other = tempfile::tempdir().unwrap();
        let told = AgeClock::default().time(other.path(), age, Some(at(900)), at(1000));
        assert_eq!(told, at(900));
    }
}
