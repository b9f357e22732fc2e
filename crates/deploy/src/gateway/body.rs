//! Bodies on their way through: never collected, and able to be offered to another instance as long as
//! nothing of them was read.
//!
//! A request's body knows whose turn it is: as long as the client owes bytes, no instance is slow, and
//! what breaks it off is the client's doing.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use trainyard_net::{Paced, PacedError};

use super::outcome::Failure;
use super::target::InFlight;
use super::upstream::Answer;

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
    /// The instance wants bytes, and the client has not sent them yet.
    owed: bool,
    /// When the last bytes came from the client.
    last: Instant,
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
    pub(super) fn new(incoming: Paced, max_bytes: u64) -> Self {
        let slot = Slot {
            incoming,
            touched: false,
            allowance: max_bytes,
            broken: None,
            owed: false,
            last: Instant::now(),
        };
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
        let slot = self.slot();
        if slot.owed { Duration::ZERO } else { slot.last.max(asked).elapsed() }
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
        let Poll::Ready(frame) = Pin::new(&mut slot.incoming).poll_frame(cx) else {
            slot.owed = true;
            return Poll::Pending;
        };
        slot.owed = false;
        slot.touched = true;
        slot.last = Instant::now();
        let Some(frame) = frame else { return Poll::Ready(None) };
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
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

/// An answer: the gateway's own, or an instance's, which keeps that instance in use until it ends.
#[derive(Debug)]
pub(super) enum ResponseBody {
    /// Made here.
    Own(Full<Bytes>),
    /// Passed through.
    Passed {
        /// From the instance.
        answer: Answer,
        /// What it answers: when it breaks off because the client did, that is not the instance's fault.
        request: RequestBody,
        /// Counts the request as in flight until the last byte.
        in_flight: InFlight,
    },
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Own(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|error: Infallible| match error {}))),
            Self::Passed { answer, request, in_flight } => {
                let frame = answer.poll_frame(cx, &in_flight.target().upstream);
                if matches!(frame, Poll::Ready(Some(Err(_)))) && request.failure().is_none() {
                    in_flight.target().broke_off();
                }
                frame.map(|frame| frame.map(|frame| frame.map_err(BodyError::from)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Passed { answer, .. } => answer.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::Passed { answer, .. } => answer.incoming.size_hint(),
        }
    }
}
