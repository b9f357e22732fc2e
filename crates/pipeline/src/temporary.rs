//! Temporary folders in the state of a project.

use std::path::Path;

use trainyard_base::TemporaryFolder;

use crate::{Error, Result};

/// A folder below `state` that goes away with the value.
pub(crate) fn temporary(state: &Path) -> Result<TemporaryFolder> {
    TemporaryFolder::below(state).map_err(|source| Error::io(state, source))
}
