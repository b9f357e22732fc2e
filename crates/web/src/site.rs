//! What every page needs.

use trainyard_mlflow::Tracking;

use crate::links::Links;

/// What every page needs.
#[derive(Clone)]
pub(crate) struct Web {
    pub(crate) tracking: Tracking,
    pub(crate) links: Links,
}
