//! What is done with the files below an artifact root.

use std::ops::Range;

use async_trait::async_trait;

use super::presigned::DirectFile;
use super::stream::{ByteRange, ByteStream, cut};
use crate::entities::FileInfo;
use crate::{Error, Result};

/// Reads and writes files below artifact URIs (`mlflow-artifacts:/1/<run>/artifacts`, `file:///…`,
/// a path). `path` is always relative, with `/`, and never leaves the root.
#[async_trait]
pub trait Artifacts: Send + Sync {
    /// Files and directories directly below `path` ("" for the root), sorted; paths are relative
    /// to `root_uri`. A missing directory, and a file, list nothing.
    async fn list(&self, root_uri: &str, path: &str) -> Result<Vec<FileInfo>>;

    /// The file's bytes; `RESOURCE_DOES_NOT_EXIST` if there is none.
    async fn download(&self, root_uri: &str, path: &str) -> Result<ByteStream>;

    /// The file's size and age, and the bytes of it that `range` asks for (all if none).
    ///
    /// This default reads the whole file and cuts the range out as it passes by; a storage that
    /// can seek overrides it.
    async fn open(
        &self,
        root_uri: &str,
        path: &str,
        range: Option<ByteRange>,
    ) -> Result<ArtifactFile> {
        let directory = path.rsplit_once('/').map_or("", |(directory, _name)| directory);
        let listed = self.list(root_uri, directory).await?;
        let size = listed
            .iter()
            .find(|entry| entry.path == path && !entry.is_dir)
            .and_then(|entry| u64::try_from(entry.file_size?).ok())
            .ok_or_else(|| Error::not_found(format!("No such artifact: '{path}'")))?;
        let wanted = range.map_or(Some(0..size), |range| range.resolve(size));
        let body = match &wanted {
            Some(bytes) => cut(self.download(root_uri, path).await?, bytes.clone()),
            None => Box::pin(futures::stream::empty()),
        };
        Ok(ArtifactFile { size, modified_ms: None, etag: None, range: wanted, body })
    }

    /// Writes or replaces the file, all or nothing.
    async fn upload(&self, root_uri: &str, path: &str, body: ByteStream) -> Result<()>;

    /// Removes a file or directory; removing nothing is no error.
    async fn delete(&self, root_uri: &str, path: &str) -> Result<()>;

    /// Refuses a caller who may not read the file. This default refuses nobody: storage asks nobody who they
    /// are.
    async fn may_download(&self, _root_uri: &str, _path: &str) -> Result<()> {
        Ok(())
    }

    /// Refuses a caller who may not write the file, or below the directory.
    async fn may_upload(&self, _root_uri: &str, _path: &str) -> Result<()> {
        Ok(())
    }

    /// The file for clients that transfer it themselves; None where its storage has no such way.
    async fn direct_file(
        &self,
        _root_uri: &str,
        _path: &str,
    ) -> Result<Option<Box<dyn DirectFile>>> {
        Ok(None)
    }
}

/// An opened file: what is known of it, and its bytes.
pub struct ArtifactFile {
    /// Bytes of the whole file.
    pub size: u64,
    /// Milliseconds since the Unix epoch, if the storage knows.
    pub modified_ms: Option<i64>,
    /// Changes when the content does, if the storage knows.
    pub etag: Option<String>,
    /// Which bytes `body` yields; None if the range asked for is outside the file.
    pub range: Option<Range<u64>>,
    pub body: ByteStream,
}

impl std::fmt::Debug for ArtifactFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArtifactFile")
            .field("size", &self.size)
            .field("modified_ms", &self.modified_ms)
            .field("etag", &self.etag)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}
