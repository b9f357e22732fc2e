//! Places for connections: so many in all, so many for one address, and a crowd at the door.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use crate::limits::Limits;

/// Connections without a place. When there are more, the oldest is closed: a probe asks as soon as it is
/// connected, those who block the door say nothing.
pub(crate) const CROWD_MAX: usize = 64;

/// Counts connections.
#[derive(Debug)]
pub(crate) struct Places {
    connections_max: usize,
    per_address_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    by_address: HashMap<IpAddr, usize>,
    crowd: VecDeque<AbortHandle>,
}

impl Places {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            connections_max: limits.connections_max.max(1),
            per_address_max: limits.per_address_max.max(1),
            state: Mutex::default(),
        })
    }

    /// A place for a connection of this address, if there is one.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = subscriber(address);
        let mut state = self.state();
        if state.open >= self.connections_max {
            return None;
        }
        let of_address = state.by_address.entry(address).or_default();
        if *of_address >= self.per_address_max {
            return None;
        }
        *of_address += 1;
        state.open += 1;
        Some(Place { places: Arc::clone(self), address })
    }

    /// Remembers a connection without a place, and closes the oldest of too many.
    pub(crate) fn crowd(&self, connection: AbortHandle) {
        let mut state = self.state();
        if state.crowd.len() >= CROWD_MAX {
            state.crowd.retain(|connection| !connection.is_finished());
        }
        if state.crowd.len() >= CROWD_MAX
            && let Some(oldest) = state.crowd.pop_front()
        {
            oldest.abort();
        }
        state.crowd.push_back(connection);
    }

    /// Connections that have a place.
    pub(crate) fn open(&self) -> usize {
        self.state().open
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counters are right after each statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

/// A connection's place; free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.state();
        state.open -= 1;
        if let Some(of_address) = state.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                state.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_room_for_others() {
        let mut limits = Limits::new(4);
        limits.per_address_max = 2;
        let places = Places::new(&limits);
        let take = |address: &str| places.take(address.parse().unwrap());
        let own = [take("10.0.0.1").unwrap(), take("::ffff:10.0.0.1").unwrap()];
        assert!(take("10.0.0.1").is_none());
        let _others = [take("2001:db8::1").unwrap(), take("2001:db8::2").unwrap()];
        assert!(take("10.0.0.3").is_none());
        drop(own);
        assert!(take("2001:db8:0:0:ffff::").is_none());
        assert!(take("2001:db8:1::").is_some());
        assert_eq!(places.open(), 2);
    }
}
