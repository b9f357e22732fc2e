//! The accept loop.

use std::error::Error;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body::Body;
use tokio::sync::watch;

use crate::body::Paced;
use crate::connection::{self, Parsers};
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
    /// Held by each until it is closed.
    ending: watch::Sender<()>,
    places: Arc<Places>,
}

impl Open {
    /// Connections that have a place.
    pub fn count(&self) -> usize {
        self.places.open()
    }

    /// Lets requests in flight finish and closes what is idle; how many were left at the limit.
    pub async fn finish(self, limit: Duration) -> usize {
        self.ending.send_replace(());
        match tokio::time::timeout(limit, self.ending.closed()).await {
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
    let ending = watch::Sender::new(());
    let parsers = Arc::new(Parsers::new(limits, protocols));
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
        let (parsers, ending) = (Arc::clone(&parsers), ending.subscribe());
        let task = tokio::spawn(async move {
            let Some(stream) = Stream::open(stream, handshake, peer).await else { return };
            if let Some((shown, certificate)) = shown.zip(stream.certificate()) {
                // Set once, here.
                let _new = shown.set(certificate);
            }
            let stream = Strict::new(stream, Arc::clone(&marks), is_strict);
            if let Err(error) = connection::serve(stream, service, parsers, marks, ending).await {
                // Clients break off all the time.
                tracing::debug!(%error, %peer, "a connection broke off");
            }
            drop(arrival);
        });
        match place {
            Some(place) => place.served_by(task.abort_handle()),
            None => places.crowd(task.abort_handle()),
        }
    }
    drop(listener);
    Open { ending, places }
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
