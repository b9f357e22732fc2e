//! Whether a PostgreSQL database can be written to, asked often and by anybody.
//!
//! One question at a time is on its way, whoever asks, and its answer is good for a moment: probes and strangers
//! cost no more than one connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::postgres_pool::Pool;
use crate::error::{Error, Result};

/// How long an answer is waited for. Probes wait a second to a few.
const ANSWER_TIME: Duration = Duration::from_secs(3);
/// How long an answer is good for.
const FRESH: Duration = Duration::from_millis(500);

/// The last answer.
#[derive(Debug, Default)]
pub(super) struct Health(tokio::sync::Mutex<Option<Seen>>);

#[derive(Debug)]
struct Seen {
    at: Instant,
    /// What is wrong, if anything.
    reason: Option<String>,
}

impl Health {
    /// Asks the database, within a few seconds.
    pub(super) async fn check(&self, pool: &Arc<Pool>) -> Result<()> {
        let mut last = self.0.lock().await;
        let seen = match last.take() {
            Some(seen) if seen.at.elapsed() < FRESH => seen,
            _ => Seen { reason: ask(Arc::clone(pool)).await, at: Instant::now() },
        };
        let reason = seen.reason.clone();
        *last = Some(seen);
        reason.map_or(Ok(()), |reason| Err(Error::Unreachable { reason }))
    }
}

/// What is wrong, if anything.
async fn ask(pool: Arc<Pool>) -> Option<String> {
    let task = tokio::task::spawn_blocking(move || match pool.ping(ANSWER_TIME) {
        Ok(()) => None,
        Err(Error::Unreachable { reason }) => Some(reason),
        Err(error) => Some(error.to_string()),
    });
    match tokio::time::timeout(ANSWER_TIME, task).await {
        Ok(Ok(reason)) => reason,
        Ok(Err(error)) => Some(format!("the question broke off: {error}")),
        Err(_elapsed) => Some(format!("no answer within {} s", ANSWER_TIME.as_secs())),
    }
}
