//! Opens a store whose database server may not be there yet: in compose files and clusters both start at once.

use std::fmt;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::open::{Lending, OpenOptions, Shared, share};

/// First and longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Time between two lines that say the same.
const SAID_AGAIN: Duration = Duration::from_mins(1);

/// What [`share`] is to open.
#[derive(Clone)]
pub struct Opening {
    /// The database.
    pub uri: String,
    /// What the URI does not say.
    pub options: OpenOptions,
    /// What requests of others may reach.
    pub lending: Lending,
}

/// URIs may have passwords in them.
impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}

impl Opening {
    /// Opens it, or fails, on a thread that may wait.
    pub async fn attempt(&self) -> Result<Shared> {
        let Self { uri, options, lending } = self.clone();
        let opened = tokio::task::spawn_blocking(move || share(&uri, options, &lending)).await;
        opened
            .map_err(|error| Error::database(format!("opening the database broke off: {error}")))?
    }

    /// Tries again for so long, after an attempt that found nobody ([`Error::is_unreachable`]). What waiting does
    /// not mend (a wrong password, a database of another version) ends it at once.
    pub async fn wait(&self, limit: Duration, found: &Error) -> Result<Shared> {
        let start = Instant::now();
        let (mut said, mut pause) = (start, PAUSES.0);
        tracing::warn!(reason = %found, ?limit, "waiting for the tracking database");
        loop {
            tokio::time::sleep(pause).await;
            match self.attempt().await {
                Err(error) if error.is_unreachable() && start.elapsed() < limit => {
                    if said.elapsed() >= SAID_AGAIN {
                        said = Instant::now();
                        let seconds = start.elapsed().as_secs();
                        tracing::warn!(reason = %error, seconds, "still waiting for the tracking database");
                    }
                }
                opened => {
                    if opened.is_ok() {
                        let seconds = start.elapsed().as_secs_f64();
                        tracing::warn!(seconds, "the tracking database is there");
                    }
                    return opened;
                }
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}
