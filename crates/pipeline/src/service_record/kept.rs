//! What a host remembers of what was asked on pages: small files of the state folder.

use serde::Serialize;
use serde::de::DeserializeOwned;
use trainyard_base::file::{self, Access};

use crate::{Error, Project, Result};

/// What a file says; none where there is none. One that makes no sense is replaced by the next.
pub(super) fn read<T: DeserializeOwned>(project: &Project, name: &str) -> Result<Option<T>> {
    let path = project.state_folder().join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::io(&path, source)),
    }
}

/// Writes a file, which is there as a whole whenever the host dies.
pub(super) fn replace(project: &Project, name: &str, value: &impl Serialize) -> Result<()> {
    let path = project.state_folder().join(name);
    // Texts and numbers alone: this cannot fail.
    let json = serde_json::to_vec(value).unwrap_or_default();
    file::replace(&path, &json, Access::Private).map_err(|source| Error::io(&path, source))
}
