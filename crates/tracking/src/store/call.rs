//! One read of the database: how long it may take, whether anybody still waits for it, and how much
//! it may hold.
//!
//! What a read costs is decided by whoever asks: a pattern, a list, a run with a million params. So
//! each read has a [`Call`], which the database looks at while it works.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use trainyard_base::{Budget, Share};

use super::database::Row;
use crate::error::{Error, Result};

/// What reads may take.
#[derive(Debug, Clone)]
pub struct ReadLimits {
    /// Time for one read, its wait for a connection included; none for as long as it takes.
    pub time: Option<Duration>,
    /// What all reads together may hold of rows that were read.
    pub memory: Arc<Budget>,
}

impl Default for ReadLimits {
    /// No limit of time, and a quarter of the memory.
    fn default() -> Self {
        Self { time: None, memory: Budget::of_process(None) }
    }
}

/// Time of a read that is done on the thread of its caller; beyond it is begun anew elsewhere.
const SHORT_TIME: Duration = Duration::from_millis(25);
/// Bytes of a read that is done on the thread of its caller: a run of the usual size.
const SHORT_BYTES_MAX: u64 = 1 << 20;
/// What a row takes beside its texts: the structs they end up in.
const ROW_BYTES: u64 = 64;
/// What a text takes beside its bytes: a `String`, and what the allocator adds.
const TEXT_BYTES: u64 = 32;
/// Bytes that are taken from the budget at a time.
const STEP_BYTES: u64 = 256 << 10;

/// One read.
#[derive(Debug)]
pub(crate) struct Call {
    end: Option<Instant>,
    is_gone: AtomicBool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Short,
    Long { time: Duration, share: Mutex<Share> },
}

impl Call {
    /// A read on the thread of its caller.
    pub(crate) fn short() -> Arc<Self> {
        let end = Instant::now().checked_add(SHORT_TIME);
        Arc::new(Self { end, is_gone: AtomicBool::new(false), kind: Kind::Short })
    }

    /// A read of any size. Its time begins now.
    pub(crate) fn long(limits: &ReadLimits) -> Result<Arc<Self>> {
        let time = limits.time.unwrap_or(Duration::MAX);
        let share = Mutex::new(limits.memory.take(0)?);
        Ok(Arc::new(Self {
            end: Instant::now().checked_add(time),
            is_gone: AtomicBool::new(false),
            kind: Kind::Long { time, share },
        }))
    }

    /// When its time is over.
    pub(crate) fn end(&self) -> Option<Instant> {
        self.end
    }

    /// Nobody waits for it any more.
    pub(crate) fn give_up(&self) {
        self.is_gone.store(true, Ordering::Relaxed);
    }

    /// Whether it must stop.
    pub(crate) fn is_over(&self) -> bool {
        self.is_gone() || self.end.is_some_and(|end| Instant::now() >= end)
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed)
    }

    /// Why it was stopped.
    pub(crate) fn stopped(&self) -> Error {
        match &self.kind {
            _ if self.is_gone() => Error::Stopped,
            Kind::Short => Error::NotShort,
            Kind::Long { time, .. } => Error::TimedOut { seconds: time.as_secs() },
        }
    }

    /// Calls `each` with a row, and takes what the row holds from the budget. `meter` counts what
    /// was read so far, from 0.
    pub(crate) fn count(
        &self,
        meter: &mut Meter,
        row: &dyn Row,
        each: &mut dyn FnMut(&dyn Row) -> Result<()>,
    ) -> Result<()> {
        let counted = Counted { row, bytes: std::cell::Cell::new(ROW_BYTES) };
        each(&counted)?;
        meter.bytes += counted.bytes.get();
        match &self.kind {
            Kind::Short if meter.bytes > SHORT_BYTES_MAX => Err(Error::NotShort),
            Kind::Short => Ok(()),
            Kind::Long { share, .. } => {
                if meter.bytes > STEP_BYTES {
                    let bytes = std::mem::take(&mut meter.bytes);
                    let mut share = share.lock().unwrap_or_else(PoisonError::into_inner);
                    share.grow(bytes)?;
                }
                Ok(())
            }
        }
    }
}

/// Bytes read that were not yet taken from the budget.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    bytes: u64,
}

/// A row that counts the texts and lists that are taken out of it.
struct Counted<'a> {
    row: &'a dyn Row,
    bytes: std::cell::Cell<u64>,
}

impl Row for Counted<'_> {
    fn int(&self, column: usize) -> Result<Option<i64>> {
        self.row.int(column)
    }

    fn real(&self, column: usize) -> Result<Option<f64>> {
        self.row.real(column)
    }

    fn text(&self, column: usize) -> Result<Option<&str>> {
        let text = self.row.text(column)?;
        let bytes = text.map_or(0, |text| text.len() as u64 + TEXT_BYTES);
        self.bytes.set(self.bytes.get() + bytes);
        Ok(text)
    }

    fn ints(&self, column: usize) -> Result<Vec<i64>> {
        let values = self.row.ints(column)?;
        self.bytes.set(self.bytes.get() + 8 * values.len() as u64);
        Ok(values)
    }

    fn reals(&self, column: usize) -> Result<Vec<f64>> {
        let values = self.row.reals(column)?;
        self.bytes.set(self.bytes.get() + 8 * values.len() as u64);
        Ok(values)
    }
}

/// Gives a call up when it is dropped: the caller hung up.
#[derive(Debug)]
pub(crate) struct Waiting(pub(crate) Arc<Call>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.give_up();
    }
}
