//! How often somebody may ask: `100/s`, `10/m`, `1000/h`, as users write it, and who keeps to it.
//!
//! A meter is a leaky bucket of one number (the generic cell rate algorithm, ITU-T I.371): the time at which the
//! bucket would be empty. A period's worth may come at once; after that each request waits for its share of time.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Beyond it the share of a request is less than the clock tells apart.
const COUNT_MAX: u32 = 1_000_000;

/// So many in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    per: Per,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Per {
    Second,
    Minute,
    Hour,
}

impl Per {
    const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    fn unit(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
        }
    }

    fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }
}

/// A text is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no rate; write 100/s, 10/m or 1000/h, at most {max}", max = COUNT_MAX)]
pub struct NoRate(String);

impl FromStr for Rate {
    type Err = NoRate;

    fn from_str(text: &str) -> Result<Self, NoRate> {
        let wrong = || NoRate(text.to_owned());
        let (count, unit) = text.trim().split_once('/').ok_or_else(wrong)?;
        let per = Per::ALL.into_iter().find(|per| per.unit() == unit).ok_or_else(wrong)?;
        let count = count.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count));
        Ok(Self { count: count.ok_or_else(wrong)?, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per.unit())
    }
}

impl Rate {
    /// Nanoseconds in which all of them may come.
    fn period(self) -> u64 {
        self.per.seconds() * 1_000_000_000
    }

    /// Nanoseconds of each.
    fn share(self) -> u64 {
        self.period() / u64::from(self.count)
    }
}

/// Counts requests against a rate, without a lock.
#[derive(Debug)]
pub struct Meter {
    rate: Rate,
    start: Instant,
    /// When the bucket will be empty, in nanoseconds since the start.
    empty_at: AtomicU64,
}

impl Meter {
    /// Nothing has come yet.
    pub fn new(rate: Rate) -> Self {
        Self { rate, start: Instant::now(), empty_at: AtomicU64::new(0) }
    }

    /// What it holds requests to.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes one request in; `Err` is how long to wait until there is room for it.
    pub fn take(&self, now: Instant) -> Result<(), Duration> {
        let now = now.saturating_duration_since(self.start).as_nanos();
        let now = u64::try_from(now).unwrap_or(u64::MAX / 2);
        let full = now + self.rate.period();
        let with_it = |empty_at: u64| empty_at.max(now) + self.rate.share();
        let taken = self.empty_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |empty_at| {
            Some(with_it(empty_at)).filter(|next| *next <= full)
        });
        match taken {
            Ok(_before) => Ok(()),
            Err(empty_at) => Err(Duration::from_nanos(with_it(empty_at).saturating_sub(full))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_written_in_one_way() {
        for text in ["100/s", "1/m", "1000000/h"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in ["", "100", "0/s", "-1/s", "1/d", "1.5/s", "1000001/s", "/s", "100/ s"] {
            let error = text.parse::<Rate>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{text:?} is no rate")), "{error}");
        }
    }

    #[test]
    fn a_period_may_come_at_once_and_then_each_in_its_time() {
        let meter = Meter::new("10/s".parse().unwrap());
        let at = |ms| meter.start + Duration::from_millis(ms);
        for _request in 0..10 {
            meter.take(at(0)).unwrap();
        }
        assert_eq!(meter.take(at(0)), Err(Duration::from_millis(100)));
        assert_eq!(meter.take(at(60)), Err(Duration::from_millis(40)));
        meter.take(at(100)).unwrap();
        meter.take(at(100)).unwrap_err();
        // After a pause there is a period's worth again, and no more.
        for _request in 0..10 {
            meter.take(at(60_000)).unwrap();
        }
        meter.take(at(60_000)).unwrap_err();
    }
}
