//! Connections to one instance, each driven by the request that uses it.
//!
//! HTTP clients usually run a connection as a task of its own, which costs every request two changes of
//! task, and often of core. Here whoever waits for an answer or passes its body on drives the
//! connection; nobody drives one that is idle.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::Failure;
use super::request_body::RequestBody;

/// Idle connections are closed by us first: common servers close theirs after 5 s, and a request sent
/// into a closing connection is lost.
pub(super) const IDLE: Duration = Duration::from_secs(4);

/// Idle connections kept.
const IDLE_MAX: usize = 256;

/// What the connections to all instances share.
#[derive(Debug, Clone)]
pub(super) struct Links {
    /// One for each connection that may be open: descriptors are few, and those of clients not all.
    permits: Arc<Semaphore>,
    max: Arc<AtomicUsize>,
    connect_timeout: Duration,
}

impl Links {
    pub(super) fn new(max: usize, connect_timeout: Duration) -> Self {
        let (permits, max) = (Arc::new(Semaphore::new(max)), Arc::new(AtomicUsize::new(max)));
        Self { permits, max, connect_timeout }
    }

    /// Changes how many may be open. Those that are in use beyond it are not closed.
    pub(super) fn resize(&self, max: usize) {
        let before = self.max.load(Ordering::Relaxed);
        let gone = self.permits.forget_permits(before.saturating_sub(max));
        self.permits.add_permits(max.saturating_sub(before));
        self.max.store(max.max(before - gone), Ordering::Relaxed);
    }
}

/// Connections to one instance.
#[derive(Debug)]
pub(super) struct Upstream {
    /// Where it answers. An instance that is started again may be elsewhere.
    address: Mutex<SocketAddr>,
    links: Links,
    /// The one that was used last is the last.
    idle: Mutex<Vec<(Link, Instant)>>,
}

impl Upstream {
    pub(super) fn new(address: SocketAddr, links: Links) -> Self {
        Self { address: Mutex::new(address), links, idle: Mutex::default() }
    }

    /// Where new connections go.
    pub(super) fn address(&self) -> SocketAddr {
        // An address is whole at any time.
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends new connections elsewhere; whether that is news.
    pub(super) fn move_to(&self, address: SocketAddr) -> bool {
        let before = {
            let mut now = self.address.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *now, address)
        };
        if before != address {
            self.close_idle();
        }
        before != address
    }

    /// Sends a request. A kept connection that turns out closed before anything was written is
    /// replaced without notice; nothing else is tried again here.
    pub(super) async fn send(
        &self,
        mut request: Request<RequestBody>,
    ) -> Result<Response<Answer>, Failure> {
        let body = request.body().clone();
        while let Some(mut link) = self.take() {
            if !link.is_usable().await {
                continue;
            }
            match link.ask(request).await {
                Ok(response) => return Ok(self.answer(response, link, &body)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(broken(&error.into_error())),
                },
            }
        }
        let (sender, connection, permit) = self.connect().await?;
        let mut link = Link { sender, connection: Some(Box::pin(connection)), permit };
        match link.ask(request).await {
            Ok(response) => Ok(self.answer(response, link, &body)),
            Err(error) => Err(broken(&error.into_error())),
        }
    }

    /// Sends a request that may change the protocol, on a connection of its own.
    pub(super) async fn send_upgrade(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<Answer>, Failure> {
        let (mut sender, connection, permit) = self.connect().await?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to an instance broke off");
            }
        });
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        Ok(response.map(|incoming| Answer { incoming, link: None, permit: Some(permit) }))
    }

    /// Closes the connections that nobody uses.
    pub(super) fn close_idle(&self) {
        self.lock().clear();
    }

    /// Closes those that were idle for too long.
    pub(super) fn sweep(&self) {
        let mut idle = self.lock();
        let old = idle.partition_point(|(_link, since)| since.elapsed() > IDLE);
        idle.drain(..old);
    }

    async fn connect(
        &self,
    ) -> Result<(SendRequest<RequestBody>, Wire, OwnedSemaphorePermit), Failure> {
        let limit = self.links.connect_timeout;
        let permit = Arc::clone(&self.links.permits).acquire_owned();
        // Never closed, so what is missing is time.
        let Ok(Ok(permit)) = tokio::time::timeout(limit, permit).await else {
            return Err(Failure::Exhausted(std::io::Error::other(
                "all connections to instances are in use",
            )));
        };
        let address = self.address();
        let connecting = tokio::time::timeout(limit, async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            std::io::Result::Ok(stream)
        });
        let stream = match connecting.await {
            Ok(connected) => connected.map_err(Failure::of_connect)?,
            Err(_elapsed) => {
                return Err(Failure::Connect(format!("no connection within {limit:?}")));
            }
        };
        let (sender, wire) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        Ok((sender, wire, permit))
    }

    fn answer(
        &self,
        response: Response<Incoming>,
        link: Link,
        body: &RequestBody,
    ) -> Response<Answer> {
        response.map(|incoming| {
            if !body.is_end_stream() {
                // The instance answers before it has the whole request: the rest goes on its way
                // whether or not the client reads the answer meanwhile.
                link.finish();
                return Answer { incoming, link: None, permit: None };
            }
            let mut answer = Answer { incoming, link: Some(link), permit: None };
            if answer.incoming.is_end_stream() {
                answer.give_back(self);
            }
            answer
        })
    }

    /// The connection that was used last, if it is not too old.
    fn take(&self) -> Option<Link> {
        let (link, since) = self.lock().pop()?;
        if since.elapsed() <= IDLE {
            return Some(link);
        }
        // All others are older still.
        self.lock().clear();
        None
    }

    fn put(&self, link: Link) {
        let mut idle = self.lock();
        if idle.len() < IDLE_MAX {
            idle.push((link, Instant::now()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Link, Instant)>> {
        // The list is whole between any two operations, so a panic elsewhere is no harm.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection broke before an answer; the innermost cause says most.
fn broken(error: &hyper::Error) -> Failure {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Failure::Broken(cause.to_string())
}

type Wire = Connection<TokioIo<TcpStream>, RequestBody>;

/// One connection.
#[derive(Debug)]
struct Link {
    sender: SendRequest<RequestBody>,
    /// None when it has ended.
    connection: Option<Pin<Box<Wire>>>,
    permit: OwnedSemaphorePermit,
}

impl Link {
    /// Whether the connection takes a request, as far as can be told without sending one.
    async fn is_usable(&mut self) -> bool {
        poll_fn(|cx| {
            drive(&mut self.connection, cx);
            let is_ready = matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())));
            Poll::Ready(is_ready && self.connection.is_some())
        })
        .await
    }

    /// Lets the connection end what it does, then closes it.
    fn finish(self) {
        let permit = self.permit;
        if let Some(connection) = self.connection {
            tokio::spawn(async move {
                let _open = permit;
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to an instance broke off");
                }
            });
        }
    }

    async fn ask(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let connection = &mut self.connection;
        poll_fn(|cx| {
            drive(connection, cx);
            answer.as_mut().poll(cx)
        })
        .await
    }
}

/// Lets a connection read and write what it can, and forgets it when it has ended.
fn drive(connection: &mut Option<Pin<Box<Wire>>>, cx: &mut Context<'_>) {
    if let Some(open) = connection
        && open.as_mut().poll(cx).is_ready()
    {
        *connection = None;
    }
}

/// The body of an answer, with the connection that it comes over.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) incoming: Incoming,
    link: Option<Link>,
    /// That of a connection which may change its protocol.
    permit: Option<OwnedSemaphorePermit>,
}

impl Answer {
    /// What a tunnel holds as long as it is open.
    pub(super) fn into_permit(self) -> Option<OwnedSemaphorePermit> {
        self.permit
    }

    /// The next part of the body. At its end the connection goes back to `home`.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        home: &Upstream,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut frame = Pin::new(&mut self.incoming).poll_frame(cx);
        if frame.is_pending()
            && let Some(link) = &mut self.link
        {
            drive(&mut link.connection, cx);
            frame = Pin::new(&mut self.incoming).poll_frame(cx);
        }
        let is_end = match &frame {
            Poll::Ready(Some(Err(_))) => {
                self.link = None;
                true
            }
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) => self.incoming.is_end_stream(),
            Poll::Pending => false,
        };
        if is_end {
            self.give_back(home);
        }
        frame
    }

    fn give_back(&mut self, home: &Upstream) {
        if let Some(link) = self.link.take()
            && link.connection.is_some()
        {
            home.put(link);
        }
    }
}
