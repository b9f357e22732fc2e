//! A handshake: the usual one, or that of a certificate authority which looks at a challenge.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use crate::challenge::PROTOCOL;

/// How the next handshake is made.
pub(crate) struct Handshake {
    pub(crate) usual: TlsAcceptor,
    /// Where there are challenges now: how they are answered.
    pub(crate) challenge: Option<Arc<ServerConfig>>,
}

impl Handshake {
    /// The encrypted stream; none where the other side was an authority, which has seen what it wanted.
    pub(crate) async fn make<I>(self, stream: I) -> io::Result<Option<TlsStream<I>>>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(challenge) = self.challenge else {
            return self.usual.accept(stream).await.map(Some);
        };
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let is_authority = {
            let hello = start.client_hello();
            hello.alpn().is_some_and(|offered| offered.eq([PROTOCOL]))
        };
        if !is_authority {
            return start.into_stream(Arc::clone(self.usual.config())).await.map(Some);
        }
        // RFC 8737: no data is exchanged on such a connection.
        start.into_stream(challenge).await?.shutdown().await?;
        Ok(None)
    }
}
