//! What was asked on the service's page and taken last: done once, also by a process that begins after the one that did it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use trainyard_base::service::{GatewayMode, ServiceWish, WishAnswer};
use trainyard_deploy::gateway::Mode;

use super::kept;
use crate::{Project, Result};

/// Its file in the state folder.
const FILE: &str = "service-wish.json";

/// How long a request waits in a pause, and when clients are told to come back from maintenance: as the commands
/// `deploy pause` and `deploy maintenance` have it.
const HOLD: Duration = Duration::from_secs(30);
const RETRY_AFTER: Duration = Duration::from_mins(1);
/// What users read where nothing in particular was written.
const MESSAGE: &str = "This service is being maintained.";

/// One that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenWish {
    /// What was asked, and when.
    #[serde(flatten)]
    pub wish: ServiceWish,
    /// Why it was not done.
    pub error: Option<String>,
}

impl TakenWish {
    /// The last one; none where there was none.
    ///
    /// # Errors
    ///
    /// If its file cannot be read.
    pub fn last(project: &Project) -> Result<Option<Self>> {
        kept::read(project, FILE)
    }

    /// Writes it down.
    pub(crate) fn keep(&self, project: &Project) -> Result<()> {
        kept::replace(project, FILE, self)
    }

    /// What the record says of it.
    pub(super) fn answer(self) -> WishAnswer {
        WishAnswer { id: self.wish.id, error: self.error }
    }

    /// Whether this is why the gateway is as it is.
    pub fn is_in_force(&self, mode: &Mode) -> bool {
        self.error.is_none() && gateway_mode(&self.wish).as_ref() == Some(mode)
    }
}

/// What the gateway is to do; none for what nobody knows.
pub(crate) fn gateway_mode(wish: &ServiceWish) -> Option<Mode> {
    let message = if wish.message.is_empty() { MESSAGE } else { wish.message.as_str() };
    match wish.mode {
        GatewayMode::Open => Some(Mode::Open),
        GatewayMode::Paused => Some(Mode::Paused { hold_ms: HOLD.as_secs() * 1000 }),
        GatewayMode::Maintenance => Some(Mode::Maintenance {
            message: message.to_owned(),
            retry_after_s: RETRY_AFTER.as_secs(),
        }),
        GatewayMode::Unknown => None,
    }
}
