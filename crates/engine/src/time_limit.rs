//! How long an engine may take, and what is left of looks that took longer.
//!
//! A driver is foreign code, which blocks: each look has a thread of its own. A statement is cancelled when its time is over;
//! a driver that cannot do that (SQLite's) keeps its thread until the statement ends. How many may stay so is limited.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::limits::{LEFT_MAX, Limits};
use crate::session::{Running, Session};
use crate::source::Source;

/// How long a statement that is to stop may take for it.
const GRACE: Duration = Duration::from_secs(5);

/// Looks that took longer than they may, and have not ended yet.
static LEFT: Left = Left(AtomicUsize::new(0));

struct Left(AtomicUsize);

impl Left {
    /// Counts a look as one that is left behind, until its work ends.
    fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn remove(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    fn check(&self, place: &str) -> Result<()> {
        let left = self.0.load(Ordering::SeqCst);
        if left < LEFT_MAX {
            return Ok(());
        }
        Err(Error::Busy { place: place.to_owned(), left })
    }
}

/// Runs `work` with a session, at most [`Limits::time`] and a few seconds.
pub(crate) fn within<T: Send + 'static>(
    source: &Source,
    limits: &Limits,
    work: impl FnOnce(&mut Session<'_>, &Source, &Limits) -> Result<T> + Send + 'static,
) -> Result<T> {
    LEFT.check(source.place())?;
    let until = Instant::now() + limits.time;
    let running = Running::default();
    let (done, answer) = sync_channel(1);
    let timed_out = || Error::TimedOut { place: source.place().to_owned(), limit: limits.time };
    // Whoever comes second, the end of the work or of the waiting, knows of the other.
    let second = Arc::new(AtomicUsize::new(0));
    let body = {
        let (source, limits, running) = (source.clone(), limits.clone(), Arc::clone(&running));
        let ended = Ended(Arc::clone(&second));
        move || {
            let _ended = ended;
            let result = Session::open(&source, &limits, &running, until)
                .and_then(|mut session| work(&mut session, &source, &limits));
            // Nobody listens any more where it took too long.
            let _nobody = done.send(result);
        }
    };
    std::thread::Builder::new().name("engine".to_owned()).spawn(body)?;
    match answer.recv_timeout(limits.time) {
        Ok(Err(_)) if Instant::now() >= until => Err(timed_out()),
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => {
            if let Some(running) = running.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                // An engine that cannot stop is left alone: its connection ends with this process.
                let _may_not = running.try_cancel();
            }
            if let Err(RecvTimeoutError::Timeout) = answer.recv_timeout(GRACE) {
                LEFT.add();
                if second.fetch_add(1, Ordering::SeqCst) > 0 {
                    LEFT.remove();
                }
            }
            Err(timed_out())
        }
        Err(RecvTimeoutError::Disconnected) => Err(Error::Answer {
            place: source.place().to_owned(),
            what: "a statement".to_owned(),
            reason: "the driver panicked".to_owned(),
        }),
    }
}

/// Tells that a look ended, also where its driver panicked.
struct Ended(Arc<AtomicUsize>);

impl Drop for Ended {
    fn drop(&mut self) {
        if self.0.fetch_add(1, Ordering::SeqCst) > 0 {
            LEFT.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_looks_may_be_left_behind() {
        let left = Left(AtomicUsize::new(0));
        for _ in 0..LEFT_MAX {
            assert!(left.check("sqlite://a.db").is_ok());
            left.add();
        }
        let error = left.check("sqlite://a.db").unwrap_err();
        assert!(error.to_string().contains("4 looks"), "{error}");
        left.remove();
        assert!(left.check("sqlite://a.db").is_ok());
    }
}
