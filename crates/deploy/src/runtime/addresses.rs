//! Addresses for instances: a port is chosen now and listened on a moment later, and perhaps again in a week, when
//! what died there is started anew.
//!
//! The kernel takes ports of a range of its own for connections that go out; one of those may be taken by any
//! program at any moment. So instances get ports below that range, where nobody gets one who does not ask for it.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::replica_id::REPLICAS_MAX;

/// The first port for instances: well-known services listen below.
const FIRST: u16 = 20_000;

/// Ports that there must be at least between that and the kernel's, so that chance finds a free one.
const PORTS_MIN: usize = 1_000;

/// Ports are chosen by chance: that so many in a row are taken is none.
const TRIES: usize = 100;

/// Where the kernel says which ports it takes itself.
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Addresses of this machine that nobody listens on, and that were not given lately: an instance that was given
/// one may not listen yet.
#[derive(Debug, Default)]
pub(crate) struct FreeAddresses(Mutex<VecDeque<SocketAddr>>);

impl FreeAddresses {
    pub(crate) fn give(&self) -> std::io::Result<SocketAddr> {
        let range = std::fs::read_to_string(EPHEMERAL).ok().and_then(|text| quiet(&text));
        for _ in 0..TRIES {
            let port = range.clone().map_or(0, by_chance);
            let address = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                Ok(listener) => listener.local_addr()?,
                Err(_taken) if port != 0 => continue,
                Err(error) => return Err(error),
            };
            // The list is whole between any two operations.
            let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if given.contains(&address) {
                continue;
            }
            if given.len() >= REPLICAS_MAX as usize {
                given.pop_front();
            }
            given.push_back(address);
            return Ok(address);
        }
        Err(std::io::ErrorKind::AddrInUse.into())
    }
}

/// Ports that the kernel does not take itself, by the range that it says; none where that leaves too few.
fn quiet(ephemeral: &str) -> Option<Range<u16>> {
    let range = FIRST..ephemeral.split_whitespace().next()?.parse().ok()?;
    (range.len() >= PORTS_MIN).then_some(range)
}

/// One of them; each state of the standard library's hashes begins with other keys.
fn by_chance(ports: Range<u16>) -> u16 {
    let chance = RandomState::new().hash_one(ports.end) % ports.len().max(1) as u64;
    ports.start.saturating_add(u16::try_from(chance).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_none_that_the_kernel_takes() {
        assert_eq!(quiet("32768\t60999\n"), Some(20_000..32_768));
        for few in ["20999\t60999", "1024\t65535", "", "x y"] {
            assert_eq!(quiet(few), None, "{few:?}");
        }
        let ports: Vec<u16> = (0..1_000).map(|_| by_chance(20_000..21_000)).collect();
        assert!(ports.iter().all(|port| (20_000..21_000).contains(port)));
        assert!(
            ports.iter().any(|port| *port < 20_500) && ports.iter().any(|port| *port >= 20_500)
        );
    }

    #[test]
    fn none_is_given_twice_in_a_row() {
        let addresses = FreeAddresses::default();
        let given: std::collections::HashSet<SocketAddr> =
            (0..REPLICAS_MAX).map(|_| addresses.give().unwrap()).collect();
        assert_eq!(given.len(), REPLICAS_MAX as usize);
    }
}
