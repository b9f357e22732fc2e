//! Tables in object stores: fetched into a temporary folder, then read as any other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path as StorePath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _};
use tokio::io::AsyncWriteExt as _;
use trainyard_base::TemporaryFolder;
use trainyard_data::{FILE_BYTES_MAX, FILES_MAX, has_table_name};
use trainyard_storage::{Place, cloud, scheme};

use crate::temporary::temporary;
use crate::{Error, Result};

/// Whether the source lies in an object store: `s3://…`, `gs://…`, `abfss://…`.
pub(crate) fn is_remote(source: &str) -> bool {
    scheme(source).is_some_and(cloud::is_known)
}

/// Objects that a source names: one by its whole name, or the tables below a prefix.
pub(crate) struct Objects {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Where they are, or below which; of a pattern, its part before the first sign.
    pub(crate) root: StorePath,
    /// By their path below the source, in order; one that was named has the last part of its name.
    pub(crate) found: Vec<(String, ObjectMeta)>,
    is_one: bool,
}

/// Looks up an object, everything below a prefix, or what matches a pattern.
pub(crate) async fn objects(source: &str) -> Result<Objects> {
    let failed = |error: &dyn std::fmt::Display| Error::Remote {
        uri: source.to_owned(),
        reason: error.to_string(),
    };
    let (root, pattern) = split_pattern(source);
    let Place { store, path, .. } =
        trainyard_storage::open(root).map_err(|error| failed(&error))?;
    if pattern.is_none() {
        match store.head(&path).await {
            Ok(meta) => {
                let name = path.filename().unwrap_or("table").to_owned();
                let found = vec![(name, meta)];
                return Ok(Objects { store, root: path, found, is_one: true });
            }
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    let found = matching(store.as_ref(), &path, pattern, source).await?;
    if found.is_empty() {
        return Err(Error::Missing {
            what: format!("there is no table at {source}"),
            hint: "an object, a prefix with .csv or .parquet objects below it, or a pattern"
                .to_owned(),
        });
    }
    Ok(Objects { store, root: path, found, is_one: false })
}

/// Fetches an object, everything below a prefix, or what matches a pattern. Returns the folder and
/// the path in it that stands for the source.
pub(crate) async fn fetch(source: &str, state: &Path) -> Result<(TemporaryFolder, PathBuf)> {
    let Objects { store, found, is_one, .. } = objects(source).await?;
    let folder = temporary(state)?;
    let tables = if is_one { folder.path().to_owned() } else { folder.path().join("tables") };
    for (relative, meta) in &found {
        let target = tables.join(relative);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(|source| Error::io(parent, source))?;
        }
        download(store.as_ref(), meta, &target, source).await?;
    }
    let path = match found.as_slice() {
        [(name, _)] if is_one => tables.join(name),
        _ => tables,
    };
    Ok((folder, path))
}

/// A source before its first part with pattern characters, and what follows.
fn split_pattern(source: &str) -> (&str, Option<&str>) {
    let Some(at) = source.find(['*', '?', '[']) else { return (source, None) };
    let (before, _) = source.split_at(at);
    let start = before.rfind('/').map_or(0, |slash| slash + 1);
    let (root, pattern) = source.split_at(start);
    (root, Some(pattern))
}

/// The tables below a prefix, by their path relative to it.
async fn matching(
    store: &dyn ObjectStore,
    root: &StorePath,
    pattern: Option<&str>,
    source: &str,
) -> Result<Vec<(String, ObjectMeta)>> {
    let failed = |reason: String| Error::Remote { uri: source.to_owned(), reason };
    let pattern = pattern
        .map(glob::Pattern::new)
        .transpose()
        .map_err(|error| failed(format!("not a valid pattern: {error}")))?;
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    let mut found = Vec::new();
    let mut listed = store.list(Some(root));
    while let Some(meta) = listed.try_next().await.map_err(|error| failed(error.to_string()))? {
        let Some(parts) = meta.location.prefix_match(root) else { continue };
        let relative = parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
        let is_wanted = match &pattern {
            Some(pattern) => pattern.matches_with(&relative, options),
            None => has_table_name(&relative),
        };
        if !is_wanted || relative.is_empty() {
            continue;
        }
        if found.len() >= FILES_MAX {
            return Err(failed(format!("more than {FILES_MAX} objects")));
        }
        found.push((relative, meta));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// Fetches an object into a file. What it was when it was fetched, which may be another one than was listed.
pub(crate) async fn download(
    store: &dyn ObjectStore,
    meta: &ObjectMeta,
    target: &Path,
    source: &str,
) -> Result<ObjectMeta> {
    let remote = |reason: String| Error::Remote { uri: source.to_owned(), reason };
    if meta.size > FILE_BYTES_MAX {
        return Err(remote(format!("{} has {} bytes", meta.location, meta.size)));
    }
    let local = |source| Error::io(target, source);
    let got = store.get(&meta.location).await.map_err(|error| remote(error.to_string()))?;
    let fetched = got.meta.clone();
    let mut body = got.into_stream();
    let mut file = tokio::fs::File::create(target).await.map_err(local)?;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| remote(error.to_string()))?;
        file.write_all(&chunk).await.map_err(local)?;
    }
    file.flush().await.map_err(local)?;
    Ok(fetched)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_begin_at_a_part_of_the_path() {
        assert_eq!(
            split_pattern("s3://b/logs/day=*/x.parquet"),
            ("s3://b/logs/", Some("day=*/x.parquet"))
        );
        assert_eq!(split_pattern("s3://b/logs"), ("s3://b/logs", None));
        assert!(is_remote("s3://b/x") && !is_remote("/a/b") && !is_remote("models:/M@Production"));
    }
}
