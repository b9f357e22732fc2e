//! Sign-ins that were refused, counted: one by one a flood of them would fill the log.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is counted within this time is one event.
const PERIOD: Duration = Duration::from_mins(1);
/// Addresses of one event: a flood has thousands, and those that were first say enough.
const ADDRESSES_MAX: usize = 10;

#[derive(Debug, Default)]
struct Counted {
    all: u64,
    by_address: BTreeMap<IpAddr, u64>,
    told: Option<Instant>,
}

/// Refused sign-ins that are yet to be written down. Names are not kept: people type passwords in their place.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Counted>);

impl Refusals {
    /// One more.
    pub(crate) fn count(&self, address: IpAddr) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.all += 1;
        let has_place = counted.by_address.len() < ADDRESSES_MAX;
        if has_place || counted.by_address.contains_key(&address) {
            *counted.by_address.entry(address).or_default() += 1;
        }
    }

    /// So many that could not be written down: they come with the next.
    pub(crate) fn put_back(&self, count: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).all += count;
    }

    /// What is to be written down now, if anything is, and of how many: the first soon, then once in a while.
    pub(crate) fn due(&self) -> Option<(u64, String)> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = counted.told.is_some_and(|told| told.elapsed() < PERIOD);
        if counted.all == 0 || is_early {
            return None;
        }
        let Counted { all, by_address, .. } = std::mem::replace(
            &mut *counted,
            Counted { told: Some(Instant::now()), ..Counted::default() },
        );
        let named: u64 = by_address.values().sum();
        let mut addresses: Vec<String> =
            by_address.iter().map(|(address, count)| format!("{address} ({count})")).collect();
        if named < all {
            addresses.push(format!("others ({})", all - named));
        }
        Some((all, format!("{all}, from {}", addresses.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_event_that_says_from_where() {
        let refusals = Refusals::default();
        assert_eq!(refusals.due(), None);
        for last in 1..=12 {
            refusals.count(IpAddr::from([10, 0, 0, last]));
        }
        refusals.count(IpAddr::from([10, 0, 0, 1]));
        let (count, told) = refusals.due().unwrap();
        assert_eq!(count, 13);
        assert!(told.starts_with("13, from 10.0.0.1 (2), 10.0.0.2 (1), "), "{told}");
        assert!(told.ends_with(", 10.0.0.10 (1), others (2)"), "{told}");
        refusals.count(IpAddr::from([10, 0, 0, 1]));
        assert_eq!(refusals.due(), None, "the next one has time");
    }

    #[test]
    fn what_could_not_be_written_down_is_not_lost() {
        let refusals = Refusals::default();
        refusals.put_back(2);
        refusals.count(IpAddr::from([10, 0, 0, 1]));
        assert_eq!(refusals.due(), Some((3, "3, from 10.0.0.1 (1), others (2)".to_owned())));
    }
}
