//! The accept loop.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown, Watcher};

use crate::body::{Held, Pace, Paced};
use crate::limits::{Limits, Protocols};
use crate::listener::{Acceptor, Listener};
use crate::marks::{Busy, Marks};
use crate::places::{Place, Places};
use crate::stream::Stream;
use crate::strict::Strict;
use crate::watched::Watched;

/// After an error of `accept` that is not the client's (no descriptors left), others must end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection without a place may say nothing.
const CROWD_IDLE_MAX: Duration = Duration::from_secs(3);

/// Time between two lines that say the same of the door.
const SAID_AGAIN: Duration = Duration::from_secs(30);

/// Requests on one connection of HTTP/2 at a time: it must not take all the room.
const STREAMS_MAX: u32 = 128;

/// A connection that was accepted.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The other side.
    pub peer: SocketAddr,
    /// There was no place for it: only probes are to be answered, everything else with 503 and
    /// `connection: close`.
    pub is_crowded: bool,
    marks: Arc<Marks>,
    /// Known after the handshake; none where there is no handshake.
    certificate: Option<Arc<OnceLock<Vec<u8>>>>,
    /// Whoever holds the arrival holds its place: a tunnel outlives the connection that it was.
    _place: Option<Arc<Place>>,
}

impl Arrival {
    /// Keeps the connection open beyond its requests: a tunnel after an upgrade. To be called before the
    /// answer that changes the protocol is given.
    pub fn hold(&self) -> Busy {
        self.marks.tunnel()
    }

    /// The certificate that the client has shown and one of [`crate::ClientAuthorities`] signed, in DER form. It is
    /// there before the first request.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_ref()?.get().map(Vec::as_slice)
    }
}

/// Connections that are still open after the listener is gone.
#[derive(Debug)]
pub struct Open {
    graceful: GracefulShutdown,
    places: Arc<Places>,
}

impl Open {
    /// Connections that have a place.
    pub fn count(&self) -> usize {
        self.places.open()
    }

    /// Lets requests in flight finish and closes what is idle; how many were left at the limit.
    pub async fn finish(self, limit: Duration) -> usize {
        match tokio::time::timeout(limit, self.graceful.shutdown()).await {
            Ok(()) => 0,
            Err(_elapsed) => self.places.open(),
        }
    }
}

/// Accepts connections until `stop`, and answers their requests with what `service_of` makes for each.
/// The listener is closed on return. Handshakes of TLS are made within the places of their connections.
pub async fn accept<S, F, B>(
    listener: impl Into<Listener>,
    limits: &Limits,
    protocols: Protocols,
    mut service_of: impl FnMut(Arrival) -> S,
    stop: impl Future<Output = ()>,
) -> Open
where
    S: Fn(Request<Paced>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Unpin + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut stop = pin!(stop);
    let listener = listener.into();
    let acceptor = listener.acceptor(protocols);
    let places = Places::new(limits);
    let graceful = GracefulShutdown::new();
    let builders = Arc::new(Builders::new(limits));
    let is_strict = limits.is_strict;
    let (mut crowded, mut failed) = (Said::default(), Said::default());
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.tcp.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if failed.is_due() {
                    tracing::warn!(%error, "connections cannot be accepted");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Answers are whole when they are written: waiting to fill a packet only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let marks = Arc::new(Marks::default());
        let place = places.take(peer.ip(), &marks).map(Arc::new);
        if place.is_none() && crowded.is_due() {
            tracing::warn!(
                %peer, open = places.open(), connections_max = limits.connections_max,
                per_address_max = limits.per_address_max,
                "no room for a connection: only probes are answered on it"
            );
        }
        let is_crowded = place.is_none();
        let handshake = acceptor.as_ref().map(Acceptor::current);
        let shown = handshake.as_ref().map(|_| Arc::<OnceLock<Vec<u8>>>::default());
        let arrival = Arrival {
            peer,
            is_crowded,
            marks: Arc::clone(&marks),
            certificate: shown.clone(),
            _place: place.clone(),
        };
        let service = service_of(arrival.clone());
        let idle = if is_crowded { CROWD_IDLE_MAX.min(limits.idle) } else { limits.idle };
        let stream = Watched::new(stream, Arc::clone(&marks), idle);
        let opened = {
            let marks = Arc::clone(&marks);
            async move {
                let stream = Stream::open(stream, handshake, peer).await?;
                if let Some((shown, certificate)) = shown.zip(stream.certificate()) {
                    // Set once, here.
                    let _new = shown.set(certificate);
                }
                Some(TokioIo::new(Strict::new(stream, marks, is_strict)))
            }
        };
        let pace = Pace::of(limits);
        let service = service_fn(move |request: Request<Incoming>| {
            let busy = marks.hold();
            let answered = service(request.map(|body| Paced::new(body, pace)));
            async move { Ok::<_, Infallible>(answered.await.map(|body| Held::new(body, busy))) }
        });
        let (builders, watcher) = (Arc::clone(&builders), graceful.watcher());
        let task = match protocols {
            Protocols::Http1 => {
                let connection =
                    async move { Some(builders.http1.serve_connection(opened.await?, service)) };
                tokio::spawn(run(connection, watcher, arrival))
            }
            Protocols::Both => {
                let connection = async move {
                    let stream = opened.await?;
                    let connection = builders.auto.serve_connection_with_upgrades(stream, service);
                    Some(connection.into_owned())
                };
                tokio::spawn(run(connection, watcher, arrival))
            }
        };
        match place {
            Some(place) => place.served_by(task.abort_handle()),
            None => places.crowd(task.abort_handle()),
        }
    }
    drop(listener);
    Open { graceful, places }
}

/// Serves a connection to its end, if it comes to be one.
async fn run<C>(connection: impl Future<Output = Option<C>>, watcher: Watcher, arrival: Arrival)
where
    C: GracefulConnection<Error: fmt::Display>,
{
    if let Some(connection) = connection.await
        && let Err(error) = watcher.watch(connection).await
    {
        // Clients break off all the time.
        tracing::debug!(%error, peer = %arrival.peer, "a connection broke off");
    }
    drop(arrival);
}

/// How connections are served.
struct Builders {
    http1: http1::Builder,
    auto: auto::Builder<TokioExecutor>,
}

impl Builders {
    fn new(limits: &Limits) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle)
            .max_buf_size(limits.head_bytes_max)
            .max_headers(limits.headers_max);
        let mut auto = auto::Builder::new(TokioExecutor::new());
        auto.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle)
            .max_buf_size(limits.head_bytes_max)
            .max_headers(limits.headers_max)
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
            .max_concurrent_streams(STREAMS_MAX)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20));
        Self { http1, auto }
    }
}

/// When something was last said.
#[derive(Debug, Default)]
struct Said(Option<Instant>);

impl Said {
    /// Whether to say it now.
    fn is_due(&mut self) -> bool {
        let is_due = self.0.is_none_or(|last| last.elapsed() >= SAID_AGAIN);
        if is_due {
            self.0 = Some(Instant::now());
        }
        is_due
    }
}
