//! Puts the server together: API, pages, guard and connections.

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use trainyard_base::prometheus;
use trainyard_mlflow::{Error, Result, Tracking};
use trainyard_net::Listener;

use super::guard::{self, Guard, probes};
use super::live::{Checked, Live};
use super::opened::Opened;
use super::options::ServerOptions;
use super::{artifacts_only, connections};
use crate::api::{self, ApiOptions, ApiState};
use crate::error::invalid;
use crate::metrics::METRICS;
use crate::webhooks::deliver::deliver;
use crate::webhooks::service::Service;

/// Time that deliveries to webhooks have to finish once the last request did.
const LAST_DELIVERIES: Duration = Duration::from_secs(2);

/// Serves MLflow's API over `tracking`, and `pages` for every other path, until `shutdown`
/// completes; running requests then have [`ServerOptions::shutdown_grace`] to finish. `tracking` acts for
/// whoever asks: it is one that was [lent](crate::Shared).
pub async fn serve(
    listener: impl Into<Listener>,
    tracking: Tracking,
    options: ServerOptions,
    pages: Router,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<()> {
    let opened = std::future::ready(Ok((tracking, pages)));
    serve_once_opened(listener, opened, options, shutdown).await
}

/// The same with a store that is yet to be opened, as [`Opening`](crate::Opening) does. Until it is, `/livez` answers
/// and everything else is a 503; what fails to open ends the server with that error.
pub async fn serve_once_opened<O: Into<Opened>, E: From<Error>>(
    listener: impl Into<Listener>,
    opened: impl Future<Output = Result<O, E>> + Send,
    options: ServerOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), E> {
    let listener = listener.into();
    let loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let probes = probes(checked_prefix(&options.static_prefix)?);
    let app = Arc::new(OnceLock::new());
    let ending = CancellationToken::new();
    // Streams would never finish by themselves. Whoever drops the server ends them, too.
    let _end = ending.clone().drop_guard();
    let shutdown = async {
        shutdown.await;
        ending.cancel();
    };
    let opening = async {
        let Opened { tracking, pages, webhooks, changes } = opened.await?.into();
        let webhooks = match webhooks {
            Some(webhooks) => Some(Arc::new(Service::new(webhooks.0, options.webhooks.clone())?)),
            None => None,
        };
        let live = changes.map(|changes| Arc::new(Live::new(changes, &options, ending.clone())));
        let pages = Pages { router: pages, live };
        // It is set once: nobody else does.
        let _set = app.set(build(tracking, &options, pages, webhooks.clone(), loopback)?);
        Ok::<_, E>(webhooks)
    };
    let serving = connections::accept(listener, Arc::clone(&app), probes, &options, shutdown);
    let mut serving = pin!(serving);
    let mut opening = pin!(opening);
    let webhooks = tokio::select! {
        // What is there already is there for the first connection.
        biased;
        opened = &mut opening => opened?,
        () = &mut serving => return Ok(()),
    };
    let stop = CancellationToken::new();
    // Whoever drops the server drops what it delivers.
    let mut delivering = JoinSet::new();
    if let Some(webhooks) = webhooks {
        delivering.spawn(deliver(webhooks, stop.clone()));
    }
    serving.await;
    stop.cancel();
    // What takes longer is sent again by whoever serves next.
    let _cut_off = tokio::time::timeout(LAST_DELIVERIES, delivering.join_next()).await;
    Ok(())
}

/// The whole server as a router, for those who bring their own connections. Whoever they come from, it
/// answers as a server that others reach. Its pages stay as they are.
pub fn app(tracking: Tracking, options: &ServerOptions, pages: Router) -> Result<Router> {
    build(tracking, options, Pages { router: pages, live: None }, None, false)
}

fn build(
    tracking: Tracking,
    options: &ServerOptions,
    pages: Pages,
    webhooks: Option<Arc<Service>>,
    loopback: bool,
) -> Result<Router> {
    let prefix = checked_prefix(&options.static_prefix)?;
    let api_options = ApiOptions {
        serve_artifacts: options.serve_artifacts,
        json_bytes_max: options.json_bytes_max,
        memory: Arc::clone(&options.memory),
        aliases_in_search: options.aliases_in_search,
        presigned_download_seconds: options.presigned_download_seconds,
        hosts: options.hosts.clone(),
    };
    let state = Arc::new(ApiState::new(tracking, api_options).with_webhooks(webhooks));
    let routes = api::router(Arc::clone(&state))
        .merge(options.more_routes.clone())
        .route("/metrics", get(metrics));
    let app = if prefix.is_empty() {
        routes.fallback(move |request: Request| elsewhere(pages.clone(), request))
    } else {
        // A nested router never sees the bare prefix with its slash, which is where browsers go.
        let front = pages.clone();
        let front = get(move |request: Request| elsewhere(front.clone(), at_root(request)));
        let nested = routes.fallback(move |request: Request| elsewhere(pages.clone(), request));
        // Clients find the proxied artifacts without the prefix, as with upstream.
        api::artifact_router(state)
            .route(&format!("{prefix}/"), front)
            .nest(prefix, nested)
            .fallback(outside)
    };
    let app = if options.artifacts_only {
        let prefix: Arc<str> = prefix.into();
        app.layer(axum::middleware::from_fn_with_state(prefix, artifacts_only::pass))
    } else {
        app
    };
    let guard = Arc::new(Guard::new(options, prefix, loopback)?);
    Ok(app
        .layer(CatchPanicLayer::new())
        .layer(axum::middleware::from_fn_with_state(guard, guard::watch)))
}

async fn metrics() -> Response {
    ([(header::CONTENT_TYPE, prometheus::MEDIA_TYPE)], METRICS.page()).into_response()
}

/// What is asked for where the API is not.
#[derive(Clone)]
struct Pages {
    router: Router,
    /// None where pages stay as they are.
    live: Option<Arc<Live>>,
}

/// API paths that are not there are answered here, everything else by the pages.
async fn elsewhere(pages: Pages, mut request: Request) -> Response {
    if is_api(&request) {
        return api::no_endpoint();
    }
    if let Some(live) = pages.live {
        if let Some(checked) = request.extensions().get::<Checked>().cloned() {
            return live.answer(pages.router, request, checked).await;
        }
        live.mark(&mut request).await;
    }
    match pages.router.oneshot(request).await {
        Ok(response) => response.into_response(),
        Err(never) => match never {},
    }
}

/// Whoever leaves the prefix out.
async fn outside(request: Request) -> Response {
    if is_api(&request) { api::no_endpoint() } else { api::not_found() }
}

fn is_api(request: &Request) -> bool {
    let path = request.uri().path();
    path.starts_with("/api/") || path.starts_with("/ajax-api/")
}

fn at_root(mut request: Request) -> Request {
    let query = request.uri().query().map(|query| format!("/?{query}"));
    if let Ok(uri) = query.as_deref().unwrap_or("/").parse() {
        *request.uri_mut() = uri;
    }
    request
}

fn checked_prefix(prefix: &str) -> Result<&str> {
    if prefix.is_empty() {
        return Ok(prefix);
    }
    let plain = prefix.chars().all(|c| c.is_ascii_alphanumeric() || "-_./~".contains(c));
    if prefix.starts_with('/') && !prefix.ends_with('/') && plain {
        return Ok(prefix);
    }
    invalid!(
        "the static prefix must start with '/' and not end with one, and hold only letters, \
         digits and -_.~: '{prefix}'"
    )
}
