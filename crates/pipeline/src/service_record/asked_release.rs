//! The release that was asked for on a page and taken last. It is written down before it is begun: what a process that died
//! left is looked at by the next one, and never begun again.

use trainyard_base::service::ReleaseAnswer;

use super::kept;
use crate::{Project, Result};

/// Its file in the state folder.
const FILE: &str = "service-release.json";

/// The last one; none where there was none.
///
/// # Errors
///
/// If its file cannot be read.
pub fn last_asked_release(project: &Project) -> Result<Option<ReleaseAnswer>> {
    kept::read(project, FILE)
}

/// Writes it down.
pub(crate) fn keep_asked_release(project: &Project, answer: &ReleaseAnswer) -> Result<()> {
    kept::replace(project, FILE, answer)
}
