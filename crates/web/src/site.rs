//! What every page needs.

use std::fmt;
use std::sync::Arc;

use trainyard_mlflow::team::Team;
use trainyard_mlflow::{Tracking, WebhookLog};

use crate::links::Links;
use crate::turns::Turns;

/// What a server has beside what it tracks.
#[derive(Clone, Default)]
pub struct Beside {
    /// None where nobody is told of changes.
    pub webhooks: Option<Arc<dyn WebhookLog>>,
    /// None where everybody who is let in may do everything.
    pub team: Option<Arc<dyn Team>>,
}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beside").finish_non_exhaustive()
    }
}

/// What every page needs.
#[derive(Clone)]
pub(crate) struct Web {
    pub(crate) tracking: Tracking,
    pub(crate) links: Links,
    pub(crate) beside: Beside,
    pub(crate) turns: Turns,
}
