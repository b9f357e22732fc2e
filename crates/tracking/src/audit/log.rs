//! The log of a server's own database, for what is kept in another one.

use std::fmt;
use std::sync::Arc;

use crate::store::SqlStore;

/// Where a server writes down what is changed. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct AuditLog(pub(crate) Arc<SqlStore>);

impl AuditLog {
    /// That of a database.
    pub fn of(store: Arc<SqlStore>) -> Self {
        Self(store)
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").finish_non_exhaustive()
    }
}
