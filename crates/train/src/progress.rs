//! What a training tells while it runs, and how work moves to a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::{Error, Result};

/// News of a training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A new step begins.
    Step(String),
    /// So much of the current step is done.
    Fraction {
        /// Units done.
        done: usize,
        /// Units in all.
        total: usize,
    },
    /// A line that a training program wrote, to stdout or stderr, in the order in which it wrote them.
    Output {
        /// The line, without its end.
        line: String,
    },
    /// Something the user should know.
    Warning(String),
}

/// Receives news; called from the task that awaits the training.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Sync);

/// Tells news from a working thread and says whether to go on.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    news: mpsc::UnboundedSender<Progress>,
    cancelled: Arc<AtomicBool>,
}

impl Reporter {
    pub(crate) fn tell(&self, news: Progress) {
        // Nobody listens any more only when the training was cancelled.
        let _ignored = self.news.send(news);
    }

    pub(crate) fn go_on(&self) -> bool {
        !self.cancelled.load(Ordering::Relaxed)
    }
}

/// Runs heavy work on a thread of its own and passes its news on. If the caller goes away, the work
/// is told to stop.
pub(crate) async fn on_thread<T: Send + 'static>(
    progress: OnProgress<'_>,
    work: impl FnOnce(&Reporter) -> Result<T> + Send + 'static,
) -> Result<T> {
    struct CancelOnDrop(Arc<AtomicBool>);
    impl Drop for CancelOnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let (news, mut listener) = mpsc::unbounded_channel();
    let cancelled = Arc::new(AtomicBool::new(false));
    let _guard = CancelOnDrop(Arc::clone(&cancelled));
    let reporter = Reporter { news, cancelled };
    let task = tokio::task::spawn_blocking(move || work(&reporter));
    // Ends when the work drops its sender.
    while let Some(news) = listener.recv().await {
        progress(news);
    }
    task.await.map_err(|error| Error::Internal(error.to_string()))?
}
