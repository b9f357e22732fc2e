//! How often an address may present what is wrong.
//!
//! Each wrong password costs the server a hash, and the guesser a try. So an address has a few wrong
//! answers, and gets them back with time; beyond them it is told to wait and nothing is computed. Who is
//! known already is not asked.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong answers that an address has at first: people mistype, and tools start in parallel.
const WRONG_MAX: u32 = 20;
/// Time in which one of them comes back: 8,640 guesses a day.
const WRONG_PERIOD: Duration = Duration::from_secs(10);
/// Addresses that are remembered. When there are more, those that have all theirs are forgotten first.
const ADDRESSES_MAX: usize = 10_000;

/// What is known of addresses that presented something wrong.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<IpAddr, Wrong>>);

/// Wrong answers of one address.
#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    /// When the last of them came back.
    since: Instant,
}

impl Wrong {
    /// What is left of them by now.
    fn at(self, now: Instant) -> Self {
        let elapsed = now.saturating_duration_since(self.since);
        let back = elapsed.as_secs() / WRONG_PERIOD.as_secs();
        let back = u32::try_from(back).unwrap_or(u32::MAX);
        if back >= self.count {
            return Self { count: 0, since: now };
        }
        Self { count: self.count - back, since: self.since + WRONG_PERIOD * back }
    }
}

impl Attempts {
    /// Takes one try before it is known whether it is right: requests that come at once must not all
    /// pass because none of them is answered yet. `Err` is how long to wait.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Try, Duration> {
        let now = Instant::now();
        let address = subscriber(address);
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() >= ADDRESSES_MAX && !addresses.contains_key(&address) {
            addresses.retain(|_, wrong| wrong.at(now).count > 0);
            if addresses.len() >= ADDRESSES_MAX {
                addresses.clear();
            }
        }
        let wrong = addresses.entry(address).or_insert(Wrong { count: 0, since: now });
        *wrong = wrong.at(now);
        if wrong.count >= WRONG_MAX {
            let elapsed = now.saturating_duration_since(wrong.since);
            return Err(WRONG_PERIOD.saturating_sub(elapsed));
        }
        wrong.count += 1;
        Ok(Try { attempts: Arc::clone(self), address, is_wrong: false })
    }

    fn give_back(&self, address: IpAddr) {
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wrong) = addresses.get_mut(&address) {
            wrong.count = wrong.count.saturating_sub(1);
        }
    }
}

/// One try of an address. It is given back when this is dropped, unless it was wrong: also when the
/// client went away before anything was computed.
#[derive(Debug)]
#[must_use]
pub(super) struct Try {
    attempts: Arc<Attempts>,
    address: IpAddr,
    is_wrong: bool,
}

impl Try {
    /// It was wrong, so it stays taken.
    pub(super) fn was_wrong(mut self) {
        self.is_wrong = true;
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        if !self.is_wrong {
            self.attempts.give_back(self.address);
        }
    }
}

/// What one subscriber has: an address of IPv4, a /64 of IPv6.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_few_wrong_answers() {
        let attempts = Arc::new(Attempts::default());
        let guesser: IpAddr = "10.0.0.1".parse().unwrap();
        for _try in 0..WRONG_MAX {
            attempts.take(guesser).unwrap().was_wrong();
            drop(attempts.take("10.0.0.2".parse().unwrap()).unwrap());
        }
        let wait = attempts.take(guesser).unwrap_err();
        assert!(wait <= WRONG_PERIOD);
        drop(attempts.take("10.0.0.2".parse().unwrap()).unwrap());
    }

    #[test]
    fn one_subscriber_is_one_address() {
        let attempts = Arc::new(Attempts::default());
        for host in 0..u128::from(WRONG_MAX) {
            let address = Ipv6Addr::from_bits((0x2001_0db8 << 96) | host);
            attempts.take(address.into()).unwrap().was_wrong();
        }
        attempts.take("2001:db8::ffff".parse().unwrap()).unwrap_err();
        drop(attempts.take("2001:db8:0:1::".parse().unwrap()).unwrap());
    }

    #[test]
    fn they_come_back_with_time() {
        let start = Instant::now();
        let wrong = Wrong { count: 5, since: start };
        assert_eq!(wrong.at(start + WRONG_PERIOD * 2 + Duration::from_secs(3)).count, 3);
        assert_eq!(wrong.at(start + WRONG_PERIOD * 50).count, 0);
    }

    #[test]
    fn many_addresses_take_no_more_memory() {
        let attempts = Arc::new(Attempts::default());
        for host in 0..30_000_u32 {
            attempts.take(std::net::Ipv4Addr::from_bits(host).into()).unwrap().was_wrong();
        }
        assert!(attempts.0.lock().unwrap().len() <= ADDRESSES_MAX);
    }
}
