//! What all handlers share.

use std::fmt;
use std::sync::Arc;

use trainyard_base::Budget;
use trainyard_mlflow::Tracking;

use super::host_policy::HostPolicy;
use crate::webhooks::service::Service;

/// Largest JSON body accepted if nobody says otherwise: a dataset's profile may have 16 MiB.
pub const JSON_BYTES_MAX: usize = 64 << 20;

/// What the API leaves to whoever runs it.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// Whether `mlflow-artifacts:` files are read and written for clients; their routes answer 503
    /// if not.
    pub serve_artifacts: bool,
    /// Largest JSON body of the routes that take large ones; more is answered with 413.
    pub json_bytes_max: usize,
    /// What all requests together may hold.
    pub memory: Arc<Budget>,
    /// Whether searches of model versions fill in aliases for requests that do not say
    /// `include_aliases`. Upstream never does.
    pub aliases_in_search: bool,
    /// Life of signed downloads for requests that do not say `expiration`; up to 7 days.
    pub presigned_download_seconds: i64,
    /// Which hosts locations may name.
    pub hosts: HostPolicy,
}

/// What is asked, and how the API behaves.
pub struct ApiState {
    pub(super) tracking: Tracking,
    pub(super) options: ApiOptions,
    /// None where nobody delivers.
    pub(super) webhooks: Option<Arc<Service>>,
}

/// What handlers are given of it.
pub(super) type Api = Arc<ApiState>;

impl ApiState {
    /// An API over `tracking`.
    pub fn new(tracking: Tracking, options: ApiOptions) -> Self {
        Self { tracking, options, webhooks: None }
    }

    /// With webhooks that somebody delivers.
    #[must_use]
    pub(crate) fn with_webhooks(self, webhooks: Option<Arc<Service>>) -> Self {
        Self { webhooks, ..self }
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState").field("options", &self.options).finish_non_exhaustive()
    }
}
