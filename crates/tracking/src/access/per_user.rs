//! How often one user may do what leaves something behind: a session, a token, a line of the audit log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use trainyard_base::leaky_bucket::{Buckets, Rule};

/// Counts by user.
#[derive(Debug)]
pub(crate) struct PerUser(Mutex<Buckets<String>>);

impl PerUser {
    pub(crate) fn new(rule: Rule) -> Self {
        Self(Mutex::new(Buckets::new(rule)))
    }

    /// Counts one more; `Err` is how long they have to wait for it.
    pub(crate) fn take(&self, username: &str) -> Result<(), Duration> {
        let (name, now) = (username.to_owned(), Instant::now());
        // The counts are whole between any two operations, so a panic elsewhere is no harm.
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.check(&name, now)?;
        counts.add(name, now);
        Ok(())
    }
}
