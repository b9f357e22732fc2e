//! How often an address may present what is wrong.
//!
//! Each wrong password costs the server a hash, and the guesser a try. So an address has a few wrong
//! answers for each user name, and some more for all names together, because behind one address there may
//! be many people. They come back with time; beyond them it is told to wait and nothing is computed. Who
//! is known already is not asked.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use trainyard_base::leaky_bucket::{Buckets, Rule};
use trainyard_net::subscriber;

/// For one user name from one address: people mistype. 8,640 guesses a day.
const OF_NAME: Rule = Rule { max: 20, period: Duration::from_secs(10) };
/// For one address, which may be that of a proxy.
const OF_ADDRESS: Rule = Rule { max: 60, period: Duration::from_secs(3) };
/// For a /48 of IPv6, which is what a site has: 65,536 addresses by the rule above.
const OF_SITE: Rule = Rule { max: 240, period: Duration::from_secs(1) };

/// What is known of addresses that presented something wrong.
#[derive(Debug, Default)]
pub(crate) struct LoginLimit {
    counted: Mutex<Counted>,
    /// Names are as long as whoever sends them likes, so only hashes of them are kept.
    hashes: RandomState,
}

#[derive(Debug)]
struct Counted {
    names: Buckets<(IpAddr, u64)>,
    addresses: Buckets<IpAddr>,
    sites: Buckets<Ipv6Addr>,
}

impl Default for Counted {
    fn default() -> Self {
        Self {
            names: Buckets::new(OF_NAME),
            addresses: Buckets::new(OF_ADDRESS),
            sites: Buckets::new(OF_SITE),
        }
    }
}

impl LoginLimit {
    /// Takes one try before it is known whether it is right: requests that come at once must not all
    /// pass because none of them is answered yet. `Err` is how long to wait.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr, name: &str) -> Result<Try, Duration> {
        self.take_at(address, name, Instant::now())
    }

    fn take_at(
        self: &Arc<Self>,
        address: IpAddr,
        name: &str,
        now: Instant,
    ) -> Result<Try, Duration> {
        let address = subscriber(address);
        let name = (address, self.hashes.hash_one(name));
        let site = site(address);
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.names.check(&name, now)?;
        counted.addresses.check(&address, now)?;
        if let Some(site) = site {
            counted.sites.check(&site, now)?;
            counted.sites.add(site, now);
        }
        counted.names.add(name, now);
        counted.addresses.add(address, now);
        drop(counted);
        Ok(Try { limit: Arc::clone(self), name, site, is_wrong: false })
    }
}

/// One try of an address. It is given back when this is dropped, unless it was wrong: also when the
/// client went away before anything was computed.
#[derive(Debug)]
#[must_use]
pub(crate) struct Try {
    limit: Arc<LoginLimit>,
    name: (IpAddr, u64),
    site: Option<Ipv6Addr>,
    is_wrong: bool,
}

impl Try {
    /// It was wrong, so it stays taken.
    pub(crate) fn was_wrong(mut self) {
        self.is_wrong = true;
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        if self.is_wrong {
            return;
        }
        let mut counted = self.limit.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.names.give_back(&self.name);
        counted.addresses.give_back(&self.name.0);
        if let Some(site) = &self.site {
            counted.sites.give_back(site);
        }
    }
}

/// The /48 of an address of IPv6.
fn site(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(address) => Some(Ipv6Addr::from_bits(address.to_bits() & !(u128::MAX >> 48))),
        IpAddr::V4(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries that are all made at one instant.
    struct Tries(Arc<LoginLimit>, Instant);

    impl Tries {
        fn new() -> Self {
            Self(Arc::default(), Instant::now())
        }

        fn take(&self, address: IpAddr, name: &str) -> Result<Try, Duration> {
            self.0.take_at(address, name, self.1)
        }

        fn wrong(&self, address: IpAddr, name: &str) {
            self.take(address, name).unwrap().was_wrong();
        }
    }

    #[test]
    fn a_name_has_a_few_wrong_answers_and_an_address_some_more() {
        let tries = Tries::new();
        let [guesser, other]: [IpAddr; 2] = ["10.0.0.1", "10.0.0.2"].map(|a| a.parse().unwrap());
        for _try in 0..OF_NAME.max {
            tries.wrong(guesser, "ada");
            drop(tries.take(other, "ada").unwrap());
        }
        assert!(tries.take(guesser, "ada").unwrap_err() <= OF_NAME.period);
        drop(tries.take(other, "ada").unwrap());
        for number in OF_NAME.max..OF_ADDRESS.max {
            tries.wrong(guesser, &format!("name {number}"));
        }
        assert!(tries.take(guesser, "bob").unwrap_err() <= OF_ADDRESS.period);
        drop(tries.take(other, "bob").unwrap());
    }

    #[test]
    fn one_subscriber_is_one_address() {
        let tries = Tries::new();
        for host in 0..u128::from(OF_NAME.max) {
            let address = Ipv6Addr::from_bits((0x2001_0db8 << 96) | host);
            tries.wrong(address.into(), "ada");
        }
        tries.take("2001:db8::ffff".parse().unwrap(), "ada").unwrap_err();
        drop(tries.take("2001:db8:0:1::".parse().unwrap(), "ada").unwrap());
    }

    #[test]
    fn one_site_is_not_thousands_of_addresses() {
        let tries = Tries::new();
        for subnet in 0..u128::from(OF_SITE.max) {
            let address = Ipv6Addr::from_bits((0x2001_0db8 << 96) | (subnet << 64));
            tries.wrong(address.into(), "ada");
        }
        tries.take("2001:db8:0:ffff::".parse().unwrap(), "ada").unwrap_err();
        drop(tries.take("2001:db8:1::".parse().unwrap(), "ada").unwrap());
    }
}
