//! The audit log: who changed what, and how the registry was at a time. Trainyard's own; other servers have none.

use async_trait::async_trait;

use crate::Result;
use crate::entities::{AuditEvent, RegistryAt};

/// Events of one search at most: about a megabyte.
pub const AUDIT_EVENTS_MAX: i64 = 1000;

/// Arguments of [`Audit::events`]. What is none or empty does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchAudit {
    /// Events behind the one of this id, in the order that is asked for.
    pub after: Option<i64>,
    /// Exactly this subject.
    pub subject: Option<String>,
    /// The beginning of the part: `alias:`.
    pub part: Option<String>,
    /// Exactly this name.
    pub who: Option<String>,
    /// The beginning of the action: `alias.`.
    pub action: Option<String>,
    /// Not before this time, in milliseconds since the Unix epoch.
    pub since: Option<i64>,
    /// Before this time.
    pub until: Option<i64>,
    /// From the newest to the oldest.
    pub newest_first: bool,
    /// At most [`AUDIT_EVENTS_MAX`], which it is if none is named.
    pub max_results: Option<i64>,
}

/// What is asked of the audit log.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Events in their order.
    async fn events(&self, search: SearchAudit) -> Result<Vec<AuditEvent>>;
    /// Where aliases pointed at a time, in milliseconds since the Unix epoch: those of one model, or of all.
    async fn registry_at(&self, at: i64, model: Option<&str>) -> Result<RegistryAt>;
}
