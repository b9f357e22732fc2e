//! A connection's bytes, encrypted or not, and the handshake before the first of them.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use crate::handshake::Handshake;
use crate::watched::Watched;

/// How long a handshake may take: it is two round trips and a signature.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// What requests are read from.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(Watched),
    Encrypted(Box<TlsStream<Watched>>),
}

impl Stream {
    /// The stream of a connection, after its handshake if there is one; none where that fails.
    pub(crate) async fn open(
        mut watched: Watched,
        handshake: Option<Handshake>,
        peer: SocketAddr,
    ) -> Option<Self> {
        let Some(handshake) = handshake else { return Some(Self::Plain(watched)) };
        let made = async {
            // A session takes some KiB, and who says nothing needs none.
            watched.readable().await?;
            Box::pin(handshake.make(watched)).await
        };
        match tokio::time::timeout(HANDSHAKE_MAX, made).await {
            Ok(Ok(Some(stream))) => Some(Self::Encrypted(Box::new(stream))),
            Ok(Ok(None)) => {
                tracing::debug!(%peer, "a certificate authority looked at a challenge");
                None
            }
            Ok(Err(error)) => {
                // Clients that do not trust the certificate break off here, and scanners all the time.
                tracing::debug!(%error, %peer, "a handshake failed");
                None
            }
            Err(_elapsed) => {
                tracing::debug!(%peer, "a handshake took too long");
                None
            }
        }
    }

    /// The certificate that the other side has shown, as it was sent (DER).
    pub(crate) fn certificate(&self) -> Option<Vec<u8>> {
        let Self::Encrypted(stream) = self else { return None };
        let (_socket, session) = stream.get_ref();
        Some(session.peer_certificates()?.first()?.to_vec())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Encrypted(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Encrypted(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Self::Encrypted(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Encrypted(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Encrypted(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Encrypted(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
