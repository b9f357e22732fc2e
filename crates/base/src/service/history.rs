//! What went through over time: by the minute for a day, by the hour for a month.

use super::ring::{Form, Ring, Row};
use super::traffic::Traffic;

/// Milliseconds of a minute.
pub const MINUTE_MS: i64 = 60_000;

/// A day of minutes, a tag an hour.
const MINUTES: Form = Form { tag: "trainyard.service.minutes.", rows: 60, slots: 24 };
/// A month of hours, a tag a day.
const HOURS: Form = Form { tag: "trainyard.service.hours.", rows: 24, slots: 31 };

/// What went through over time.
#[derive(Debug, Clone)]
pub struct History {
    minutes: Ring,
    hours: Ring,
}

impl Default for History {
    fn default() -> Self {
        Self { minutes: Ring::new(MINUTES), hours: Ring::new(HOURS) }
    }
}

impl History {
    /// What tags say of it, whichever else there are.
    pub fn read<'a>(tags: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        Self { minutes: Ring::read(MINUTES, tags.clone()), hours: Ring::read(HOURS, tags) }
    }

    /// Notes what went through in the minute before a moment, in milliseconds since 1970.
    pub fn note(&mut self, at_ms: i64, traffic: Traffic) {
        let minute = at_ms.div_euclid(MINUTE_MS);
        self.minutes.put(minute, Row { minutes: 1, traffic });
        let hour = minute.div_euclid(60);
        self.hours.put(hour, self.sum(hour));
    }

    /// All that is known of an hour's minutes.
    fn sum(&self, hour: i64) -> Row {
        let first = hour.saturating_mul(60);
        let of_hour = || self.minutes.within(first, first.saturating_add(60)).map(|(_, row)| row);
        let traffic = Traffic::sum(of_hour().map(|row| &row.traffic));
        // Tags are people's: they may say anything.
        let minutes = of_hour().map(|row| row.minutes).fold(0, u64::saturating_add);
        Row { minutes, traffic }
    }

    /// Takes what another knows and this one does not.
    pub fn merge(&mut self, other: &Self) {
        self.minutes.merge(&other.minutes);
        self.hours.merge(&other.hours);
        // A slot of minutes is an hour: what was summed of a part of them is summed again.
        let hours: Vec<i64> = self.minutes.untold_slots().collect();
        for hour in hours {
            self.hours.amend(hour, self.sum(hour));
        }
    }

    /// The minutes that begin within a stretch of time: each with its beginning, in milliseconds since 1970, in order.
    pub fn minutes(&self, from_ms: i64, to_ms: i64) -> impl Iterator<Item = (i64, &Row)> {
        within(&self.minutes, MINUTE_MS, from_ms, to_ms)
    }

    /// The same of hours.
    pub fn hours(&self, from_ms: i64, to_ms: i64) -> impl Iterator<Item = (i64, &Row)> {
        within(&self.hours, 60 * MINUTE_MS, from_ms, to_ms)
    }

    /// Tags that a store does not have as they are, with their values: 55 at most, below 7,500 characters each.
    pub fn untold(&self) -> Vec<(String, String)> {
        self.minutes.untold().chain(self.hours.untold()).collect()
    }

    /// The store has them.
    pub fn told(&mut self) {
        self.minutes.told();
        self.hours.told();
    }

    /// The store has nothing of it any more.
    pub fn lost(&mut self) {
        self.minutes.lost();
        self.hours.lost();
    }
}

fn within(ring: &Ring, length: i64, from_ms: i64, to_ms: i64) -> impl Iterator<Item = (i64, &Row)> {
    let up = |ms: i64| ms.div_euclid(length) + i64::from(ms.rem_euclid(length) > 0);
    let rows = ring.within(up(from_ms), up(to_ms));
    rows.map(move |(number, row)| (number.saturating_mul(length), row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(requests: u64) -> Traffic {
        Traffic { requests, by_class: [requests, 0, 0, 0], ..Traffic::default() }
    }

    #[test]
    fn minutes_are_summed_to_hours_and_read_back() {
        let start = 20_000 * 24 * 60 * MINUTE_MS;
        let mut history = History::default();
        for minute in 0..90 {
            // The second of each is a better look at the same minute.
            for requests in [1, 10] {
                history.note(start + minute * MINUTE_MS + 5, traffic(requests));
            }
        }
        let hours = |history: &History| -> Vec<(i64, u64, u64)> {
            let all = history.hours(start, i64::MAX);
            all.map(|(at, row)| ((at - start) / MINUTE_MS, row.minutes, row.traffic.requests))
                .collect()
        };
        assert_eq!(hours(&history), [(0, 60, 600), (60, 30, 300)]);
        let tags = history.untold();
        assert_eq!(tags.len(), 3, "two hours of a day");
        let read = || tags.iter().map(|(key, text)| (key.as_str(), text.as_str()));
        let mut again = History::read(read());
        assert_eq!(hours(&again), hours(&history));
        assert_eq!(again.minutes(start + 1, start + 3 * MINUTE_MS).count(), 2);
        assert!(again.untold().is_empty());
        again.lost();
        assert_eq!(again.untold(), tags);
        // After a new start what was before is known again.
        let mut fresh = History::default();
        fresh.note(start + 90 * MINUTE_MS, traffic(7));
        fresh.merge(&History::read(read()));
        assert_eq!(hours(&fresh), [(0, 60, 600), (60, 31, 307)]);
        fresh.note(start + 91 * MINUTE_MS, traffic(7));
        assert_eq!(hours(&fresh), [(0, 60, 600), (60, 32, 314)]);
        history.told();
        assert!(history.untold().is_empty());
    }

    #[test]
    fn numbers_of_people_are_added_whatever_they_are() {
        let most = u64::MAX;
        let row =
            |minute: i64| format!("[{minute},{most},{most},[{most},0,0,0],{most},{most},{most}]");
        let text = format!("{{\"slot\":0,\"rows\":[{},{}]}}", row(0), row(1));
        let mut history =
            History::read([("trainyard.service.minutes.00", text.as_str())].into_iter());
        history.note(2 * MINUTE_MS, traffic(1));
        let hours: Vec<u64> = history.hours(0, i64::MAX).map(|(_, row)| row.minutes).collect();
        assert_eq!(hours, [most]);
    }

    #[test]
    fn months_of_minutes_are_a_handful_of_tags() {
        let mut history = History::default();
        let mut tags = std::collections::BTreeMap::new();
        for minute in 0..(40 * 24 * 60) {
            history.note(minute * MINUTE_MS, traffic(1));
            // Seldom enough for a quick test, often enough to miss no slot.
            if minute % 50 == 0 {
                tags.extend(history.untold());
                history.told();
            }
        }
        assert_eq!(tags.len(), 24 + 31);
        let bytes: usize = tags.values().map(String::len).sum();
        assert!(bytes < 100_000, "{bytes} bytes");
    }
}
