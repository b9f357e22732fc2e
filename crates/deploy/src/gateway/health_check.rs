//! The health check of an instance, as the gateway makes it.

use std::time::Duration;

use super::target::Target;
use crate::probe::{self, Answer, Probe};

/// An answer to a health check takes no longer than this.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What a look found.
pub(super) enum Look {
    /// It is well.
    Well,
    /// It answers that it is not well.
    Sick(String),
    /// Nothing came back.
    Nothing(String),
    /// Nobody listens there at all.
    Gone(String),
}

impl Look {
    pub(super) fn is_well(&self) -> bool {
        matches!(self, Self::Well)
    }
}

/// Asks a target for its health.
pub(super) async fn look(target: &Target) -> Look {
    let probe = Probe::get(&target.spec.health_path);
    match probe::ask(target.spec.address, &probe, TIMEOUT).await {
        Answer::Status { status, .. } if (200..300).contains(&status) => Look::Well,
        answer @ Answer::Status { .. } => Look::Sick(answer.to_string()),
        answer @ (Answer::Refused | Answer::Unreachable) => Look::Gone(answer.to_string()),
        answer @ (Answer::Timeout(_) | Answer::Broken(_)) => Look::Nothing(answer.to_string()),
    }
}
