//! What an answer can say about its rows in the log.

use tokio::sync::oneshot::Receiver;

/// Whether the rows of an answer are in the log.
#[derive(Debug)]
pub(crate) enum Logged {
    /// They are not logged, or on their way.
    Unsaid,
    /// They are dropped.
    Dropped,
    /// They are committed when the other side says so.
    Waits(Receiver<bool>),
}

impl Logged {
    /// What is known, once it is; none where nothing is promised.
    pub(crate) async fn known(self) -> Option<bool> {
        match self {
            Self::Unsaid => None,
            Self::Dropped => Some(false),
            // A writer that is gone commits nothing.
            Self::Waits(committed) => Some(committed.await.unwrap_or(false)),
        }
    }
}
