//! Why Python workers gave no predictions.

use std::time::Duration;

use bytes::Bytes;

/// Why there are no predictions.
#[derive(Debug, Clone)]
pub(crate) enum Failed {
    /// The model raised; MLflow's status and body.
    Refused { status: u16, body: Bytes },
    /// Too many requests wait.
    Overloaded,
    /// It took longer than allowed.
    Timeout(Duration),
    /// It needed more memory than allowed.
    OutOfMemory { bytes_max: u64 },
    /// Two workers died over it.
    Died(String),
    /// No worker runs, and none can be started.
    NoWorkers(String),
}
