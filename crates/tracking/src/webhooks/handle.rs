//! The registry whose changes are told.

use std::fmt;
use std::sync::Arc;

use crate::store::SqlStore;

/// The webhooks of a database, for the server that answers for it. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Webhooks(pub(crate) Arc<SqlStore>);

impl Webhooks {
    /// Those of the database that holds the registry.
    pub fn of(store: Arc<SqlStore>) -> Self {
        Self(store)
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks").finish_non_exhaustive()
    }
}
