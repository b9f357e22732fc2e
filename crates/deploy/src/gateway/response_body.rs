//! The body of an answer on its way to the client: passed on as it comes, and the instance is in use
//! until its end.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

use super::request_body::{BodyError, RequestBody};
use super::tap::Tap;
use super::target::InFlight;
use super::upstream::Answer;

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
        /// Makes a copy of what is answered.
        tap: Option<Box<Tap>>,
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
            Self::Passed { answer, request, in_flight, tap } => {
                let frame = answer.poll_frame(cx, &in_flight.replica().upstream);
                if let Some(tap) = tap {
                    match &frame {
                        Poll::Ready(Some(Ok(frame))) => {
                            tap.pass(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
                        }
                        Poll::Ready(Some(Err(_))) => tap.break_off(),
                        Poll::Ready(None) | Poll::Pending => {}
                    }
                }
                if matches!(frame, Poll::Ready(Some(Err(_)))) && request.failure().is_none() {
                    in_flight.replica().broke_off();
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
