//! What a server answers with.

use axum::Router;
use trainyard_mlflow::Tracking;

use crate::webhooks::Webhooks;

/// A store that was opened, and pages over it.
#[derive(Debug)]
pub struct Opened {
    /// For requests of others: it is one that was [lent](crate::Shared).
    pub tracking: Tracking,
    /// For every path that is not the API's.
    pub pages: Router,
    /// The registry whose webhooks this server tells; none if it tells nobody.
    pub webhooks: Option<Webhooks>,
}

/// A server that tells nobody.
impl From<(Tracking, Router)> for Opened {
    fn from((tracking, pages): (Tracking, Router)) -> Self {
        Self { tracking, pages, webhooks: None }
    }
}
