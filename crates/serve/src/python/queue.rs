//! Jobs that wait for a worker: bounded, first in first out, with a way back in at the front.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::exchange::{Answered, Question};
use super::failed::Failed;

/// A request that waits for a worker.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) question: Question,
    pub(crate) reply: oneshot::Sender<Result<Answered, Failed>>,
    /// A worker has died over it before.
    pub(crate) retried: bool,
}

/// The queue of a pool.
#[derive(Debug)]
pub(crate) struct Queue {
    jobs: Mutex<VecDeque<Job>>,
    /// Has a permit while there may be jobs.
    filled: Notify,
    closed: CancellationToken,
    jobs_max: usize,
}

impl Queue {
    pub(crate) fn new(jobs_max: usize) -> Self {
        Self {
            jobs: Mutex::default(),
            filled: Notify::new(),
            closed: CancellationToken::new(),
            jobs_max,
        }
    }

    fn jobs(&self) -> MutexGuard<'_, VecDeque<Job>> {
        // A panic elsewhere cannot leave it half-written.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; false when as many as are allowed wait already.
    pub(crate) fn push(&self, job: Job) -> bool {
        if self.is_closed() {
            return false;
        }
        let mut jobs = self.jobs();
        if jobs.len() >= self.jobs_max {
            // Those whose clients have gone need no place.
            jobs.retain(|job| !job.reply.is_closed());
        }
        if jobs.len() >= self.jobs_max {
            return false;
        }
        jobs.push_back(job);
        drop(jobs);
        self.filled.notify_one();
        true
    }

    /// Puts a job back that was taken already: before all others, over the limit if need be.
    pub(crate) fn put_back(&self, job: Job) {
        self.jobs().push_front(job);
        self.filled.notify_one();
    }

    /// The next job; none when the queue is closed and empty.
    pub(crate) async fn next(&self) -> Option<Job> {
        loop {
            {
                let mut jobs = self.jobs();
                if let Some(job) = jobs.pop_front() {
                    if !jobs.is_empty() {
                        // One permit stands for any number of jobs.
                        self.filled.notify_one();
                    }
                    return Some(job);
                }
            }
            if self.is_closed() {
                return None;
            }
            tokio::select! {
                () = self.filled.notified() => {}
                () = self.closed.cancelled() => {}
            }
        }
    }

    /// Takes no more jobs.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Ends when the queue is closed.
    pub(crate) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Answers all jobs that wait.
    pub(crate) fn refuse_all(&self, failed: &Failed) {
        let jobs = std::mem::take(&mut *self.jobs());
        for job in jobs {
            // The client may have gone.
            let _gone = job.reply.send(Err(failed.clone()));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs().len()
    }
}
