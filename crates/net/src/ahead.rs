//! A stream whose first bytes can be looked at before anybody reads them: to see what is spoken, and to wait for more
//! without a parser and its buffers.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are taken at once: the head of nearly every request, and most bodies with it.
pub(crate) const PART_MAX: usize = 4 << 10;

/// A stream, and what was read of it ahead of its reader.
#[derive(Debug)]
pub(crate) struct Ahead<I> {
    bytes: Vec<u8>,
    io: I,
}

impl<I: AsyncRead + Unpin> Ahead<I> {
    pub(crate) fn new(io: I) -> Self {
        Self { bytes: Vec::new(), io }
    }

    /// What is there for the next reader.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives back what a reader has taken and not used: it comes before what was not taken.
    pub(crate) fn give_back(&mut self, bytes: &[u8]) {
        self.bytes = [bytes, self.bytes.as_slice()].concat();
    }

    /// Waits until the other side says more than is there; whether it did, or has ended.
    pub(crate) async fn more(&mut self) -> io::Result<bool> {
        poll_fn(|cx| {
            // On the stack, and only while bytes are there: whoever waits holds no buffer.
            let mut part = [const { MaybeUninit::uninit() }; PART_MAX];
            let mut part = ReadBuf::uninit(&mut part);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut part))?;
            self.bytes.extend_from_slice(part.filled());
            Poll::Ready(Ok(!part.filled().is_empty()))
        })
        .await
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Ahead<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        if me.bytes.is_empty() {
            return Pin::new(&mut me.io).poll_read(cx, buffer);
        }
        let length = me.bytes.len().min(buffer.remaining());
        let left = me.bytes.split_off(length);
        buffer.put_slice(&std::mem::replace(&mut me.bytes, left));
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Ahead<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn what_was_looked_at_is_read_before_all_else() {
        let (mut client, server) = duplex(64);
        let mut ahead = Ahead::new(server);
        client.write_all(b"one ").await.unwrap();
        assert!(ahead.more().await.unwrap());
        client.write_all(b"two ").await.unwrap();
        assert!(ahead.more().await.unwrap());
        assert_eq!(ahead.bytes(), b"one two ");
        client.write_all(b"three").await.unwrap();
        let mut few = [0; 3];
        ahead.read_exact(&mut few).await.unwrap();
        assert_eq!((&few, ahead.bytes()), (b"one", b" two ".as_slice()));
        drop(client);
        let mut all = String::new();
        ahead.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, " two three");
        ahead.give_back(b"four");
        assert!(!ahead.more().await.unwrap(), "the other side has ended");
        assert_eq!(ahead.bytes(), b"four");
        ahead.give_back(b"three ");
        assert_eq!(ahead.bytes(), b"three four");
    }
}
