//! Work on threads for blocking work: workers of the runtime have connections to look after.

use crate::error::Error;
use crate::panics::{self, Panicked};

/// Why work has no result.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It broke off.
    Panicked(Panicked),
    /// The runtime is being stopped.
    Stopping,
}

impl Ended {
    /// The error of loading a model during which it happened.
    pub(crate) fn during(self, what: &'static str) -> Error {
        match self {
            Self::Panicked(panicked) => Error::Panicked { what, place: panicked.to_string() },
            Self::Stopping => Error::Broken(what),
        }
    }
}

/// Runs work on a thread for blocking work.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Ended> {
    match tokio::task::spawn_blocking(move || panics::caught(work)).await {
        Ok(done) => done.map_err(Ended::Panicked),
        Err(_stopping) => Err(Ended::Stopping),
    }
}
