//! A Delta table on this disk: the files that its log says are its own. Others that lie beside them were removed, and
//! are read by nobody. A small log is read, as commits of JSON; what it may hold beyond that is refused by name.
//!
//! Source: the Delta Transaction Log Protocol (`PROTOCOL.md` of delta-io/delta).

use std::collections::{BTreeMap, BTreeSet};
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

/// The latest version of the protocol for readers.
const READER_VERSION_MAX: u32 = 3;

/// What a table may be made with and is read all the same: its files and rows are what the commits say, or what is
/// not read of it is refused where it is met.
const FEATURES: [&str; 7] = [
    "columnMapping",
    "deletionVectors",
    "timestampNtz",
    "typeWidening",
    "typeWidening-preview",
    "v2Checkpoint",
    "vacuumProtocolCheck",
];

/// How the columns of files are called, if not as those of the table.
const MAPPING: &str = "delta.columnMapping.mode";

/// A line of a commit, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Action {
    protocol: Option<Protocol>,
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
struct Protocol {
    min_reader_version: u32,
    reader_features: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    partition_columns: Vec<String>,
    #[serde(default)]
    configuration: BTreeMap<String, Option<String>>,
}

/// What of these actions is not read, if there is something.
fn unread(action: &Action) -> Option<String> {
    if let Some(Protocol { min_reader_version, reader_features }) = &action.protocol {
        if *min_reader_version > READER_VERSION_MAX {
            return Some(format!("asks for version {min_reader_version} of the protocol"));
        }
        let mut features = reader_features.iter().flatten();
        if let Some(feature) = features.find(|feature| !FEATURES.contains(&feature.as_str())) {
            return Some(format!("has the feature {feature:?}"));
        }
    }
    let metadata = action.metadata.as_ref()?;
    if !metadata.partition_columns.is_empty() {
        return Some("is partitioned, and its files lack the columns of that".to_owned());
    }
    let mapping = metadata.configuration.get(MAPPING).and_then(Option::as_deref);
    let mapping = mapping.filter(|mode| *mode != "none")?;
    Some(format!("has columns that its files call otherwise ({MAPPING} is {mapping})"))
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
    // The first commit is number 0; it is gone where a checkpoint stands for it. Of a copy any may be.
    let number = |path: &PathBuf| path.file_stem()?.to_string_lossy().parse::<usize>().ok();
    let is_whole = commits.iter().enumerate().all(|(at, path)| number(path) == Some(at));
    if commits.is_empty() || !is_whole || commits.len() > COMMITS_MAX {
        return refused(
            "has a log that is not there as a whole from its beginning, or a very long one",
        );
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
            if let Some(what) = unread(&action) {
                return refused(&what);
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

/// The Delta table that one of these files lies in: others beside it may be those that its log has removed.
pub(super) fn table_around(files: &[PathBuf]) -> Option<PathBuf> {
    let mut looked = BTreeSet::new();
    let folders = files.iter().flat_map(|file| file.ancestors().skip(1));
    let mut new = folders.filter(|folder| looked.insert(*folder));
    new.find(|folder| folder.join(LOG).is_dir()).map(Path::to_owned)
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
{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"]}}
{"metaData":{"partitionColumns":[],"configuration":{"delta.columnMapping.mode":"none"}}}
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
    fn a_table_is_found_from_its_files() {
        let folder = table(&[""]);
        let at = |name: &str| folder.path().join(name);
        let found = table_around(&[at("day=1/a.parquet"), at("b.parquet")]);
        assert_eq!(found.as_deref(), Some(folder.path()));
        let other = tempfile::tempdir().unwrap();
        assert_eq!(table_around(&[other.path().join("a.parquet")]), None);
    }

    #[test]
    fn what_is_not_read_is_refused_by_name() {
        for (commit, said) in [
            (r#"{"metaData":{"partitionColumns":["day"]}}"#, "partitioned"),
            (
                r#"{"metaData":{"configuration":{"delta.columnMapping.mode":"name"}}}"#,
                "columns that its files call otherwise",
            ),
            (
                r#"{"protocol":{"minReaderVersion":3,"readerFeatures":["catalogManaged"]}}"#,
                "\"catalogManaged\"",
            ),
            (r#"{"protocol":{"minReaderVersion":4}}"#, "version 4"),
            (r#"{"add":{"path":"a","deletionVector":{"x":1}}}"#, "deletion vector"),
            (r#"{"add":{"path":"s3://b/a"}}"#, "elsewhere"),
            ("{", "damaged"),
            ("", "no rows"),
        ] {
            let error = files(table(&[commit]).path()).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        for gone in 0..2 {
            let folder = table(&["", "", ""]);
            let path = folder.path().join(LOG).join(format!("{gone:020}.json"));
            std::fs::remove_file(path).unwrap();
            let error = files(folder.path()).unwrap_err().to_string();
            assert!(error.contains("from its beginning"), "{error}");
        }
    }
}
