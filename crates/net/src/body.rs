//! Bodies with a clock: a request's must come on, and an answer's keeps its connection busy.
//!
//! A request's body also knows whose turn it is. As long as the client owes bytes, nobody who waits for the
//! answer can blame whoever is to give it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::Limits;
use crate::marks::{Busy, Marks};

/// Why a request's body did not come.
#[derive(Debug, thiserror::Error)]
pub enum PacedError {
    /// The client broke it off, or sent what is no body.
    #[error("the body broke off")]
    Broken(#[source] hyper::Error),
    /// It came slower than the limit.
    #[error("the body came too slowly: {bytes} bytes in {seconds} s")]
    TooSlow {
        /// Bytes that came.
        bytes: u64,
        /// Time they took.
        seconds: u64,
    },
}

/// The body of a request, which must come at a minimum rate.
#[derive(Debug)]
pub struct Paced {
    incoming: Incoming,
    pace: Pace,
    /// Made when the first wait begins: most bodies are there with their head.
    clock: Option<Clock>,
    bytes: u64,
    /// When the last part came; the head is one.
    last: Instant,
    /// More was asked for, and the client has not sent it yet.
    is_owed: bool,
    /// Where it is to be marked that all was read, and of which request; none when it is.
    unread: Option<(Arc<Marks>, u64)>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    grace: Duration,
    rate_min: u64,
}

impl Pace {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self { grace: limits.body_grace, rate_min: limits.body_rate_min.max(1) }
    }

    /// How long so many bytes may take.
    fn allows(self, bytes: u64) -> Duration {
        self.grace + Duration::from_secs_f64(bytes as f64 / self.rate_min as f64)
    }
}

#[derive(Debug)]
struct Clock {
    start: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl Paced {
    pub(crate) fn new(incoming: Incoming, pace: Pace, marks: &Arc<Marks>) -> Self {
        let has_body = !incoming.is_end_stream();
        let number = marks.asked(has_body);
        let unread = has_body.then(|| (Arc::clone(marks), number));
        Self { incoming, pace, clock: None, bytes: 0, last: Instant::now(), is_owed: false, unread }
    }

    /// Since when whoever reads it has had all that there is; `None` while the client owes more.
    pub fn up_to_date_since(&self) -> Option<std::time::Instant> {
        (!self.is_owed).then(|| self.last.into_std())
    }

    /// Ready when the time for what came is over.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<PacedError> {
        let allowed = self.pace.allows(self.bytes);
        let clock = self.clock.get_or_insert_with(|| {
            let start = Instant::now();
            Clock { start, alarm: Box::pin(sleep_until(start + allowed)) }
        });
        loop {
            std::task::ready!(clock.alarm.as_mut().poll(cx));
            let end = clock.start + allowed;
            if Instant::now() >= end {
                let seconds = clock.start.elapsed().as_secs();
                return Poll::Ready(PacedError::TooSlow { bytes: self.bytes, seconds });
            }
            clock.alarm.as_mut().reset(end);
        }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = PacedError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, PacedError>>> {
        let me = self.get_mut();
        let frame = Pin::new(&mut me.incoming).poll_frame(cx);
        let frame = match frame {
            Poll::Pending => {
                me.is_owed = true;
                std::task::ready!(me.poll_late(cx).map(|error| Some(Err(error))))
            }
            Poll::Ready(frame) => frame.map(|frame| frame.map_err(PacedError::Broken)),
        };
        me.is_owed = false;
        me.last = Instant::now();
        if let Some(Ok(frame)) = &frame {
            me.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        let is_end = match &frame {
            None => true,
            Some(Ok(_)) => me.incoming.is_end_stream(),
            Some(Err(_)) => false,
        };
        if is_end && let Some((marks, number)) = me.unread.take() {
            marks.read(number);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// The body of an answer: as long as there is more of it, its connection is not idle.
#[derive(Debug)]
pub struct Held<B> {
    body: B,
    _busy: Busy,
}

impl<B> Held<B> {
    pub(crate) fn new(body: B, busy: Busy) -> Self {
        Self { body, _busy: busy }
    }
}

impl<B: Body + Unpin> Body for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
