//! Memory for the answers of parts that are scored at once: of all threads and all models together.
//!
//! How much a part takes is known when its first rows are answered, whatever the models are and however many. It waits
//! until there is room for all of it, and holds nothing but those rows meanwhile; so whoever has room ends, and gives it
//! back.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use trainyard_base::memory;

/// Of the memory that is there the parts take one in so many; the rest is of the models, the input and the allocator.
const PART_OF_MEMORY: u64 = 2;

/// No room is smaller: a part of the usual size must fit.
const BYTES_MIN: u64 = 256 << 20;

/// Where nothing says how much memory there is.
const BYTES_UNKNOWN: u64 = 4 << 30;

/// Room for so many bytes.
#[derive(Debug)]
pub(super) struct Room {
    bytes_max: u64,
    used: Mutex<u64>,
    freed: Condvar,
}

/// Room that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    room: Arc<Room>,
    bytes: u64,
}

/// More is wanted than there is if all of it were free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMuch {
    pub(super) bytes_max: u64,
}

impl Room {
    /// Half of the memory that is free now.
    pub(super) fn of_process() -> Arc<Self> {
        let bytes = memory::available(None).unwrap_or(BYTES_UNKNOWN * PART_OF_MEMORY);
        Self::new((bytes / PART_OF_MEMORY).max(BYTES_MIN))
    }

    fn new(bytes_max: u64) -> Arc<Self> {
        Arc::new(Self { bytes_max, used: Mutex::new(0), freed: Condvar::new() })
    }

    /// Takes so many bytes, and waits until there are as many. Who has some already must not ask.
    pub(super) fn take(self: &Arc<Self>, bytes: u64) -> Result<Taken, TooMuch> {
        if bytes > self.bytes_max {
            return Err(TooMuch { bytes_max: self.bytes_max });
        }
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |used: &mut u64| used.saturating_add(bytes) > self.bytes_max;
        let mut used = self.freed.wait_while(used, is_full).unwrap_or_else(PoisonError::into_inner);
        *used += bytes;
        drop(used);
        Ok(Taken { room: Arc::clone(self), bytes })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut used = self.room.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(self.bytes);
        drop(used);
        self.room.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn all_at_once_take_no_more_than_there_is_and_all_come_through() {
        let room = Room::new(100);
        let (now, most, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for bytes in [60, 50, 100, 1, 40, 70, 99, 30] {
                let (room, now, most, done) = (&room, &now, &most, &done);
                scope.spawn(move || {
                    let taken = room.take(bytes).unwrap();
                    most.fetch_max(
                        now.fetch_add(bytes, Ordering::SeqCst) + bytes,
                        Ordering::SeqCst,
                    );
                    std::thread::yield_now();
                    now.fetch_sub(bytes, Ordering::SeqCst);
                    drop(taken);
                    done.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(done.into_inner(), 8);
        assert!(most.into_inner() <= 100);
        assert_eq!(room.take(101).unwrap_err(), TooMuch { bytes_max: 100 });
    }
}
