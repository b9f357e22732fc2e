//! The body of a request on its way to an instance: passed on as it comes, and able to be offered to another
//! instance as long as nothing of it was read. A small one can be kept as it passes, to be sent once more.
//! What breaks it off is the client's doing.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use trainyard_net::{Paced, PacedError};

use super::failure::Failure;

/// What breaks a body off.
pub(super) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A request body that the proxy can take back while it is untouched.
#[derive(Debug, Clone)]
pub(super) struct RequestBody {
    shared: Arc<Mutex<Slot>>,
}

#[derive(Debug)]
struct Slot {
    source: Source,
    /// What has passed, where it is kept.
    kept: Option<Vec<u8>>,
    touched: bool,
    /// Bytes that may still come.
    allowance: u64,
    broken: Option<Broken>,
}

/// Where a body comes from.
#[derive(Debug)]
enum Source {
    /// A client.
    Client(Paced),
    /// This gateway has it as a whole.
    Whole { bytes: Option<Bytes>, since: Instant },
}

/// How a client spoilt its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    TooLarge,
    /// Malformed, or the connection ended.
    Off,
    TooSlow,
}

impl RequestBody {
    pub(super) fn new(incoming: Paced, bytes_max: u64) -> Self {
        Self::with(Source::Client(incoming), bytes_max)
    }

    /// A body that is there as a whole.
    pub(super) fn of(bytes: Bytes) -> Self {
        let length = bytes.len() as u64;
        let bytes = Some(bytes).filter(|bytes| !bytes.is_empty());
        Self::with(Source::Whole { bytes, since: Instant::now() }, length)
    }

    fn with(source: Source, allowance: u64) -> Self {
        let slot = Slot { source, kept: None, touched: false, allowance, broken: None };
        Self { shared: Arc::new(Mutex::new(slot)) }
    }

    /// Keeps so many bytes as they pass. Only of a body of which nothing was read.
    pub(super) fn keep(&self, bytes: usize) {
        self.slot().kept = Some(Vec::with_capacity(bytes));
    }

    /// The body, if so many bytes have passed and were kept.
    pub(super) fn kept(&self, bytes: usize) -> Option<Bytes> {
        let slot = self.slot();
        let kept = slot.kept.as_ref().filter(|kept| kept.len() == bytes)?;
        Some(Bytes::copy_from_slice(kept))
    }

    /// Gives back the memory of what was kept: it is not needed any more.
    pub(super) fn forget(&self) {
        self.slot().kept = None;
    }

    /// Whether nothing was read, so that the request can be sent somewhere else as a whole.
    pub(super) fn is_untouched(&self) -> bool {
        !self.slot().touched
    }

    /// What the client did wrong, if it did.
    pub(super) fn failure(&self) -> Option<Failure> {
        Some(match self.slot().broken? {
            Broken::TooLarge => Failure::TooLarge,
            Broken::Off => Failure::BodyBroken,
            Broken::TooSlow => Failure::BodyTooSlow,
        })
    }

    /// How long an instance that was asked at `asked` has had all bytes that there are; nothing as long as
    /// it is the client's turn.
    pub(super) fn waited(&self, asked: Instant) -> Duration {
        let whole = match &self.slot().source {
            Source::Client(incoming) => incoming.up_to_date_since(),
            Source::Whole { since, .. } => Some(*since),
        };
        whole.map_or(Duration::ZERO, |whole| whole.max(asked).elapsed())
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        // A slot is whole between any two statements that could panic.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut slot = self.slot();
        let frame = match &mut slot.source {
            Source::Client(incoming) => std::task::ready!(Pin::new(incoming).poll_frame(cx)),
            Source::Whole { bytes, .. } => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
        };
        slot.touched = true;
        let frame = match frame {
            None => return Poll::Ready(None),
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                slot.broken = Some(match error {
                    PacedError::Broken(_) => Broken::Off,
                    PacedError::TooSlow { .. } => Broken::TooSlow,
                });
                return Poll::Ready(Some(Err(error.into())));
            }
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        if length > slot.allowance {
            slot.broken = Some(Broken::TooLarge);
            return Poll::Ready(Some(Err("the request body is too large".into())));
        }
        slot.allowance -= length;
        if let (Some(kept), Some(data)) = (&mut slot.kept, frame.data_ref())
            && kept.len() + data.len() <= kept.capacity()
        {
            kept.extend_from_slice(data);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.slot().source {
            Source::Client(incoming) => incoming.is_end_stream(),
            Source::Whole { bytes, .. } => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.slot().source {
            Source::Client(incoming) => incoming.size_hint(),
            Source::Whole { bytes, .. } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
        }
    }
}
