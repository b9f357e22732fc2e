//! Where something lies: an object store and a path in it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;

use crate::direct::Direct;

/// What a URI names.
#[derive(Clone)]
pub struct Place {
    /// Where it lies.
    pub store: Arc<dyn ObjectStore>,
    /// The same store, if others can be let in by signed URLs.
    pub direct: Option<Direct>,
    /// The path in `store`; empty for its root.
    pub path: Path,
    /// The same as a path of this machine, if it is there.
    pub local: Option<PathBuf>,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.store, self.path)
    }
}

/// A bucket's client.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) direct: Option<Direct>,
}
