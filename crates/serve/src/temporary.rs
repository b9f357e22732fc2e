//! Directories that live no longer than what uses them. They hold models and programs that are run, so
//! nobody else may look into them.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// A directory that is removed with its owner.
#[derive(Debug)]
pub(crate) struct TemporaryFolder(pub(crate) PathBuf);

impl TemporaryFolder {
    /// `purpose` becomes part of the name.
    pub(crate) fn create(purpose: &str) -> Result<Self> {
        let unique = uuid::Uuid::new_v4().simple();
        let name = format!("trainyard-{purpose}-{}-{unique}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|source| Error::Io { path: path.clone(), source })?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a temporary folder stays behind");
        }
    }
}
