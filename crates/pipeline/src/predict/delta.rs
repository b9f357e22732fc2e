//! A Delta table on this disk: the files that its log says are its own. Others that lie beside them were removed, and
//! are read by nobody. A small log is read, as commits of JSON; what it may hold beyond that is refused by name.
//!
//! Source: the Delta Transaction Log Protocol (`PROTOCOL.md` of delta-io/delta).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use object_store::path::Path as StorePath;
use serde::Deserialize;

use crate::{Error, Result};

/// The folder of the log.
pub(super) const LOG: &str = "_delta_log";

/// Commits that are read; whoever writes more makes checkpoints.
const COMMITS_MAX: usize = 10_000;

/// Bytes of a commit: some hundred thousand files.
const COMMIT_BYTES_MAX: u64 = 64 << 20;

/// A line of a commit, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Action {
    add: Option<Added>,
    remove: Option<Removed>,
    #[serde(rename = "metaData")]
    metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Added {
    path: String,
    deletion_vector: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Removed {
    path: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    partition_columns: Vec<String>,
}

/// The files of the table in this folder, in the order of their names; none if it is no Delta table.
pub(super) fn files(folder: &Path) -> Result<Option<Vec<PathBuf>>> {
    let log = folder.join(LOG);
    if !log.is_dir() {
        return Ok(None);
    }
    let refused = |what: &str| {
        let what = format!("the Delta table {} {what}", folder.display());
        Err(Error::predict(what, "write the rows that are wanted as Parquet, and score those"))
    };
    let commits = commits(&log)?;
    // The first commit is number 0; it is gone where a checkpoint stands for it.
    let begins = commits
        .first()
        .and_then(|path| path.file_stem())
        .is_some_and(|stem| stem.to_string_lossy().bytes().all(|digit| digit == b'0'));
    if !begins || commits.len() > COMMITS_MAX {
        return refused("has a log that is not there from its beginning, or a very long one");
    }
    let mut own = BTreeSet::new();
    for path in commits {
        let failed = |source| Error::io(&path, source);
        if std::fs::metadata(&path).map_err(failed)?.len() > COMMIT_BYTES_MAX {
            return refused("has a very large commit");
        }
        let text = std::fs::read_to_string(&path).map_err(failed)?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let Ok(action) = serde_json::from_str::<Action>(line) else {
                return refused(&format!("has a damaged commit: {}", path.display()));
            };
            if action.metadata.is_some_and(|data| !data.partition_columns.is_empty()) {
                return refused("is partitioned, and its files lack the columns of that");
            }
            if let Some(Removed { path }) = action.remove {
                own.remove(&path);
            }
            if let Some(Added { path, deletion_vector }) = action.add {
                if deletion_vector.is_some() {
                    return refused("has rows that only a deletion vector takes out");
                }
                own.insert(path);
            }
        }
    }
    let mut files = Vec::with_capacity(own.len());
    for path in own {
        // Paths are those of URLs; whole ones name files elsewhere.
        match StorePath::from_url_path(&path) {
            Ok(relative) if !path.starts_with('/') && !path.contains("://") => {
                let relative: &str = relative.as_ref();
                files.push(folder.join(relative));
            }
            _ => return refused(&format!("has a file elsewhere: {path}")),
        }
    }
    if files.is_empty() {
        return refused("has no rows");
    }
    Ok(Some(files))
}

/// The commits in their order.
fn commits(log: &Path) -> Result<Vec<PathBuf>> {
    let failed = |source| Error::io(log, source);
    let mut commits = Vec::new();
    for entry in std::fs::read_dir(log).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_number = path
            .file_stem()
            .is_some_and(|stem| stem.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()));
        if is_number && path.extension().is_some_and(|extension| extension == "json") {
            commits.push(path);
        }
    }
    commits.sort();
    Ok(commits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(commits: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(LOG)).unwrap();
        for (number, commit) in commits.iter().enumerate() {
            let path = folder.path().join(LOG).join(format!("{number:020}.json"));
            std::fs::write(path, commit).unwrap();
        }
        folder
    }

    #[test]
    fn the_log_says_which_files_are_the_table() {
        let add = r#"{"commitInfo":{}}
{"metaData":{"partitionColumns":[]}}
{"add":{"path":"b%20c.parquet","dataChange":true}}
{"add":{"path":"a.parquet","dataChange":true}}"#;
        let swap = r#"{"remove":{"path":"a.parquet"}}
{"add":{"path":"d/e.parquet","stats":"{}"}}"#;
        let folder = table(&[add, swap]);
        let found = files(folder.path()).unwrap().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(found, [at("b c.parquet"), at("d/e.parquet")]);
        assert_eq!(files(&folder.path().join("none")).unwrap(), None);
    }

    #[test]
    fn what_is_not_read_is_refused_by_name() {
        for (commit, said) in [
            (r#"{"metaData":{"partitionColumns":["day"]}}"#, "partitioned"),
            (r#"{"add":{"path":"a","deletionVector":{"x":1}}}"#, "deletion vector"),
            (r#"{"add":{"path":"s3://b/a"}}"#, "elsewhere"),
            ("{", "damaged"),
            ("", "no rows"),
        ] {
            let error = files(table(&[commit]).path()).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        let folder = table(&["", ""]);
        std::fs::remove_file(folder.path().join(LOG).join(format!("{:020}.json", 0))).unwrap();
        let error = files(folder.path()).unwrap_err().to_string();
        assert!(error.contains("from its beginning"), "{error}");
    }
}
