//! The body of a request on its way to an instance: never collected, and able to be offered to another
//! instance as long as nothing of it was read. What breaks it off is the client's doing.

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
    incoming: Paced,
    touched: bool,
    /// Bytes that may still come.
    allowance: u64,
    broken: Option<Broken>,
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
        let slot = Slot { incoming, touched: false, allowance: bytes_max, broken: None };
        Self { shared: Arc::new(Mutex::new(slot)) }
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
        let whole = self.slot().incoming.up_to_date_since();
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
        let frame = std::task::ready!(Pin::new(&mut slot.incoming).poll_frame(cx));
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
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.slot().incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.slot().incoming.size_hint()
    }
}
