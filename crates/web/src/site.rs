//! What every page needs.

use std::sync::Arc;

use trainyard_mlflow::{Tracking, WebhookLog};

use crate::links::Links;
use crate::turns::Turns;

/// What every page needs.
#[derive(Clone)]
pub(crate) struct Web {
    pub(crate) tracking: Tracking,
    pub(crate) links: Links,
    /// None where nobody is told of changes.
    pub(crate) webhooks: Option<Arc<dyn WebhookLog>>,
    pub(crate) turns: Turns,
}
