//! One request's way: check it, pass it on, pass the answer back.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use trainyard_net::{Arrival, Paced};

use super::access_log::{AccessLog, Entry};
use super::door::{Asking, Caller, subject};
use super::failover::{Outgoing, Sent, send};
use super::failure::{Failure, Fault};
use super::headers::{
    Arrived, REQUEST_ID, add_forwarded, request_id, set_upgrade, strip_hop_by_hop, upgrade_wanted,
};
use super::in_force::InForce;
use super::paths::{self, Audience, Reach};
use super::request_body::RequestBody;
use super::response_body::ResponseBody;
use super::shared::Shared;
use super::target::Answering;
use super::transport::Transport;
use super::{error_response, smuggling, status_page};

/// A connection.
#[derive(Debug)]
pub(super) struct Client {
    shared: Arc<Shared>,
    audience: Audience,
    arrival: Arrival,
    is_encrypted: bool,
    /// What it began with.
    transport: Arc<Transport>,
    /// Whom its certificate was given to; read with its first request.
    subject: OnceLock<Option<Arc<str>>>,
}

impl Client {
    pub(super) fn new(
        shared: &Arc<Shared>,
        audience: Audience,
        arrival: Arrival,
        is_encrypted: bool,
        transport: &Arc<Transport>,
    ) -> Arc<Self> {
        shared.metrics.connections.fetch_add(1, Ordering::Relaxed);
        shared.metrics.accepted.fetch_add(1, Ordering::Relaxed);
        let (shared, transport) = (Arc::clone(shared), Arc::clone(transport));
        let subject = OnceLock::new();
        Arc::new(Self { shared, audience, arrival, is_encrypted, transport, subject })
    }

    /// Whom its certificate was given to. Those who signed it may not be trusted any more.
    fn subject(&self, in_force: &InForce) -> Option<&Arc<str>> {
        let shown = || self.arrival.certificate().and_then(subject);
        let subject = self.subject.get_or_init(shown).as_ref();
        subject.filter(|_| in_force.transport.trusts_as(&self.transport))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.metrics.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers a request; never fails, because every failure is an answer.
pub(super) async fn handle(
    client: Arc<Client>,
    mut request: Request<Paced>,
) -> Response<ResponseBody> {
    let shared = &client.shared;
    let id = request_id(request.headers_mut());
    // A request is held against one set of settings, whatever changes meanwhile.
    let in_force = shared.in_force();
    let mut exchange = Exchange::begin(shared, &in_force, client.arrival.peer, &request, &id);
    let has_connection_headers = request.version() <= Version::HTTP_11;
    let (mut response, by, fault) =
        match answer(&client, &in_force, request, &mut exchange, &id).await {
            Ok((response, by)) => {
                let fault = Fault::of_status(response.status().as_u16());
                (response, Some(by), fault)
            }
            Err(Unanswered { response, fault }) => (response, None, fault),
        };
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id.clone());
    let is_last = shared.closing.load(Ordering::Relaxed) || client.arrival.is_crowded;
    if is_last && has_connection_headers {
        headers.entry(CONNECTION).or_insert(HeaderValue::from_static("close"));
    }
    exchange.end(response.status(), fault, by);
    response
}

/// An answer of the gateway in place of an instance's.
struct Unanswered {
    response: Response<ResponseBody>,
    /// None where nothing is wrong.
    fault: Option<Fault>,
}

/// The answer and the instance that gave it, or why there is none.
async fn answer(
    client: &Arc<Client>,
    in_force: &InForce,
    request: Request<Paced>,
    exchange: &mut Exchange<'_>,
    id: &HeaderValue,
) -> Result<(Response<ResponseBody>, Answering), Unanswered> {
    let shared = &client.shared;
    let failed = |failure: Failure| Unanswered {
        response: error_response::failed(shared, &failure, id),
        fault: Some(failure.fault()),
    };
    let caller = check(client, in_force, &request).map_err(failed)?;
    exchange.is_from(caller);
    if is_for_status_page(client, in_force, &request) {
        return Err(Unanswered { response: status_page::answer(shared), fault: None });
    }
    if let Err(closed) = shared.pause.enter().await {
        shared.metrics.held.fetch_add(1, Ordering::Relaxed);
        let response = error_response::turned_away(shared, &closed, request.headers(), id);
        return Err(Unanswered { response, fault: Some(Fault::Closed) });
    }
    pass(client, in_force, request).await.map_err(failed)
}

/// Whether this is a request that is passed on at all, and who asks.
fn check(
    client: &Client,
    in_force: &InForce,
    request: &Request<Paced>,
) -> Result<Option<Caller>, Failure> {
    smuggling::check(request)?;
    let path = request.uri().path();
    let reach = if is_for_status_page(client, in_force, request) {
        Reach::Public
    } else {
        in_force.paths.reach(path)?
    };
    let caller = in_force.door.admit(&Asking {
        audience: client.audience,
        reach,
        address: client.arrival.peer.ip(),
        subject: client.subject(in_force),
        headers: request.headers(),
    })?;
    if client.arrival.is_crowded && !paths::is_probe(path) {
        return Err(Failure::Crowded);
    }
    if request.body().size_hint().lower() > in_force.limits.max_body_bytes {
        return Err(Failure::TooLarge);
    }
    Ok(caller)
}

fn is_for_status_page(client: &Client, in_force: &InForce, request: &Request<Paced>) -> bool {
    let path = request.uri().path();
    status_page::is_asked(client.audience, &in_force.paths, request.method(), path)
}

/// A request from its beginning to the head of its answer, for the metrics and the access log.
struct Exchange<'a> {
    shared: &'a Shared,
    start: Instant,
    /// The line and its log, where lines are written.
    line: Option<(Entry, Arc<AccessLog>)>,
    is_over: bool,
}

impl<'a> Exchange<'a> {
    fn begin(
        shared: &'a Shared,
        in_force: &InForce,
        peer: SocketAddr,
        request: &Request<Paced>,
        id: &HeaderValue,
    ) -> Self {
        let line = in_force.access.clone().map(|log| {
            let entry = Entry {
                peer,
                method: request.method().clone(),
                path: request.uri().path().to_owned(),
                status: 0,
                took: Duration::ZERO,
                fault: None,
                instance: None,
                request_id: id.to_str().unwrap_or("-").to_owned(),
                caller: None,
            };
            (entry, log)
        });
        Self { shared, start: Instant::now(), line, is_over: false }
    }

    /// Says who asks.
    fn is_from(&mut self, caller: Option<Caller>) {
        if let Some((entry, _log)) = &mut self.line {
            entry.caller = caller;
        }
    }

    fn end(&mut self, status: StatusCode, fault: Option<Fault>, by: Option<Answering>) {
        self.is_over = true;
        let took = self.start.elapsed();
        self.shared.metrics.answered(status.as_u16(), took, fault);
        if let Some((mut entry, log)) = self.line.take() {
            entry.status = status.as_u16();
            entry.took = took;
            entry.fault = fault;
            entry.instance = by.map(|by| by.replica().id.clone());
            log.log(&entry);
        }
    }
}

/// A client that gives up drops the request where it is.
impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let failure = Failure::Abandoned;
            self.end(failure.status(), Some(failure.fault()), None);
        }
    }
}

/// Passes a request on; the answer and the instance that gave it.
async fn pass(
    client: &Arc<Client>,
    in_force: &InForce,
    mut request: Request<Paced>,
) -> Result<(Response<ResponseBody>, Answering), Failure> {
    let (shared, peer) = (&client.shared, client.arrival.peer);
    let upgrade = upgrade_wanted(request.headers())
        // Only where a change of protocol is defined, and never with a body that could hide a request.
        .filter(|_| request.version() == Version::HTTP_11 && request.body().is_end_stream());
    // Taken before the request is consumed: resolves when this side has changed its protocol.
    let client_side = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    let (parts, incoming) = request.into_parts();
    let mut headers = parts.headers;
    strip_hop_by_hop(&mut headers);
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let arrived = Arrived { listen: shared.listen, is_encrypted: client.is_encrypted };
    add_forwarded(&mut headers, peer, authority, arrived);
    let is_admitted = in_force.door.asks();
    if is_admitted {
        // It was for the door; the instance gets its own.
        headers.remove(AUTHORIZATION);
    }
    let is_upgrade = upgrade.is_some();
    if let Some(protocol) = upgrade {
        set_upgrade(&mut headers, protocol);
    }
    let safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let outgoing = Outgoing {
        repeatable: safe && incoming.is_end_stream() && !is_upgrade,
        method: parts.method,
        is_upgrade,
        is_admitted,
        path_and_query: parts
            .uri
            .into_parts()
            .path_and_query
            .unwrap_or_else(|| PathAndQuery::from_static("/")),
        headers,
        body: RequestBody::new(incoming, in_force.limits.max_body_bytes),
    };
    let sent = send(shared, &outgoing).await?;
    if sent.response.status() == StatusCode::SWITCHING_PROTOCOLS && client_side.is_none() {
        return Err(Failure::Broken("it changed the protocol unasked".to_owned()));
    }
    let by = sent.guard.answering().clone();
    Ok((passed(client, sent, client_side), by))
}

/// The instance's answer, made fit for the client's connection.
fn passed(
    client: &Arc<Client>,
    sent: Sent,
    client_side: Option<hyper::upgrade::OnUpgrade>,
) -> Response<ResponseBody> {
    let Sent { guard, mut response, body: request, tap } = sent;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let protocol = upgrade_wanted(response.headers());
        let instance_side = hyper::upgrade::on(&mut response);
        let (mut parts, answer) = response.into_parts();
        strip_hop_by_hop(&mut parts.headers);
        if let Some(protocol) = protocol {
            set_upgrade(&mut parts.headers, protocol);
        }
        if let Some(client_side) = client_side {
            client.shared.metrics.upgrades.fetch_add(1, Ordering::Relaxed);
            let kept = (client.arrival.hold(), Arc::clone(client), guard, answer.into_permit());
            tokio::spawn(tunnel(kept, client_side, instance_side));
        }
        return Response::from_parts(parts, ResponseBody::Own(Full::new(Bytes::new())));
    }
    let (mut parts, answer) = response.into_parts();
    strip_hop_by_hop(&mut parts.headers);
    parts.version = Version::HTTP_11;
    Response::from_parts(parts, ResponseBody::Passed { answer, request, in_flight: guard, tap })
}

/// Copies bytes both ways until one side ends. What it keeps counts it: as in flight, and as connections.
async fn tunnel(
    kept: impl Send,
    client: hyper::upgrade::OnUpgrade,
    instance: hyper::upgrade::OnUpgrade,
) {
    let (client, instance) = match tokio::try_join!(client, instance) {
        Ok(sides) => sides,
        Err(error) => {
            tracing::debug!(%error, "the change of protocol failed");
            return;
        }
    };
    let (mut client, mut instance) = (TokioIo::new(client), TokioIo::new(instance));
    // Either side may break off at any time; that is how such connections usually end.
    if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut instance).await {
        tracing::debug!(%error, "an upgraded connection broke off");
    }
    drop(kept);
}
