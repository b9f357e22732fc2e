//! Files below an artifact root, wherever it is.

mod direct;
mod local;

use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tokio::io::AsyncWriteExt as _;

use crate::entities::FileInfo;
use crate::{Error, Result};

pub use direct::{DirectFile, PARTS_MAX, SignedRequest};
pub use local::LocalArtifacts;

/// A file's bytes as they arrive.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

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

    /// The file for clients that transfer it themselves; None where its storage has no such way.
    async fn direct_file(
        &self,
        _root_uri: &str,
        _path: &str,
    ) -> Result<Option<Box<dyn DirectFile>>> {
        Ok(None)
    }
}

/// Part of a file, as an HTTP `Range` header asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From this offset to the end.
    From(u64),
    /// From the first offset to the second, both included.
    Between(u64, u64),
    /// This many bytes at the end.
    Last(u64),
}

impl ByteRange {
    /// The half-open range of a file of `size` bytes that this asks for; None if it has no byte
    /// of it.
    pub fn resolve(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(start) => start..size,
            Self::Between(start, end) => start..end.saturating_add(1).min(size),
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        (range.start < range.end).then_some(range)
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

/// Lets only the bytes of `range` through.
fn cut(body: ByteStream, range: Range<u64>) -> ByteStream {
    use futures::StreamExt as _;

    let mut offset = 0_u64;
    let pieces = body.filter_map(move |chunk| {
        let piece = match chunk {
            Ok(bytes) => {
                let length = bytes.len() as u64;
                let start = range.start.saturating_sub(offset).min(length);
                let end = range.end.saturating_sub(offset).min(length);
                offset += length;
                (start < end).then(|| Ok(bytes.slice(start as usize..end as usize)))
            }
            Err(error) => Some(Err(error)),
        };
        futures::future::ready(piece)
    });
    Box::pin(pieces)
}

/// Wraps bytes that are already in memory for [`Artifacts::upload_artifact`].
pub fn once(bytes: impl Into<Bytes>) -> ByteStream {
    let bytes = bytes.into();
    Box::pin(futures::stream::once(async move { Ok(bytes) }))
}

/// Deepest directory that is followed when a tree is copied: model folders are 2 or 3 deep.
const DEPTH_MAX: usize = 32;

/// Copies everything below `root_uri` to the local directory `target` (created), and returns the
/// number of files.
pub async fn download_tree(
    artifacts: &dyn Artifacts,
    root_uri: &str,
    target: &Path,
) -> Result<usize> {
    use futures::StreamExt as _;

    let mut files = 0;
    let mut pending = vec![(String::new(), 0_usize)];
    while let Some((directory, depth)) = pending.pop() {
        if depth > DEPTH_MAX {
            return Err(Error::invalid(format!("{root_uri} is more than {DEPTH_MAX} levels deep")));
        }
        for entry in artifacts.list(root_uri, &directory).await? {
            if entry.is_dir {
                pending.push((entry.path, depth + 1));
                continue;
            }
            let path = local_path(target, &entry.path)?;
            if let Some(parent) = path.parent() {
                tokio::fs::create_dir_all(parent)
                    .await
                    .map_err(|error| Error::io(parent, error))?;
            }
            let mut file =
                tokio::fs::File::create(&path).await.map_err(|error| Error::io(&path, error))?;
            let mut body = artifacts.download(root_uri, &entry.path).await?;
            while let Some(chunk) = body.next().await {
                file.write_all(&chunk?).await.map_err(|error| Error::io(&path, error))?;
            }
            file.flush().await.map_err(|error| Error::io(&path, error))?;
            files += 1;
        }
    }
    Ok(files)
}

/// Copies every file below the local directory `source` to `root_uri`/`prefix`, and returns the
/// number of files.
pub async fn upload_tree(
    artifacts: &dyn Artifacts,
    source: &Path,
    root_uri: &str,
    prefix: &str,
) -> Result<usize> {
    let mut files = 0;
    let mut pending = vec![(source.to_path_buf(), prefix.trim_matches('/').to_owned())];
    while let Some((directory, prefix)) = pending.pop() {
        let mut entries =
            tokio::fs::read_dir(&directory).await.map_err(|error| Error::io(&directory, error))?;
        while let Some(entry) =
            entries.next_entry().await.map_err(|error| Error::io(&directory, error))?
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            let kind = entry.file_type().await.map_err(|error| Error::io(entry.path(), error))?;
            if kind.is_dir() {
                pending.push((entry.path(), path));
            } else {
                let local = entry.path();
                let file = tokio::fs::File::open(&local)
                    .await
                    .map_err(|error| Error::io(&local, error))?;
                let body = futures::StreamExt::map(
                    tokio_util::io::ReaderStream::new(file),
                    move |chunk| chunk.map_err(|error| Error::io(&local, error)),
                );
                artifacts.upload(root_uri, &path, Box::pin(body)).await?;
                files += 1;
            }
        }
    }
    Ok(files)
}

/// `target` joined with a relative path from outside; refuses whatever would leave `target`.
fn local_path(target: &Path, relative: &str) -> Result<PathBuf> {
    let relative_path = Path::new(relative);
    let plain = relative_path
        .components()
        .all(|component| matches!(component, std::path::Component::Normal(_)));
    if plain && !relative.is_empty() && !relative.contains('\0') {
        Ok(target.join(relative_path))
    } else {
        Err(Error::invalid(format!("artifact path leaves its root: {relative:?}")))
    }
}
