//! Leaky buckets: counts of wrong answers that shrink with time, in bounded memory: what an address may guess at
//! a door, whichever server it is.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Keys that are remembered.
const KEYS_MAX: usize = 10_000;
/// Those that are left when there were too many, so that room is not made for each single one.
const KEYS_LEFT: usize = 9_000;

/// How many wrong answers there are.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// At first.
    pub max: u32,
    /// Time in which one of them comes back; a second or more.
    pub period: Duration,
}

/// Wrong answers of one key.
#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    /// When the last of them came back.
    since: Instant,
    /// When the last of them was given.
    last: Instant,
}

impl Wrong {
    /// What is left of them by now.
    fn at(self, now: Instant, period: Duration) -> Self {
        let elapsed = now.saturating_duration_since(self.since);
        let back = elapsed.as_secs() / period.as_secs().max(1);
        let back = u32::try_from(back).unwrap_or(u32::MAX);
        if back >= self.count {
            return Self { count: 0, since: now, ..self };
        }
        Self { count: self.count - back, since: self.since + period * back, ..self }
    }
}

/// Wrong answers by what gave them.
#[derive(Debug)]
pub struct Buckets<K> {
    rule: Rule,
    wrong: HashMap<K, Wrong>,
}

impl<K: Hash + Eq> Buckets<K> {
    /// Nobody was wrong yet.
    pub fn new(rule: Rule) -> Self {
        Self { rule, wrong: HashMap::new() }
    }

    /// Whether there is one more; `Err` is how long to wait for it.
    pub fn check(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let Some(wrong) = self.wrong.get(key).map(|wrong| wrong.at(now, self.rule.period)) else {
            return Ok(());
        };
        if wrong.count < self.rule.max {
            return Ok(());
        }
        Err(self.rule.period.saturating_sub(now.saturating_duration_since(wrong.since)))
    }

    /// Counts one more.
    pub fn add(&mut self, key: K, now: Instant) {
        if self.wrong.len() >= KEYS_MAX && !self.wrong.contains_key(&key) {
            self.make_room(now);
        }
        let wrong = self.wrong.entry(key).or_insert(Wrong { count: 0, since: now, last: now });
        *wrong = wrong.at(now, self.rule.period);
        wrong.count += 1;
        wrong.last = now;
    }

    /// It was not wrong after all.
    pub fn give_back(&mut self, key: &K) {
        if let Some(wrong) = self.wrong.get_mut(key) {
            wrong.count = wrong.count.saturating_sub(1);
        }
    }

    /// Forgets those that have all theirs again, and then those that were wrong longest ago: never all of
    /// them, or a guesser with many addresses could begin anew with each.
    fn make_room(&mut self, now: Instant) {
        let period = self.rule.period;
        self.wrong.retain(|_, wrong| wrong.at(now, period).count > 0);
        let mut surplus = self.wrong.len().saturating_sub(KEYS_LEFT);
        if surplus == 0 {
            return;
        }
        let mut times: Vec<Instant> = self.wrong.values().map(|wrong| wrong.last).collect();
        let (_, newest, _) = times.select_nth_unstable(surplus - 1);
        let newest = *newest;
        // Of several at the same instant only as many as must be.
        self.wrong.retain(|_, wrong| {
            let is_kept = surplus == 0 || wrong.last > newest;
            surplus -= usize::from(!is_kept);
            is_kept
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { max: 2, period: Duration::from_secs(10) };

    #[test]
    fn they_come_back_with_time() {
        let start = Instant::now();
        let wrong = Wrong { count: 5, since: start, last: start };
        let at = |seconds| wrong.at(start + Duration::from_secs(seconds), RULE.period).count;
        assert_eq!((at(0), at(23), at(500)), (5, 3, 0));
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let start = Instant::now();
        let mut counts = Buckets::new(RULE);
        let guesser = u32::MAX;
        for key in 0..30_000_u32 {
            // All within a period: none of them comes back.
            let now = start + Duration::from_micros(u64::from(key));
            counts.add(key, now);
            if key.is_multiple_of(5_000) {
                counts.add(guesser, now);
            }
            assert!(counts.wrong.len() <= KEYS_MAX);
        }
        let now = start + Duration::from_millis(30);
        counts.check(&guesser, now).unwrap_err();
        assert!(counts.wrong.contains_key(&29_999) && !counts.wrong.contains_key(&0));
        assert!(counts.wrong.len() >= KEYS_LEFT);
        counts.give_back(&guesser);
        counts.give_back(&7);
    }

    #[test]
    fn those_of_one_instant_are_not_forgotten_together() {
        let now = Instant::now();
        let mut counts = Buckets::new(RULE);
        for key in 0..20_000_u32 {
            counts.add(key, now);
        }
        assert!(counts.wrong.len() >= KEYS_LEFT);
    }
}
