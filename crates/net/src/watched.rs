//! A stream that ends when nothing happens on it.
//!
//! HTTP libraries time the head of a request. Nobody times what comes before (the bytes that tell HTTP/1
//! from HTTP/2), connections of HTTP/2 without a stream, and answers that are not read. One clock for
//! the whole connection does: at each tick there must have been a reason for it to be open.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::marks::{Look, Marks};

/// Bytes that a reader of a long answer takes in a second, at the least.
const READ_RATE_MIN: u64 = 1 << 10;

/// A TCP stream with a clock.
#[derive(Debug)]
pub(crate) struct Watched {
    stream: TcpStream,
    marks: Arc<Marks>,
    tick: Pin<Box<Sleep>>,
    idle: Duration,
    /// What was there at the last tick.
    last: Look,
}

impl Watched {
    pub(crate) fn new(stream: TcpStream, marks: Arc<Marks>, idle: Duration) -> Self {
        let tick = Box::pin(sleep(idle));
        Self { stream, marks, tick, idle, last: Look::default() }
    }

    /// Waits until there is something to be read, or for the end.
    pub(crate) async fn readable(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            // A socket that was just accepted counts as readable until somebody has tried.
            let mut first = [0; 1];
            match self.stream.poll_peek(cx, &mut ReadBuf::new(&mut first)) {
                Poll::Pending => self.poll_end(cx).map(Err),
                Poll::Ready(peeked) => Poll::Ready(peeked.map(|_bytes| ())),
            }
        })
        .await
    }

    /// Ready when the connection must end.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.tick.as_mut().poll(cx));
            let now = self.marks.look();
            if let Some(reason) = idle_for(self.last, now, self.idle) {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, reason));
            }
            self.last = now;
            // Who is silent goes when its time is over; all else is looked at again after as long.
            let silence = now.silence.filter(|silence| *silence < self.idle && !now.is_stuck);
            let next = self.idle.saturating_sub(silence.unwrap_or_default());
            self.tick.as_mut().reset(Instant::now() + next);
        }
    }

    /// Passes a result of writing on, or waits for it or for the end.
    fn poll_written(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.marks.stuck(written.is_pending());
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.marks.wrote(bytes);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_end(cx).map(Err),
        }
    }
}

/// Why a connection has no reason to be open, from two looks at it.
fn idle_for(last: Look, now: Look, time: Duration) -> Option<&'static str> {
    let between = now.age.saturating_sub(last.age);
    let enough = READ_RATE_MIN as f64 * between.as_secs_f64();
    let is_read = now.written.saturating_sub(last.written) as f64 > enough;
    // An answer that has just begun has had no time to be read.
    if last.is_stuck && now.is_stuck && !is_read {
        return Some("the answer was not read");
    }
    let is_silent = now.silence.is_some_and(|silence| silence >= time);
    (is_silent && !is_read).then_some("no request came")
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        match Pin::new(&mut me.stream).poll_read(cx, buffer) {
            Poll::Pending => me.poll_end(cx).map(Err),
            done @ Poll::Ready(_) => done,
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        let written = Pin::new(&mut me.stream).poll_write(cx, bytes);
        me.poll_written(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        let written = Pin::new(&mut me.stream).poll_write_vectored(cx, parts);
        me.poll_written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_needs_a_reason() {
        let time = Duration::from_secs(10);
        let look = |silence: Option<u64>, is_stuck, written| Look {
            age: Duration::ZERO,
            silence: silence.map(Duration::from_secs),
            is_stuck,
            written,
        };
        let judged = |last, now| idle_for(last, Look { age: time, ..now }, time);
        let before = look(Some(5), false, 500);
        assert_eq!(judged(before, look(Some(15), false, 500)), Some("no request came"));
        // One was answered since, however short ago.
        assert_eq!(judged(before, look(Some(1), false, 500)), None);
        assert_eq!(judged(before, look(None, false, 500)), None);
        // An HTTP/2 client that takes its answers in drops, and one that takes them.
        assert_eq!(judged(before, look(Some(15), false, 600)), Some("no request came"));
        assert_eq!(judged(before, look(Some(15), false, 500 + (11 << 10))), None);
        let stuck = look(None, true, 500);
        assert_eq!(judged(before, stuck), None);
        assert_eq!(judged(stuck, look(None, true, 600)), Some("the answer was not read"));
        assert_eq!(judged(stuck, look(None, true, 500 + (11 << 10))), None);
    }
}
