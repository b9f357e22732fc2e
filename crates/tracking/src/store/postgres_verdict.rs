//! Finds out about a change in doubt, however long the database takes to come back.

use std::time::{Duration, Instant};

use super::postgres_doubt::Mark;
use super::postgres_pool::Pool;

/// How long a database is waited for that must say whether a change is there: the time of a failover.
/// Clients wait two minutes.
const DOUBT_TIME: Duration = Duration::from_mins(1);
/// First and longest pause between two questions.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Whether the change is there; none if nobody can say.
pub(super) fn find_out(pool: &Pool, mark: &Mark) -> Option<bool> {
    let start = Instant::now();
    let mut pause = PAUSES.0;
    loop {
        let settled = pool.connect().and_then(|mut connection| {
            let is_stored = connection.settle(mark)?;
            pool.give(connection);
            Ok(is_stored)
        });
        match settled {
            Ok(is_stored) => {
                tracing::warn!(
                    is_stored,
                    "the connection broke while a change was stored; the database was asked for it"
                );
                return Some(is_stored);
            }
            Err(error) if start.elapsed() >= DOUBT_TIME => {
                tracing::error!(%error, "it is not known whether a change was stored");
                return None;
            }
            Err(_not_yet) => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}
