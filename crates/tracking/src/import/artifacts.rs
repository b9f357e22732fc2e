//! Files of runs and models: those that are not where they go, by name and size, are copied.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use trainyard_mlflow::artifacts::Artifacts;
use trainyard_mlflow::{Error, Result};

use super::files::files_below;
use super::problem::{Problem, Problems};
use crate::artifacts::ArtifactPath;

/// The files of a folder that can be artifacts.
pub(super) fn files(folder: &Path, problems: &mut Problems) -> Vec<(String, PathBuf)> {
    let mut files = files_below(folder, problems);
    files.retain(|(name, path)| match ArtifactPath::parse(name) {
        Ok(_) if path.is_file() => true,
        Ok(_) => {
            problems.add(Problem::new(path, "not a file"));
            false
        }
        Err(error) => {
            problems.add(Problem::new(path, error.to_string()));
            false
        }
    });
    files
}

/// Copies files that are not there yet, and returns how many of them are there in the end.
pub(super) async fn copy(
    artifacts: &dyn Artifacts,
    files: &[(String, PathBuf)],
    to: &str,
) -> Result<u64> {
    let mut folders: BTreeMap<&str, Vec<&(String, PathBuf)>> = BTreeMap::new();
    for file in files {
        let folder = file.0.rsplit_once('/').map_or("", |(folder, _name)| folder);
        folders.entry(folder).or_default().push(file);
    }
    let mut copied = 0;
    for (folder, files) in folders {
        let lacking = missing(artifacts, &files, to, folder).await?;
        for (name, path) in &lacking {
            upload(artifacts, name, path, to).await?;
        }
        let lacking = if lacking.is_empty() {
            lacking
        } else {
            missing(artifacts, &files, to, folder).await?
        };
        copied += (files.len() - lacking.len()) as u64;
    }
    Ok(copied)
}

/// Those of a folder's files that are not there, or are of another size.
async fn missing<'a>(
    artifacts: &dyn Artifacts,
    files: &[&'a (String, PathBuf)],
    to: &str,
    folder: &str,
) -> Result<Vec<&'a (String, PathBuf)>> {
    let listed = artifacts.list(to, folder).await?;
    let sizes: HashMap<&str, Option<i64>> =
        listed.iter().map(|file| (file.path.as_str(), file.file_size)).collect();
    let mut missing = Vec::new();
    for &file in files {
        let (name, path) = file;
        let size = std::fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
        let there = sizes.get(name.as_str()).copied().flatten();
        if there.and_then(|there| u64::try_from(there).ok()) != Some(size) {
            missing.push(file);
        }
    }
    Ok(missing)
}

async fn upload(artifacts: &dyn Artifacts, name: &str, path: &Path, to: &str) -> Result<()> {
    let file = tokio::fs::File::open(path).await.map_err(|error| Error::io(path, error))?;
    let path = path.to_owned();
    let body = tokio_util::io::ReaderStream::new(file)
        .map(move |chunk| chunk.map_err(|error| Error::io(&path, error)));
    artifacts.upload(to, name, Box::pin(body)).await
}
