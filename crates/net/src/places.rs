//! Places for connections: so many in all, so many for one address, and a crowd at the door.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::limits::Limits;
use crate::marks::Marks;

/// Connections without a place. When there are more, the oldest is closed: a probe asks as soon as it is
/// connected, those who block the door say nothing.
pub(crate) const CROWD_MAX: usize = 64;

/// A connection that has been silent for less keeps its place: what it asks is on its way.
const SILENCE_MIN: Duration = Duration::from_secs(1);

/// Counts connections.
#[derive(Debug)]
pub(crate) struct Places {
    connections_max: usize,
    per_address_max: usize,
    silent_give_way: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seats: HashMap<u64, Seat>,
    last: u64,
    by_address: HashMap<IpAddr, usize>,
    crowd: VecDeque<AbortHandle>,
}

/// A connection that has a place.
#[derive(Debug)]
struct Seat {
    address: IpAddr,
    marks: Arc<Marks>,
    /// Ends it; none until it is served.
    connection: Option<AbortHandle>,
}

impl State {
    fn leave(&mut self, id: u64) -> Option<Seat> {
        let seat = self.seats.remove(&id)?;
        if let Some(of_address) = self.by_address.get_mut(&seat.address) {
            *of_address -= 1;
            if *of_address == 0 {
                self.by_address.remove(&seat.address);
            }
        }
        Some(seat)
    }

    /// Ends the connection of an address that has been silent for longest; whether there was one.
    fn make_room(&mut self, address: IpAddr) -> bool {
        let silent = self
            .seats
            .iter()
            .filter(|(_, seat)| seat.address == address && seat.connection.is_some())
            .filter_map(|(id, seat)| Some((seat.marks.quiet()?, *id)))
            .filter(|(silence, _)| *silence >= SILENCE_MIN)
            .max();
        let Some(seat) = silent.and_then(|(_, id)| self.leave(id)) else { return false };
        if let Some(connection) = seat.connection {
            connection.abort();
        }
        true
    }
}

impl Places {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            connections_max: limits.connections_max.max(1),
            per_address_max: limits.per_address_max.max(1),
            silent_give_way: limits.silent_give_way,
            state: Mutex::default(),
        })
    }

    /// A place for a connection of this address, if there is one. When there is none and the silent give
    /// way, whoever has been silent for longest makes room: of the same address when its share is used up,
    /// else of the address that has most.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr, marks: &Arc<Marks>) -> Option<Place> {
        let address = subscriber(address);
        let mut state = self.state();
        let of_address = state.by_address.get(&address).copied().unwrap_or_default();
        let crowded = if of_address >= self.per_address_max {
            Some(address)
        } else if state.seats.len() >= self.connections_max {
            state.by_address.iter().max_by_key(|(_, count)| **count).map(|(address, _)| *address)
        } else {
            None
        };
        if let Some(address) = crowded
            && !(self.silent_give_way && state.make_room(address))
        {
            return None;
        }
        state.last += 1;
        let id = state.last;
        *state.by_address.entry(address).or_default() += 1;
        let seat = Seat { address, marks: Arc::clone(marks), connection: None };
        state.seats.insert(id, seat);
        Some(Place { places: Arc::clone(self), id })
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
        self.state().seats.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counters are right after each statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one subscriber has: an address of IPv4, a /64 of IPv6.
pub fn subscriber(address: IpAddr) -> IpAddr {
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
    id: u64,
}

impl Place {
    /// Says how the connection is ended when somebody else needs its place.
    pub(crate) fn served_by(&self, connection: AbortHandle) {
        if let Some(seat) = self.places.state().seats.get_mut(&self.id) {
            seat.connection = Some(connection);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Gone already when it had to make room.
        self.places.state().leave(self.id);
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
        let take = |address: &str| places.take(address.parse().unwrap(), &Arc::default());
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
