//! The HTTP server around the API: connections, security, logs and metrics.
//!
//! ```text
//! connection ─► guard (request id, Host, Origin, authorize, headers, log, metrics)
//!            ─► api routes ─► Tracking
//!            └► pages, for every path that is not the API's
//! ```

mod answers;
mod attempts;
pub mod auth;
mod auth_file;
mod connections;
mod cors;
mod guard;
mod hosts;
mod turns;
pub mod ui;
mod wrong;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header;
use http::request::Parts;
use tokio::net::TcpListener;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use trainyard_base::{Budget, prometheus};
use trainyard_mlflow::{Error, Result, Tracking};
pub use trainyard_net::Limits;

pub use crate::api::HostPolicy;
use crate::api::{self, ApiOptions, ApiState};
use crate::metrics::METRICS;
use guard::Guard;

/// Decides whether a request may pass: the layer between HTTP and the trait.
#[async_trait]
pub trait Authorize: Send + Sync {
    /// `Err` is the answer that the client gets instead. Never asked for `/health` and `/version`.
    async fn check(&self, request: &Parts) -> std::result::Result<(), Box<Response>>;
}

/// Connections open at once, unless somebody says otherwise: a few hundred training jobs with a pool
/// each. The limit of open files is raised for them.
pub const CONNECTIONS_MAX: usize = 2000;

/// How a server behaves. Address and port are the listener's.
#[derive(Clone)]
pub struct ServerOptions {
    /// Whether the server reads and writes `mlflow-artifacts:` files for its clients.
    pub serve_artifacts: bool,
    /// Prepended to every path but the proxied artifacts', as upstream does: "" or `/mlflow`.
    pub static_prefix: String,
    /// `Host` headers let through, with `*` for any text; None for this machine and private
    /// addresses, which keeps web pages from reaching the server through DNS rebinding.
    pub allowed_hosts: Option<Vec<String>>,
    /// Foreign origins (`https://host:port`, with `*`) whose pages may call the API.
    pub cors_allowed_origins: Vec<String>,
    /// `X-Frame-Options`; None to leave it out.
    pub x_frame_options: Option<String>,
    /// Whether searches of model versions fill in aliases, which upstream's leave out, for clients
    /// that do not ask with `include_aliases`.
    pub aliases_in_search: bool,
    /// Life of the URLs that let clients read from the artifacts' storage, if a request does not say.
    pub presigned_download_seconds: i64,
    /// Which hosts the locations that clients name may lie on.
    pub hosts: HostPolicy,
    /// Turns the checks of Host and Origin off.
    pub disable_security: bool,
    /// Largest JSON body of the routes that take batches, datasets and models; others take less. More is
    /// answered with 413. Artifact uploads have no limit.
    pub json_bytes_max: usize,
    /// What all requests and answers together may hold; more is answered with 503.
    pub memory: Arc<Budget>,
    /// What connections may take.
    pub connections: Limits,
    /// Time that running requests have to finish after the shutdown was asked for.
    pub shutdown_grace: Duration,
    /// Guards the whole server.
    pub authorize: Option<Arc<dyn Authorize>>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            serve_artifacts: true,
            static_prefix: String::new(),
            allowed_hosts: None,
            cors_allowed_origins: Vec::new(),
            x_frame_options: Some("SAMEORIGIN".to_owned()),
            aliases_in_search: false,
            presigned_download_seconds: 300,
            hosts: HostPolicy::default(),
            disable_security: false,
            json_bytes_max: api::DEFAULT_JSON_BYTES_MAX,
            memory: Budget::of_process(None),
            connections: Limits::new(CONNECTIONS_MAX),
            shutdown_grace: Duration::from_secs(10),
            authorize: None,
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("serve_artifacts", &self.serve_artifacts)
            .field("static_prefix", &self.static_prefix)
            .field("allowed_hosts", &self.allowed_hosts)
            .field("cors_allowed_origins", &self.cors_allowed_origins)
            .field("disable_security", &self.disable_security)
            .field("connections", &self.connections)
            .field("authorize", &self.authorize.is_some())
            .finish_non_exhaustive()
    }
}

/// Serves MLflow's API over `tracking`, and `pages` for every other path, until `shutdown`
/// completes; running requests then have [`ServerOptions::shutdown_grace`] to finish. `tracking` acts for
/// whoever asks: it is one that was [lent](crate::Shared).
pub async fn serve(
    listener: TcpListener,
    tracking: Tracking,
    options: ServerOptions,
    pages: Router,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<()> {
    let loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let app = build(tracking, &options, pages, loopback)?;
    let probes = probes(checked_prefix(&options.static_prefix)?);
    connections::accept(listener, app, probes, &options, shutdown).await;
    Ok(())
}

/// The whole server as a router, for those who bring their own connections. Whoever they come from, it
/// answers as a server that others reach.
pub fn app(tracking: Tracking, options: &ServerOptions, pages: Router) -> Result<Router> {
    build(tracking, options, pages, false)
}

fn build(
    tracking: Tracking,
    options: &ServerOptions,
    pages: Router,
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
    let state = Arc::new(ApiState::new(tracking, api_options));
    let routes = api::router(Arc::clone(&state)).route("/metrics", get(metrics));
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
            .fallback(async || api::not_found())
    };
    let guard = Arc::new(Guard::new(options, prefix, loopback)?);
    Ok(app
        .layer(CatchPanicLayer::new())
        .layer(axum::middleware::from_fn_with_state(guard, guard::watch)))
}

/// What load balancers ask, by address and without signing in: paths below the prefix.
fn probes(prefix: &str) -> [String; 2] {
    [format!("{prefix}/health"), format!("{prefix}/version")]
}

async fn metrics() -> Response {
    ([(header::CONTENT_TYPE, prometheus::MEDIA_TYPE)], METRICS.page()).into_response()
}

/// API paths that are not there are answered here, everything else by the pages.
async fn elsewhere(pages: Router, request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") || path.starts_with("/ajax-api/") {
        return api::not_found();
    }
    match pages.oneshot(request).await {
        Ok(response) => response.into_response(),
        Err(never) => match never {},
    }
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
    Err(Error::invalid(format!(
        "the static prefix must start with '/' and not end with one, and hold only letters, \
         digits and -_.~: '{prefix}'"
    )))
}
