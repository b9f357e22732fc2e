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
    let running = Running::default();
    let body = {
        let (source, limits, running) = (source.clone(), limits.clone(), Arc::clone(&running));
        let until = Instant::now() + limits.time;
        move || {
            let mut session = Session::open(&source, &limits, &running, until)?;
            work(&mut session, &source, &limits)
        }
    };
    let cancel = || {
        if let Some(running) = running.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // An engine that cannot stop is left alone: its connection ends with this process.
            let _may_not = running.try_cancel();
        }
    };
    bounded(&LEFT, source.place(), [limits.time, GRACE], body, cancel)
}

/// Runs `body` on a thread of its own for so long; is it not over then, `cancel` has it end within some grace. If it does not,
/// it counts as left behind until it ends.
fn bounded<T: Send + 'static>(
    left: &'static Left,
    place: &str,
    [time, grace]: [Duration; 2],
    body: impl FnOnce() -> Result<T> + Send + 'static,
    cancel: impl FnOnce(),
) -> Result<T> {
    left.check(place)?;
    let until = Instant::now() + time;
    let (done, answer) = sync_channel(1);
    let timed_out = || Error::TimedOut { place: place.to_owned(), limit: time };
    // Whoever comes second, the end of the work or of the waiting, knows of the other.
    let second = Arc::new(AtomicUsize::new(0));
    let ended = Ended { second: Arc::clone(&second), left };
    let body = move || {
        let _ended = ended;
        // Nobody listens any more where it took too long.
        let _nobody = done.send(body());
    };
    std::thread::Builder::new().name("engine".to_owned()).spawn(body)?;
    match answer.recv_timeout(time) {
        Ok(Err(_)) if Instant::now() >= until => Err(timed_out()),
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => {
            cancel();
            if let Err(RecvTimeoutError::Timeout) = answer.recv_timeout(grace) {
                left.add();
                if second.fetch_add(1, Ordering::SeqCst) > 0 {
                    left.remove();
                }
            }
            Err(timed_out())
        }
        Err(RecvTimeoutError::Disconnected) => Err(Error::Answer {
            place: place.to_owned(),
            what: "a statement".to_owned(),
            reason: "the driver panicked".to_owned(),
        }),
    }
}

/// Tells that a look ended, also where its driver panicked.
struct Ended {
    second: Arc<AtomicUsize>,
    left: &'static Left,
}

impl Drop for Ended {
    fn drop(&mut self) {
        if self.second.fetch_add(1, Ordering::SeqCst) > 0 {
            self.left.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn looks_that_cannot_be_stopped_are_limited_until_they_end() {
        static BEHIND: Left = Left(AtomicUsize::new(0));
        let short = [Duration::from_millis(1); 2];
        let look = |goes_on: std::sync::mpsc::Receiver<()>| {
            let body = move || {
                let _told = goes_on.recv();
                Ok(())
            };
            bounded(&BEHIND, "sqlite://a.db", short, body, || {})
        };
        let mut open = Vec::new();
        for _ in 0..LEFT_MAX {
            let (end, goes_on) = channel();
            open.push(end);
            assert!(matches!(look(goes_on), Err(Error::TimedOut { .. })));
        }
        let error = look(channel().1).unwrap_err();
        assert!(error.to_string().contains("4 looks"), "{error}");
        open.pop();
        let until = Instant::now() + Duration::from_mins(1);
        while BEHIND.0.load(Ordering::SeqCst) == LEFT_MAX && Instant::now() < until {
            std::thread::yield_now();
        }
        assert!(BEHIND.check("sqlite://a.db").is_ok());
        let long = [Duration::from_mins(1); 2];
        assert_eq!(bounded(&BEHIND, "sqlite://a.db", long, || Ok(7), || {}).unwrap(), 7);
        let panicked =
            bounded(&BEHIND, "a", long, || -> Result<()> { panic!("a driver's") }, || {});
        assert!(matches!(panicked, Err(Error::Answer { .. })));
    }
}
