//! The control socket: status, switch, retire, reload, shutdown, metrics. Its file is the owner's alone.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use trainyard_base::Advise as _;

use super::message::{GatewayStatus, GoBack, PROTOCOL, Retire, Retired, Shutdown, Switch, Try};
use super::socket::accept;
use crate::error::Error;
use crate::gateway::pause::Mode;
use crate::gateway::replica::Standing;
use crate::gateway::route::{Route, RouteState};
use crate::gateway::route_table::RetireRefused;
use crate::gateway::shared::Shared;
use crate::gateway::target::{Target, TargetSpec};
use crate::gateway::{judge, tryout};
use crate::probe::Look;

/// Bytes of a control request.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// Commands at a time. Only the owner's programs get here, and one of them may be stuck.
const CONNECTIONS_MAX: usize = 32;

/// A program that says nothing for so long is not going to.
const IDLE: Duration = Duration::from_secs(10);

/// Serves control requests until the gateway ends.
pub(crate) async fn serve(listener: UnixListener, shared: Arc<Shared>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Never closed, so there is always one in the end.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let stream = accept(&listener).await;
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| handle(Arc::clone(&shared), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(IDLE)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a control connection broke off");
            }
            drop(slot);
        });
    }
}

type Answer = Response<Full<Bytes>>;

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let path = request.uri().path().to_owned();
    let answer = match (request.method(), path.as_str()) {
        (&Method::GET, "/status") => Ok(json(&status(&shared))),
        (&Method::GET, "/metrics") => Ok(text(StatusCode::OK, shared.metrics_page())),
        (&Method::POST, "/switch") => switch(&shared, request).await,
        (&Method::POST, "/candidate") => try_candidate(&shared, request).await,
        (&Method::POST, "/go-back") => go_back(&shared, request).await,
        (&Method::POST, "/mode") => mode(&shared, request).await,
        (&Method::POST, "/retire") => retire(&shared, request).await,
        (&Method::POST, "/reload") => reload(&shared),
        (&Method::POST, "/shutdown") => shutdown(&shared, request).await,
        _ => Err((StatusCode::NOT_FOUND, format!("nothing at {path}"))),
    };
    Ok(answer.unwrap_or_else(|(status, reason)| text(status, reason)))
}

type Refused = (StatusCode, String);

/// A command that could not be carried out.
fn failed(error: &Error) -> Refused {
    (StatusCode::INTERNAL_SERVER_ERROR, error.with_hint())
}

async fn switch(shared: &Shared, request: Request<Incoming>) -> Result<Answer, Refused> {
    let Switch { current, standby, bake_limits } = parse(request).await?;
    let id = current.id.clone();
    shared.routes.switch(current, standby, bake_limits).map_err(|error| failed(&error))?;
    tracing::info!(instance = id, "switched");
    Ok(json(&()))
}

async fn try_candidate(shared: &Shared, request: Request<Incoming>) -> Result<Answer, Refused> {
    let Try { beside, candidate } = parse(request).await?;
    let id = candidate.target.id.clone();
    let gets = candidate.gets.clone();
    match shared.routes.try_candidate(candidate, &beside) {
        Ok(true) => {
            tracing::info!(candidate = id, ?gets, "a candidate is tried");
            Ok(json(&()))
        }
        Ok(false) => Err((StatusCode::CONFLICT, format!("requests do not go to {beside}"))),
        Err(error) => Err(failed(&error)),
    }
}

async fn go_back(shared: &Shared, request: Request<Incoming>) -> Result<Answer, Refused> {
    let GoBack { from, reason } = parse(request).await?;
    let route = shared.routes.load();
    if let (Some(current), Some(standby)) = (&route.current, &route.standby)
        && current.spec.id == from
        // From bad to worse would be no help.
        && standby.look().await == Look::Well
    {
        judge::go_back(shared, current, &reason);
    }
    if let Some(candidate) = &route.candidate
        && candidate.target.spec.id == from
    {
        tryout::drop_candidate(shared, &candidate.target, &reason);
    }
    Ok(json(&()))
}

async fn mode(shared: &Shared, request: Request<Incoming>) -> Result<Answer, Refused> {
    let mode: Mode = parse(request).await?;
    tracing::info!(?mode, "the mode changes");
    shared.pause.set(mode).map_err(|error| failed(&error))?;
    Ok(json(&()))
}

async fn retire(shared: &Shared, request: Request<Incoming>) -> Result<Answer, Refused> {
    let Retire { id, limit_ms } = parse(request).await?;
    let target = shared.routes.retire(&id).map_err(|refused| match refused {
        RetireRefused::Current => {
            (StatusCode::CONFLICT, format!("{id} is where requests go; switch first"))
        }
        RetireRefused::State(error) => failed(&error),
    })?;
    let left = match target {
        Some(target) => target.drained(Duration::from_millis(limit_ms)).await,
        None => 0,
    };
    Ok(json(&Retired { left }))
}

fn reload(shared: &Shared) -> Result<Answer, Refused> {
    shared.reload().map_err(|error| failed(&error))?;
    Ok(json(&()))
}

async fn shutdown(shared: &Shared, request: Request<Incoming>) -> Result<Answer, Refused> {
    let Shutdown { limit_ms } = parse(request).await?;
    let limit = Duration::from_millis(limit_ms);
    shared.end(limit, false);
    Ok(json(&()))
}

fn status(shared: &Shared) -> GatewayStatus {
    let route = shared.routes.load();
    let in_flight = |target: &Option<Arc<Target>>| target.as_ref().map_or(0, |t| t.in_flight());
    let now = Instant::now();
    let targets = shared.routes.targets();
    GatewayStatus {
        protocol: PROTOCOL,
        pid: std::process::id(),
        listen: shared.listen,
        encrypted: shared.in_force().transport.is_encrypted(),
        started_ms: shared.started_ms,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode: shared.pause.mode(),
        route: shown(shared.routes.state()),
        ejected: ejected(&route),
        in_flight: in_flight(&route.current),
        answers: route.current.as_ref().map_or(0, |target| target.answers()),
        standby_in_flight: in_flight(&route.standby),
        connections: shared.metrics.connections.load(Ordering::Relaxed),
        copies: route.mirror.as_ref().map(|mirror| mirror.copies()),
        lately: shared.metrics.window.lately(now),
        instances: targets
            .iter()
            .flat_map(|target| target.replicas.each())
            .map(|replica| (replica.id.clone(), replica.window.lately(now)))
            .collect(),
        acme: shared.acme.seen(),
    }
}

/// Instances that get no requests while others of their release are well.
fn ejected(route: &Route) -> Vec<String> {
    let all = route.targets().flat_map(|target| target.replicas.each());
    let out = all.filter(|replica| replica.standing() != Standing::Well);
    out.map(|replica| replica.id.clone()).collect()
}

/// A route without what only the gateway and its instances may know.
fn shown(mut route: RouteState) -> RouteState {
    let candidate = route.candidate.as_mut().map(|candidate| &mut candidate.target);
    let targets = route.current.iter_mut().chain(&mut route.standby).chain(candidate);
    for TargetSpec { copy_id, token, .. } in targets {
        copy_id.clear();
        *token = None;
    }
    route
}

async fn parse<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Refused> {
    let bad = |reason: String| (StatusCode::BAD_REQUEST, reason);
    let body = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect();
    let body = tokio::time::timeout(IDLE, body)
        .await
        .map_err(|_elapsed| bad("the command did not come".to_owned()))?
        .map_err(|error| bad(error.to_string()))?
        .to_bytes();
    serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))
}

fn json(value: &impl Serialize) -> Answer {
    match serde_json::to_string(value) {
        Ok(body) => text(StatusCode::OK, body),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn text(status: StatusCode, body: String) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}
