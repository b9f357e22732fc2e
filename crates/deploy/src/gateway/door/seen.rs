//! What the door has seen: whom it refused and why, and which addresses guess. It outlives the settings.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use trainyard_base::leaky_bucket::{Buckets, Rule};
use trainyard_net::subscriber;

/// Wrong tokens of one address. No number of guesses finds 244 random bits; the limit keeps a client with an old token
/// from filling logs, and who guesses from being answered as fast as the gateway can.
const OF_ADDRESS: Rule = Rule { max: 60, period: Duration::from_secs(3) };

/// Why a request does not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It shows nothing.
    Nothing,
    /// Its token is none of those that are known.
    Wrong,
    /// Its token was known until a day that is over.
    Expired,
    /// Who it is from may ask other things.
    Scope,
    /// Its token was used too often.
    Rate,
    /// Too many wrong tokens came from its address.
    Guesses,
}

impl Why {
    /// All of them.
    const ALL: [Self; 6] =
        [Self::Nothing, Self::Wrong, Self::Expired, Self::Scope, Self::Rate, Self::Guesses];

    /// Its name in metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "no_token",
            Self::Wrong => "wrong_token",
            Self::Expired => "expired",
            Self::Scope => "scope",
            Self::Rate => "rate",
            Self::Guesses => "guesses",
        }
    }
}

/// What the door has seen.
#[derive(Debug)]
pub(in crate::gateway) struct Seen {
    refused: [AtomicU64; Why::ALL.len()],
    guesses: Mutex<Buckets<IpAddr>>,
}

impl Default for Seen {
    fn default() -> Self {
        Self { refused: Default::default(), guesses: Mutex::new(Buckets::new(OF_ADDRESS)) }
    }
}

impl Seen {
    /// Counts a request that does not come in.
    pub(super) fn refuse(&self, why: Why) {
        let index = Why::ALL.iter().position(|one| *one == why);
        if let Some(counter) = index.and_then(|index| self.refused.get(index)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a wrong token; `Err` is how long its address has to wait, after too many.
    pub(super) fn guess(&self, address: IpAddr) -> Result<(), Duration> {
        let (address, now) = (subscriber(address), Instant::now());
        // Counters are right after each statement.
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        guesses.check(&address, now)?;
        guesses.add(address, now);
        Ok(())
    }

    /// How many were refused, by why.
    pub(super) fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.refused.iter().map(|counter| counter.load(Ordering::Relaxed));
        Why::ALL.into_iter().map(Why::name).zip(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_guesses_a_few_times_and_others_are_not_held_up() {
        let seen = Seen::default();
        let guesser: IpAddr = "10.0.0.1".parse().unwrap();
        for _guess in 0..OF_ADDRESS.max {
            seen.guess(guesser).unwrap();
        }
        // On a slow machine some come back meanwhile, but never more than there were.
        let wait = (0..=OF_ADDRESS.max).find_map(|_| seen.guess(guesser).err());
        assert!(wait.unwrap() <= OF_ADDRESS.period);
        seen.guess("10.0.0.2".parse().unwrap()).unwrap();
    }
}
