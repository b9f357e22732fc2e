//! Bodies on their way through: never collected, and able to be offered to another instance as long as
//! nothing of them was read.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;

use super::route::InFlight;
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
    incoming: Incoming,
    touched: bool,
    /// Bytes that may still come.
    allowance: u64,
    too_large: bool,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, max_bytes: u64) -> Self {
        let slot = Slot { incoming, touched: false, allowance: max_bytes, too_large: false };
        Self { shared: Arc::new(Mutex::new(slot)) }
    }

    /// Whether nothing was read, so that the request can be sent somewhere else as a whole.
    pub(super) fn is_untouched(&self) -> bool {
        self.shared.lock().is_ok_and(|slot| !slot.touched)
    }

    /// Whether the body was broken off because it exceeded its limit.
    pub(super) fn is_too_large(&self) -> bool {
        self.shared.lock().is_ok_and(|slot| slot.too_large)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Ok(mut slot) = self.shared.lock() else {
            return Poll::Ready(Some(Err("a reader of this body panicked".into())));
        };
        let frame = ready!(Pin::new(&mut slot.incoming).poll_frame(cx));
        slot.touched = true;
        let Some(frame) = frame else { return Poll::Ready(None) };
        let frame = frame?;
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        if length > slot.allowance {
            slot.too_large = true;
            return Poll::Ready(Some(Err("the request body is too large".into())));
        }
        slot.allowance -= length;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.shared.lock().is_ok_and(|slot| slot.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.shared.lock().map(|slot| slot.incoming.size_hint()).unwrap_or_default()
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
            Self::Passed { answer, in_flight } => answer
                .poll_frame(cx, &in_flight.target().upstream)
                .map(|frame| frame.map(|frame| frame.map_err(BodyError::from))),
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
