//! How many streams of pages are open: each holds a connection, and each draws pages.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use trainyard_net::subscriber;

use super::actor::Actor;
use crate::metrics::METRICS;

/// Streams of all people: some of the connections that a server has room for.
const ALL_MAX: usize = 256;
/// Streams of one person, or of an address where people do not sign in: a tab that nobody looks at has none, but a proxy
/// in front is one address for all who come by it.
const OF_ONE_MAX: usize = 32;

/// Whose a stream is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Person {
    /// Somebody who signed in.
    Named(String),
    /// Whoever asks from there: an address of IPv4, a /64 of IPv6, as nobody has one address of it alone.
    At(IpAddr),
}

impl Person {
    pub(super) fn of(actor: &Actor, address: IpAddr) -> Self {
        match actor.name.as_str() {
            "" => Self::At(subscriber(address)),
            name => Self::Named(name.to_owned()),
        }
    }
}

/// The streams that are open.
#[derive(Debug, Default)]
pub(super) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of: HashMap<Person, usize>,
}

/// One stream; it counts until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Mutex<Taken>>,
    person: Person,
}

fn lock(places: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    // The counts agree between any two operations, so a panic elsewhere is no harm.
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Places {
    /// None if there is no room.
    pub(super) fn take(&self, person: Person) -> Option<Place> {
        let mut taken = lock(&self.0);
        let own = taken.of.get(&person).copied().unwrap_or_default();
        if taken.all >= ALL_MAX || own >= OF_ONE_MAX {
            return None;
        }
        taken.all += 1;
        taken.of.insert(person.clone(), own + 1);
        METRICS.live_pages.fetch_add(1, Ordering::Relaxed);
        Some(Place { places: Arc::clone(&self.0), person })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        METRICS.live_pages.fetch_sub(1, Ordering::Relaxed);
        let mut taken = lock(&self.places);
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.of.get_mut(&self.person) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.of.remove(&self.person);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn whoever_has_many_addresses_is_one_person() {
        let at = |address: &str| Person::of(&Actor::anonymous(), address.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:2"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
        assert_ne!(at("10.0.0.1"), at("10.0.0.2"));
        assert_eq!(
            Person::of(&Actor::user("ada"), Ipv4Addr::LOCALHOST.into()),
            Person::Named("ada".to_owned())
        );
    }

    #[test]
    fn nobody_takes_all_places_and_all_take_no_more_than_there_are() {
        let places = Places::default();
        let person = |number: usize| Person::Named(number.to_string());
        let mut taken: Vec<Place> = Vec::new();
        for number in 0..ALL_MAX / OF_ONE_MAX {
            taken.extend((0..OF_ONE_MAX).map(|_| places.take(person(number)).unwrap()));
            assert!(places.take(person(number)).is_none(), "{number}");
        }
        assert!(places.take(Person::At(Ipv4Addr::LOCALHOST.into())).is_none());
        taken.pop();
        assert!(places.take(person(0)).is_none());
        drop(places.take(Person::At(Ipv4Addr::LOCALHOST.into())).unwrap());
        taken.clear();
        assert!(lock(&places.0).of.is_empty());
        assert_eq!(lock(&places.0).all, 0);
    }
}
