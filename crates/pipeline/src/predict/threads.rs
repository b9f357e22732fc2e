//! Parts on all processors. Threads of their own, not a pool that others wait in as well: a thread of such a pool
//! takes up a second part while it waits for the first, and then a third, each with its rows in memory.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::summary::ShareDone;
use crate::{Error, Result};

/// Does the work for each number below `count`, in about that order, at most `at_once` at a time, and adds up what was
/// done. After a failure nothing is begun any more.
pub(super) fn each(
    count: usize,
    at_once: usize,
    work: impl Fn(usize) -> Result<ShareDone> + Sync,
) -> Result<ShareDone> {
    let (next, has_failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let worker = || -> Result<ShareDone> {
        let mut share = ShareDone::default();
        while !has_failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            match work(number) {
                Ok(done) => share = share.plus(done),
                Err(error) => {
                    has_failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(share)
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..cores.min(count).min(at_once)).map(|_| scope.spawn(worker)).collect();
        let mut share = ShareDone::default();
        let mut failure = None;
        for thread in threads {
            match thread.join() {
                Ok(Ok(done)) => share = share.plus(done),
                Ok(Err(error)) => failure = failure.or(Some(error)),
                Err(_panicked) => failure = Some(Error::PartEnded { part: "a thread that scores" }),
            }
        }
        failure.map_or(Ok(share), Err)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_done_at_once_than_may_be() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let one = |_number: usize| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(ShareDone { rows: 1, bad_rows: 0, parts: 1 })
        };
        assert_eq!(each(1000, 1, one).unwrap().rows, 1000);
        assert_eq!(most.into_inner(), 1);
    }

    #[test]
    fn all_is_done_or_a_failure_is_told() {
        let one = |number: usize| Ok(ShareDone { rows: number as u64, bad_rows: 0, parts: 1 });
        let all = each(100, usize::MAX, one).unwrap();
        assert_eq!((all.rows, all.parts), (4950, 100));
        assert_eq!(each(0, usize::MAX, one).unwrap(), ShareDone::default());
        let fails = |number: usize| match number {
            7 => Err(Error::predict("seven", "")),
            number => one(number),
        };
        assert_eq!(each(100, 2, fails).unwrap_err().to_string(), "seven");
    }
}
