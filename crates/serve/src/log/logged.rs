//! What an answer can say about its rows in the log.

use std::time::Duration;

use tokio::sync::oneshot::Receiver;

/// How long an answer waits for its rows: a disk that takes longer hangs, and the client has a prediction to get.
const COMMIT_MAX: Duration = Duration::from_secs(10);

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
        self.known_within(COMMIT_MAX).await
    }

    async fn known_within(self, wait: Duration) -> Option<bool> {
        match self {
            Self::Unsaid => None,
            Self::Dropped => Some(false),
            // A writer that is gone commits nothing, and of one that hangs nobody knows.
            Self::Waits(committed) => {
                let said = tokio::time::timeout(wait, committed).await;
                Some(matches!(said, Ok(Ok(true))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::channel;

    use super::*;

    #[tokio::test]
    async fn an_answer_does_not_wait_for_ever() {
        let (_hangs, committed) = channel();
        let known = Logged::Waits(committed).known_within(Duration::from_millis(1)).await;
        assert_eq!(known, Some(false));
        for is_kept in [true, false] {
            let (says, committed) = channel();
            says.send(is_kept).unwrap();
            assert_eq!(Logged::Waits(committed).known().await, Some(is_kept));
        }
    }
}
