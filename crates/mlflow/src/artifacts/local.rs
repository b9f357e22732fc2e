//! Artifact roots on this machine's disk: paths and `file:` URIs.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use async_trait::async_trait;
use futures::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;
use trainyard_base::file::{Access, NewFile};

use super::files::Artifacts;
use super::stream::ByteStream;
use crate::entities::FileInfo;
use crate::{Error, Result, uri};

/// Reads and writes below local roots; symbolic links that lead out of the root are not followed.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalArtifacts;

/// Most entries of one directory that are listed.
const ENTRIES_MAX: usize = 100_000;

impl LocalArtifacts {
    fn root(root_uri: &str) -> Result<PathBuf> {
        uri::local_path(root_uri)?.ok_or_else(|| {
            Error::invalid(format!(
                "{} is not a local path or file: URI",
                uri::without_credentials(root_uri)
            ))
        })
    }

    /// The path below the root; where it exists, it must really lie below it.
    async fn inside(root_uri: &str, path: &str) -> Result<PathBuf> {
        let root = Self::root(root_uri)?;
        let joined = root.join(relative(path)?);
        // The deepest part that exists decides where the rest will lie.
        let mut existing = joined.as_path();
        let real = loop {
            match tokio::fs::canonicalize(existing).await {
                Ok(real) => break real,
                Err(error) if error.kind() == ErrorKind::NotFound => match existing.parent() {
                    Some(parent) if parent.starts_with(&root) => existing = parent,
                    _ => return Ok(joined),
                },
                Err(error) => return Err(Error::io(existing, error)),
            }
        };
        match tokio::fs::canonicalize(&root).await {
            Ok(real_root) if !real.starts_with(&real_root) => {
                Err(Error::invalid(format!("artifact path leaves its root: {path:?}")))
            }
            Ok(_) => Ok(joined),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(joined),
            Err(error) => Err(Error::io(&root, error)),
        }
    }
}

/// Checks a path from outside: relative, with `/`, no `..`.
fn relative(path: &str) -> Result<PathBuf> {
    let path = path.trim_matches('/');
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if plain && !path.contains('\0') {
        Ok(PathBuf::from(path))
    } else {
        Err(Error::invalid(format!("artifact path leaves its root: {path:?}")))
    }
}

#[async_trait]
impl Artifacts for LocalArtifacts {
    async fn list(&self, root_uri: &str, path: &str) -> Result<Vec<FileInfo>> {
        let directory = Self::inside(root_uri, path).await?;
        let mut entries = match tokio::fs::read_dir(&directory).await {
            Ok(entries) => entries,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(Vec::new());
            }
            Err(error) => return Err(Error::io(&directory, error)),
        };
        let prefix = path.trim_matches('/');
        let mut files = Vec::new();
        while let Some(entry) =
            entries.next_entry().await.map_err(|error| Error::io(&directory, error))?
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            // Links inside of the root are followed; the others are not there.
            let is_link = entry.file_type().await.is_ok_and(|kind| kind.is_symlink());
            if is_link && Self::inside(root_uri, &path).await.is_err() {
                continue;
            }
            let Ok(metadata) = tokio::fs::metadata(entry.path()).await else { continue };
            let is_dir = metadata.is_dir();
            if !is_dir && !metadata.is_file() {
                continue;
            }
            let file_size = (!is_dir).then(|| i64::try_from(metadata.len()).unwrap_or(i64::MAX));
            files.push(FileInfo { path, is_dir, file_size });
            if files.len() > ENTRIES_MAX {
                return Err(Error::invalid(format!(
                    "{} has more than {ENTRIES_MAX} entries",
                    directory.display()
                )));
            }
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(files)
    }

    async fn download(&self, root_uri: &str, path: &str) -> Result<ByteStream> {
        let file_path = Self::inside(root_uri, path).await?;
        let missing = || Error::not_found(format!("no such artifact: {path:?}"));
        // Opening a pipe would wait for ever.
        if tokio::fs::metadata(&file_path).await.is_ok_and(|found| !found.is_file()) {
            return Err(missing());
        }
        let file = match tokio::fs::File::open(&file_path).await {
            Ok(file) => file,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Err(missing());
            }
            Err(error) => return Err(Error::io(&file_path, error)),
        };
        let chunks = ReaderStream::new(file);
        Ok(Box::pin(chunks.map(move |chunk| chunk.map_err(|error| Error::io(&file_path, error)))))
    }

    async fn upload(&self, root_uri: &str, path: &str, body: ByteStream) -> Result<()> {
        let target = Self::inside(root_uri, path).await?;
        let Some(parent) = target.parent().filter(|_| target.file_name().is_some()) else {
            return Err(Error::invalid(format!("not the path of a file: {path:?}")));
        };
        if relative(path)?.as_os_str().is_empty() {
            return Err(Error::invalid("an artifact needs a path below its root"));
        }
        tokio::fs::create_dir_all(parent).await.map_err(|error| Error::io(parent, error))?;
        write(&target, body).await
    }

    async fn delete(&self, root_uri: &str, path: &str) -> Result<()> {
        let target = Self::inside(root_uri, path).await?;
        let deleted = match tokio::fs::symlink_metadata(&target).await {
            Ok(metadata) if metadata.is_dir() => tokio::fs::remove_dir_all(&target).await,
            Ok(_) => tokio::fs::remove_file(&target).await,
            Err(error) => Err(error),
        };
        match deleted {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other.map_err(|error| Error::io(&target, error)),
        }
    }
}

/// The file is there when the body is whole, and durable then.
async fn write(path: &Path, mut body: ByteStream) -> Result<()> {
    let io = |error| Error::io(path, error);
    let mut new = NewFile::beside(path, Access::Usual).map_err(io)?;
    let mut file = tokio::fs::File::from_std(new.file().try_clone().map_err(io)?);
    while let Some(chunk) = body.next().await {
        file.write_all(&chunk?).await.map_err(io)?;
    }
    file.flush().await.map_err(io)?;
    let placed = tokio::task::spawn_blocking(move || new.put_in_place()).await;
    placed.map_err(|_stopping| Error::internal("an upload broke off"))?.map_err(io)
}
