//! The gateway's listeners. The one of clients is a socket that stays for as long as there is a gateway; the others are
//! where the settings say: `/metrics` for Prometheus, all paths of the instance for operators, and the way to TLS for
//! who comes without.
//!
//! New settings take nothing away: a listener begins anew on the same socket, or on another one, and connections that
//! are open stay open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::net::TcpListener;
use tokio::sync::watch;
use trainyard_base::prometheus;
use trainyard_net::{Limits, Open, Paced, Protocols};

use super::in_force::InForce;
use super::paths::Audience;
use super::proxy::{self, Client};
use super::redirect;
use super::shared::{End, Shared};

/// Scrapers at a time, and clients that are told to come back with TLS.
const VISITORS_MAX: usize = 256;

/// How long one of these may say nothing: each asks one thing.
const VISITOR_IDLE: Duration = Duration::from_secs(15);

/// Connections of operators at a time: people and their tools, not clients.
const OPERATORS_MAX: usize = 64;

/// How often an address that a predecessor still has is tried, and a socket for which there is no descriptor.
const RETRY: Duration = Duration::from_millis(250);

/// Accepts clients until the gateway is to end: what is open then, and how it is to end.
pub(super) async fn clients(
    socket: std::net::TcpListener,
    shared: &Arc<Shared>,
    mut ended: watch::Receiver<Option<End>>,
) -> (Vec<Open>, End) {
    let mut open: Vec<Open> = Vec::new();
    while ended.borrow().is_none() {
        let now = shared.in_force();
        let stop = {
            let (mut ended, now) = (ended.clone(), Arc::clone(&now));
            async move {
                let end = async move {
                    // An error would be that nobody can end it any more, which is an end as well.
                    let _told = ended.wait_for(Option::is_some).await;
                };
                tokio::select! {
                    () = end => {}
                    () = shared.change(|next| Arc::ptr_eq(&next.transport, &now.transport)) => {}
                }
            }
        };
        let challenges = &shared.acme.tls_challenges;
        // The same socket once more: who waits in its queue is accepted by whichever asks.
        let again = socket.try_clone().and_then(TcpListener::from_std);
        match again.and_then(|socket| now.transport.listener(socket, challenges)) {
            Ok(listener) => {
                let is_encrypted = now.transport.is_encrypted();
                let service = |arrival| {
                    let (audience, transport) = (Audience::Public, &now.transport);
                    let client = Client::new(shared, audience, arrival, is_encrypted, transport);
                    move |request| proxy::handle(Arc::clone(&client), request)
                };
                let limits = &now.transport.limits;
                let accepting =
                    trainyard_net::accept(listener, limits, Protocols::Both, service, stop);
                open.push(Box::pin(accepting).await);
            }
            Err(error) => {
                tracing::warn!(%error, "connections cannot be accepted");
                tokio::time::sleep(RETRY).await;
            }
        }
        open.retain(|open| open.count() > 0);
    }
    let usual = End { limit: shared.shutdown_limit(), handed_over: false };
    let end = ended.borrow_and_update().unwrap_or(usual);
    (open, end)
}

/// What is listened on beside the address of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// `/metrics`.
    Metrics,
    /// All paths of the instance.
    Operators,
    /// The way to TLS.
    Redirect,
}

impl Side {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Metrics, Self::Operators, Self::Redirect];

    fn address(self, in_force: &InForce) -> Option<SocketAddr> {
        match self {
            Self::Metrics => in_force.settings.metrics_listen,
            Self::Operators => in_force.settings.operator_listen,
            Self::Redirect => in_force.settings.way_to_tls(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Operators => "operators' paths",
            Self::Redirect => "way to TLS",
        }
    }

    /// Listens where the settings say, until the gateway ends.
    pub(super) async fn keep(self, shared: Arc<Shared>) {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let now = shared.in_force();
            let same = |next: &InForce| {
                let is_transported = self != Self::Operators;
                self.address(next) == self.address(&now)
                    && (is_transported || Arc::ptr_eq(&next.transport, &now.transport))
            };
            let Some(address) = self.address(&now) else {
                shared.change(same).await;
                continue;
            };
            let bound = tokio::select! {
                listener = bind_patiently(address, self.name()) => Some(listener),
                () = shared.change(same) => None,
            };
            if let Some(listener) = bound {
                let is_redirect = self == Self::Redirect;
                if is_redirect {
                    shared.acme.set_listens(true);
                }
                let serving = self.serve(listener, &shared, &now, shared.change(same));
                open.extend(Box::pin(serving).await);
                if is_redirect {
                    shared.acme.set_listens(false);
                }
            }
            open.retain(|open| open.count() > 0);
        }
    }

    /// Answers until `stop`.
    async fn serve(
        self,
        socket: TcpListener,
        shared: &Arc<Shared>,
        now: &InForce,
        stop: impl Future<Output = ()>,
    ) -> Option<Open> {
        if self == Self::Operators {
            return operators(socket, shared, now, stop).await;
        }
        let mut limits = Limits::new(VISITORS_MAX);
        limits.per_address_max = VISITORS_MAX;
        limits.idle = VISITOR_IDLE;
        limits.silent_give_way = true;
        let service = |_arrival| {
            let shared = Arc::clone(shared);
            move |request: Request<Paced>| {
                std::future::ready(match self {
                    Self::Redirect => redirect::answer(&shared, &request),
                    Self::Metrics | Self::Operators => page(&shared, &request),
                })
            }
        };
        Some(trainyard_net::accept(socket, &limits, Protocols::Http1, service, stop).await)
    }
}

/// Passes all paths of the instance on, for whoever may reach the address.
async fn operators(
    socket: TcpListener,
    shared: &Arc<Shared>,
    now: &InForce,
    stop: impl Future<Output = ()>,
) -> Option<Open> {
    if let Ok(address) = socket.local_addr()
        && !address.ip().is_loopback()
        && !now.door.asks()
    {
        tracing::warn!(%address, "operators' paths are open to whoever reaches this address");
    }
    // A certificate by ACME is for the public's names, and may not be there yet: within this machine it is of no use.
    let is_plain = socket.local_addr().is_ok_and(|address| address.ip().is_loopback())
        && now.settings.acme.is_some()
        && now.settings.client_ca.is_none();
    let listener = if is_plain {
        Ok(socket.into())
    } else {
        now.transport.listener(socket, &shared.acme.tls_challenges)
    };
    let listener = match listener {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%error, "no operators' paths there");
            tokio::time::sleep(RETRY).await;
            return None;
        }
    };
    let mut limits = now.transport.limits.clone();
    limits.connections_max = OPERATORS_MAX;
    limits.per_address_max = OPERATORS_MAX;
    let is_encrypted = now.transport.is_encrypted() && !is_plain;
    let service = |arrival| {
        let (audience, transport) = (Audience::Operators, &now.transport);
        let client = Client::new(shared, audience, arrival, is_encrypted, transport);
        move |request| proxy::handle(Arc::clone(&client), request)
    };
    Some(trainyard_net::accept(listener, &limits, Protocols::Both, service, stop).await)
}

fn page(shared: &Shared, request: &Request<Paced>) -> Response<Full<Bytes>> {
    let (status, text) = match request.uri().path() {
        "/metrics" => (StatusCode::OK, shared.metrics_page()),
        _ => (StatusCode::NOT_FOUND, "nothing is here, try /metrics".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(prometheus::MEDIA_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Listens on an address that a predecessor may still have, as soon as it is free.
async fn bind_patiently(address: SocketAddr, what: &str) -> TcpListener {
    let mut is_told = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) if !is_told => {
                tracing::warn!(%address, %error, "no {what} there yet");
                is_told = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(RETRY).await;
    }
}
