//! How a server behaves, and who decides which requests pass.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::response::Response;
use http::request::Parts;
use trainyard_base::Budget;
use trainyard_net::Limits;

use super::actor::Actor;
use crate::api::{HostPolicy, JSON_BYTES_MAX};
use crate::webhooks::WebhookOptions;

/// Decides whether a request may pass: the layer between HTTP and the trait.
#[async_trait]
pub trait Authorize: Send + Sync {
    /// Who sent it; `Err` is the answer that they get instead. Never asked for `/health`, `/livez` and `/version`.
    async fn check(&self, request: &Parts) -> Result<Actor, Box<Response>>;
}

/// Connections open at once, unless somebody says otherwise: a few hundred training jobs with a pool
/// each. The limit of open files is raised for them.
pub const CONNECTIONS_MAX: usize = 2000;

/// How a server behaves. Address and port are the listener's.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct ServerOptions {
    /// Whether the server reads and writes `mlflow-artifacts:` files for its clients.
    pub serve_artifacts: bool,
    /// Whether it does only that: all else is answered with 503.
    pub artifacts_only: bool,
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
    /// How webhooks are delivered, if the server is [given](super::Opened) any.
    pub webhooks: WebhookOptions,
    /// Guards the whole server.
    pub authorize: Option<Arc<dyn Authorize>>,
    /// Routes besides those of MLflow's tracking API, such as those of users.
    pub more_routes: Router,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            serve_artifacts: true,
            artifacts_only: false,
            static_prefix: String::new(),
            allowed_hosts: None,
            cors_allowed_origins: Vec::new(),
            x_frame_options: Some("SAMEORIGIN".to_owned()),
            aliases_in_search: false,
            presigned_download_seconds: 300,
            hosts: HostPolicy::default(),
            disable_security: false,
            json_bytes_max: JSON_BYTES_MAX,
            memory: Budget::of_process(None),
            connections: Limits::new(CONNECTIONS_MAX),
            shutdown_grace: Duration::from_secs(10),
            webhooks: WebhookOptions::default(),
            authorize: None,
            more_routes: Router::new(),
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
