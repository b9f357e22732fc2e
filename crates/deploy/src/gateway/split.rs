//! Which side of a canary a request goes to.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName};

use super::random::{hash, is_within, mixed};
use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::release::Share;

/// A side of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The version that users have.
    Blue,
    /// The new one.
    Green,
}

/// How requests are split.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) share: Share,
    /// The header by which a client is known.
    header: Option<HeaderName>,
    /// Of this release: the clients that try one version are not those that try the next.
    salt: u64,
    /// Requests so far, where each is on its own.
    turn: AtomicU64,
}

/// Where a request goes, and who asks as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lot {
    pub(super) side: Side,
    pub(super) client: Option<u64>,
}

impl Split {
    pub(super) fn new(share: Share, header: Option<&str>, green: &str) -> Result<Self> {
        Ok(Self {
            share,
            header: header.map(header_name).transpose()?,
            salt: hash(0, green.as_bytes()),
            // Another sequence after a restart.
            turn: AtomicU64::new(mixed(now_ms())),
        })
    }

    /// Draws a lot for a request. One without the header by which clients are known takes no part: it
    /// could be on this side now and on the other at its next request.
    pub(super) fn draw(&self, headers: &HeaderMap) -> Option<Lot> {
        let client = match &self.header {
            Some(name) => Some(hash(self.salt, headers.get(name)?.as_bytes())),
            None => None,
        };
        let random = client.unwrap_or_else(|| mixed(self.turn.fetch_add(1, Ordering::Relaxed)));
        let is_green = is_within(random, self.share.as_fraction());
        Some(Lot { side: if is_green { Side::Green } else { Side::Blue }, client })
    }
}

fn header_name(text: &str) -> Result<HeaderName> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| Error::Header(text.to_owned()))
}

/// Refuses what is no name of a header.
pub fn check_header(text: &str) -> Result<()> {
    header_name(text).map(|_name| ())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn share(percent: u32) -> Share {
        Share::try_from(percent * 100).unwrap()
    }

    #[test]
    fn a_client_stays_on_its_side_and_comes_over_once() {
        let user = |number: u32| {
            let mut headers = HeaderMap::new();
            headers.insert("x-user-id", HeaderValue::from(number));
            headers
        };
        let first = Split::new(share(5), Some("X-User-Id"), "r2").unwrap();
        // The same release after a restart, and its next step.
        let again = Split::new(share(5), Some("x-user-id"), "r2").unwrap();
        let next = Split::new(share(25), Some("x-user-id"), "r2").unwrap();
        let mut counts = [0, 0];
        for number in 0..4000 {
            let lot = first.draw(&user(number)).unwrap();
            assert_eq!(again.draw(&user(number)).unwrap(), lot);
            let later = next.draw(&user(number)).unwrap();
            assert!(lot.side == Side::Blue || later.side == Side::Green, "{number} went back");
            counts[0] += u32::from(lot.side == Side::Green);
            counts[1] += u32::from(later.side == Side::Green);
        }
        assert!(
            (140..=260).contains(&counts[0]) && (860..=1140).contains(&counts[1]),
            "{counts:?}"
        );
        assert_eq!(first.draw(&HeaderMap::new()), None);
        assert!(check_header("X User").is_err());
    }

    #[test]
    fn requests_are_split_by_themselves() {
        let split = Split::new(share(25), None, "r2").unwrap();
        let drawn = (0..4000).map(|_| split.draw(&HeaderMap::new()).unwrap());
        let green = drawn.filter(|lot| lot.side == Side::Green).count();
        assert!((860..=1140).contains(&green), "{green}");
    }
}
