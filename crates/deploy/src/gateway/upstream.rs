//! Connections to one instance, driven by whoever uses them.
//!
//! A connection has no task of its own: the request that uses it polls it, from sending to the last byte
//! of the answer, and it rests in the pool in between. A request then stays on the thread of its client,
//! which costs no wake-up of another one; that is most of what a proxy does.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::body::{BodyError, RequestBody};

/// Idle connections are closed by us first: common servers close theirs after 5 s, and a request sent
/// into a closing connection is lost.
const IDLE: Duration = Duration::from_secs(4);

/// Idle connections kept.
const MAX_IDLE: usize = 256;

/// Why no answer came.
#[derive(Debug)]
pub(super) enum SendError {
    /// No connection, so nothing was sent.
    Connect(std::io::Error),
    /// The connection broke before an answer.
    Broken(hyper::Error),
}

/// Connections to one instance.
#[derive(Debug)]
pub(super) struct Upstream {
    address: SocketAddr,
    connect_timeout: Duration,
    pool: Arc<Pool>,
}

/// Connections at rest, the latest used last.
#[derive(Debug, Default)]
struct Pool {
    idle: Mutex<Vec<(Instant, Line)>>,
}

/// A connection with its two ends: what it is asked through, and what moves its bytes.
#[derive(Debug)]
struct Line {
    sender: SendRequest<RequestBody>,
    connection: http1::Connection<TokioIo<TcpStream>, RequestBody>,
    /// The connection must not be driven any more.
    ended: bool,
}

impl Upstream {
    pub(super) fn new(address: SocketAddr, connect_timeout: Duration) -> Self {
        Self { address, connect_timeout, pool: Arc::default() }
    }

    /// Closes the connections at rest.
    pub(super) fn close_idle(&self) {
        self.pool.lines().clear();
    }

    /// Sends a request. A pooled connection that turns out closed before anything was written is
    /// replaced without notice; nothing else is tried again here.
    pub(super) async fn send(
        &self,
        mut request: Request<RequestBody>,
    ) -> Result<Response<UpstreamBody>, SendError> {
        while let Some(mut line) = self.pool.take() {
            match line.ask(request).await {
                Ok(response) => return Ok(self.passed(response, line)),
                Err((error, None)) => return Err(SendError::Broken(error)),
                Err((_, Some(unsent))) => request = unsent,
            }
        }
        let mut line = self.connect().await?;
        match line.ask(request).await {
            Ok(response) => Ok(self.passed(response, line)),
            Err((error, _)) => Err(SendError::Broken(error)),
        }
    }

    /// Sends a request that changes the protocol, on a connection that is only for it.
    pub(super) async fn send_upgrade(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<UpstreamBody>, SendError> {
        let Line { mut sender, connection, .. } = self.connect().await?;
        // It lives on as something else, so it cannot be driven by this request.
        tokio::spawn(connection.with_upgrades());
        let response = sender.send_request(request).await.map_err(SendError::Broken)?;
        Ok(response.map(|incoming| UpstreamBody { incoming, ended: false, line: None }))
    }

    async fn connect(&self) -> Result<Line, SendError> {
        let connecting =
            tokio::time::timeout(self.connect_timeout, TcpStream::connect(self.address));
        let stream = connecting
            .await
            .unwrap_or_else(|_elapsed| Err(std::io::ErrorKind::TimedOut.into()))
            .map_err(SendError::Connect)?;
        stream.set_nodelay(true).map_err(SendError::Connect)?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(SendError::Broken)?;
        Ok(Line { sender, connection, ended: false })
    }

    fn passed(&self, response: Response<Incoming>, line: Line) -> Response<UpstreamBody> {
        let line = Some((line, Arc::clone(&self.pool)));
        response.map(|incoming| UpstreamBody { incoming, ended: false, line })
    }
}

impl Pool {
    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Line)>> {
        // Nothing that could panic happens under this lock.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that is still open, if there is one.
    fn take(&self) -> Option<Line> {
        loop {
            let (since, mut line) = self.lines().pop()?;
            // The other side may have closed it at rest; nobody looked meanwhile.
            if since.elapsed() < IDLE && line.is_open() {
                return Some(line);
            }
        }
    }

    fn put(&self, line: Line) {
        let mut lines = self.lines();
        if lines.len() < MAX_IDLE {
            lines.push((Instant::now(), line));
        }
        // The oldest are first; under load they would never be taken, and never be missed.
        let old = lines.iter().take_while(|(since, _)| since.elapsed() >= IDLE).count();
        lines.drain(..old);
    }
}

impl Line {
    /// Moves bytes; `true` when the connection has ended.
    fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        self.ended = self.ended || Pin::new(&mut self.connection).poll(cx).is_ready();
        self.ended
    }

    /// Looks without waiting.
    fn is_open(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        !self.drive(&mut cx) && matches!(self.sender.poll_ready(&mut cx), Poll::Ready(Ok(())))
    }

    /// Sends a request and waits for the head of the answer. The request comes back when nothing of it
    /// was sent.
    async fn ask(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, (hyper::Error, Option<Request<RequestBody>>)> {
        let answer = self.sender.try_send_request(request);
        tokio::pin!(answer);
        let (connection, ended) = (&mut self.connection, &mut self.ended);
        let answered = std::future::poll_fn(|cx| {
            *ended = *ended || Pin::new(&mut *connection).poll(cx).is_ready();
            answer.as_mut().poll(cx)
        });
        answered.await.map_err(|mut refused| {
            let unsent = refused.take_message();
            (refused.into_error(), unsent)
        })
    }
}

/// An answer's body, which drives the connection that it comes from.
#[derive(Debug)]
pub(super) struct UpstreamBody {
    incoming: Incoming,
    ended: bool,
    /// The connection and where it goes when the answer is complete; `None` when it drives itself.
    line: Option<(Line, Arc<Pool>)>,
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some((line, _)) = &mut this.line
            && line.drive(cx)
        {
            // What has arrived before the end is still to be read.
            this.line = None;
        }
        let frame = ready!(Pin::new(&mut this.incoming).poll_frame(cx));
        this.ended = frame.is_none();
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// A connection whose answer was read to its end serves the next request; any other is closed.
impl Drop for UpstreamBody {
    fn drop(&mut self) {
        if let Some((mut line, pool)) = self.line.take()
            && (self.ended || self.incoming.is_end_stream())
            && line.is_open()
        {
            pool.put(line);
        }
    }
}
