//! The database that is imported into, and where its artifacts go.

use std::fmt;
use std::sync::Arc;

use trainyard_mlflow::artifacts::Artifacts;

use crate::error::Result;
use crate::open::{Lending, OpenOptions, Parts};
use crate::store::SqlStore;

/// What a server with the same flags would open.
pub struct Target {
    pub(super) store: SqlStore,
    registry: Option<SqlStore>,
    /// Within the roots of the server: what it may not read and write is of no use in its database.
    pub(super) artifacts: Arc<dyn Artifacts>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Target {
    /// Opens a database, which is made if there is none.
    pub fn open(uri: &str, options: OpenOptions, lending: &Lending) -> Result<Self> {
        let Parts { store, registry, lent, .. } = Parts::open(uri, options, lending)?;
        Ok(Self { store, registry, artifacts: lent })
    }

    /// Where registered models are.
    pub(super) fn registry(&self) -> &SqlStore {
        self.registry.as_ref().unwrap_or(&self.store)
    }
}
