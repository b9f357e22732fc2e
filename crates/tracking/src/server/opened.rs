//! What a server answers with.

use axum::Router;
use trainyard_mlflow::Tracking;

use crate::changes::Changes;
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
    /// By what pages change by themselves; where there is none they do not.
    pub changes: Option<Changes>,
}

/// A server that tells nobody, with pages that stay as they are.
impl From<(Tracking, Router)> for Opened {
    fn from((tracking, pages): (Tracking, Router)) -> Self {
        Self { tracking, pages, webhooks: None, changes: None }
    }
}
