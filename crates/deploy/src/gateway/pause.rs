//! Pause and maintenance: whether requests come in at all, wait, or are told to come back later.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::error::Result;
use crate::state::file::{read_json, replace_json};

/// What happens to requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum Mode {
    /// They are passed on.
    #[default]
    Open,
    /// They wait until the gateway is opened again, each up to a limit.
    Paused {
        /// The limit, in milliseconds.
        hold_ms: u64,
    },
    /// They are answered with 503.
    Maintenance {
        /// What users read.
        message: String,
        /// When clients may come back, in seconds.
        retry_after_s: u64,
    },
}

/// Why a request does not come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Closed {
    /// It waited as long as it may.
    HeldTooLong(Duration),
    /// Maintenance.
    Maintenance { message: String, retry_after_s: u64 },
}

/// The mode, remembered across restarts of the gateway.
#[derive(Debug)]
pub(super) struct PauseControl {
    path: PathBuf,
    mode: Mutex<Mode>,
    /// Looked at by every request, so it is kept beside the mode.
    open: AtomicBool,
    changed: Notify,
}

impl PauseControl {
    /// Takes up the mode that was in force when the gateway last ran.
    pub(super) fn restore(path: PathBuf) -> Result<Self> {
        let mode: Mode = read_json(&path)?.unwrap_or_default();
        Ok(Self {
            open: AtomicBool::new(mode == Mode::Open),
            path,
            mode: Mutex::new(mode),
            changed: Notify::new(),
        })
    }

    /// The mode in force.
    pub(super) fn mode(&self) -> Mode {
        self.mode.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the mode, on disk first. Requests that wait go by the new one.
    pub(super) fn set(&self, mode: Mode) -> Result<()> {
        let mut current = self.mode.lock().unwrap_or_else(PoisonError::into_inner);
        replace_json(&self.path, &mode)?;
        self.open.store(mode == Mode::Open, Ordering::SeqCst);
        *current = mode;
        self.changed.notify_waiters();
        Ok(())
    }

    /// Returns when the request may come in.
    pub(super) async fn enter(&self) -> Result<(), Closed> {
        if self.open.load(Ordering::SeqCst) {
            return Ok(());
        }
        let start = Instant::now();
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that a change in between is not missed.
            changed.as_mut().enable();
            let hold = match self.mode() {
                Mode::Open => return Ok(()),
                Mode::Maintenance { message, retry_after_s } => {
                    return Err(Closed::Maintenance { message, retry_after_s });
                }
                Mode::Paused { hold_ms } => Duration::from_millis(hold_ms),
            };
            let left = hold.saturating_sub(start.elapsed());
            if tokio::time::timeout(left, changed).await.is_err() {
                return Err(Closed::HeldTooLong(hold));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn waiting_requests_come_in_when_it_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mode.json");
        let pause = Arc::new(PauseControl::restore(path.clone()).unwrap());
        assert_eq!(pause.enter().await, Ok(()));
        pause.set(Mode::Paused { hold_ms: 60_000 }).unwrap();
        let waiting = tokio::spawn({
            let pause = Arc::clone(&pause);
            async move { pause.enter().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        pause.set(Mode::Open).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(()));
        pause.set(Mode::Paused { hold_ms: 10 }).unwrap();
        assert_eq!(pause.enter().await, Err(Closed::HeldTooLong(Duration::from_millis(10))));
        let again = PauseControl::restore(path).unwrap();
        assert_eq!(again.mode(), Mode::Paused { hold_ms: 10 });
    }
}
