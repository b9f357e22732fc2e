//! Whole folders to and from an artifact root.

use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::files::Artifacts;
use crate::{Error, Result};

/// Deepest directory that is followed when a tree is copied: model folders are 2 or 3 deep.
const DEPTH_MAX: usize = 32;

/// Copies everything below `root_uri` to the local directory `target` (created), and returns the
/// number of files.
pub async fn download_tree(
    artifacts: &dyn Artifacts,
    root_uri: &str,
    target: &Path,
) -> Result<usize> {
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
                let body = tokio_util::io::ReaderStream::new(file)
                    .map(move |chunk| chunk.map_err(|error| Error::io(&local, error)));
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
