//! The files of a table that is scored: on this machine, or in an object store, from where one after the other is
//! fetched, so that the disk holds one of them at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::{ObjectMeta, ObjectStore};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use trainyard_base::TemporaryFolder;
use trainyard_data::{PartedFile, STDIN, file_digest, files};

use super::delta;
use super::record::FileRecord;
use crate::remote::{Objects, download, is_remote, objects};
use crate::{Error, Result};

/// A table's files, in the order of their rows.
pub(super) struct Inputs {
    source: String,
    files: Vec<InputFile>,
}

struct InputFile {
    record: FileRecord,
    place: FilePlace,
}

enum FilePlace {
    Local(PathBuf),
    Remote { store: Arc<dyn ObjectStore>, meta: Box<ObjectMeta> },
}

/// A file that can be read.
pub(super) struct OpenedFile {
    pub(super) file: PartedFile,
    /// Where it was fetched to.
    _fetched: Option<TemporaryFolder>,
}

impl Inputs {
    /// Finds the files, and what each of them holds: those of this machine by a digest of their bytes, others by
    /// what their store calls their content.
    pub(super) async fn find(source: &str) -> Result<Self> {
        let all: Vec<InputFile> = if is_remote(source) {
            let Objects { store, root, found, .. } = objects(source).await?;
            let log = root.join(delta::LOG);
            let failed = |error: object_store::Error| Error::Remote {
                uri: source.to_owned(),
                reason: error.to_string(),
            };
            if store.list(Some(&log)).try_next().await.map_err(failed)?.is_some() {
                let hint = "fetch it first, or write the rows that are wanted as Parquet";
                return Err(Error::predict(format!("{source} is a Delta table in a bucket"), hint));
            }
            let file = |(name, meta): (String, ObjectMeta)| InputFile {
                record: FileRecord { name, bytes: meta.size, digest: tag_of(&meta) },
                place: FilePlace::Remote { store: Arc::clone(&store), meta: Box::new(meta) },
            };
            found.into_iter().map(file).collect()
        } else if source == STDIN {
            let hint = "name a file: a job that is killed could not read it again";
            return Err(Error::predict("a table that is scored cannot come from stdin", hint));
        } else {
            let folder = Path::new(source.strip_prefix("file://").unwrap_or(source));
            let paths = if let Some(paths) = delta::files(folder)? {
                paths
            } else {
                let paths = files(source)?;
                // A file that is named by itself is wanted whatever a log says.
                if !folder.is_file()
                    && let Some(table) = delta::table_around(&paths)
                {
                    let what = format!("{source} is in a Delta table, {}", table.display());
                    return Err(Error::predict(what, "name the folder of the table"));
                }
                paths
            };
            paths.into_par_iter().map(InputFile::local).collect::<Result<Vec<_>>>()?
        };
        Ok(Self { source: source.to_owned(), files: all })
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// Bytes as they are stored.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.record.bytes).sum()
    }

    /// What is remembered of them.
    pub(super) fn records(&self) -> Vec<FileRecord> {
        self.files.iter().map(|file| file.record.clone()).collect()
    }

    /// Name and size of a file.
    pub(super) fn record(&self, index: usize) -> Option<&FileRecord> {
        self.files.get(index).map(|file| &file.record)
    }

    /// Whether a file must be fetched to be read: it is one job's as a whole then.
    pub(super) fn is_remote(&self, index: usize) -> bool {
        self.files.get(index).is_some_and(|file| matches!(file.place, FilePlace::Remote { .. }))
    }

    /// Whether one of the files lies in this folder, or is this file.
    pub(super) fn are_in(&self, place: &Path) -> bool {
        let Ok(place) = place.canonicalize() else { return false };
        self.files.iter().any(|file| match &file.place {
            FilePlace::Local(path) => {
                path.canonicalize().is_ok_and(|path| path.starts_with(&place))
            }
            FilePlace::Remote { .. } => false,
        })
    }

    /// Opens a file, to read these columns of it; all where none are named.
    pub(super) async fn open(
        &self,
        index: usize,
        columns: Option<Vec<String>>,
    ) -> Result<OpenedFile> {
        let Some(InputFile { record, place }) = self.files.get(index) else {
            return Err(Error::predict("there is no such file", "this is a bug"));
        };
        match place {
            FilePlace::Local(path) => {
                let file = PartedFile::open(path, columns)?;
                if file.source().sha256.as_ref() != Some(&record.digest) {
                    return Err(changed(&record.name));
                }
                Ok(OpenedFile { file, _fetched: None })
            }
            FilePlace::Remote { store, meta } => {
                let failed = |source| Error::io(tempfile::env::temp_dir(), source);
                let folder = TemporaryFolder::create("input").map_err(failed)?;
                // Its name says how it is written, and the folders above it do not matter here.
                let name = Path::new(&record.name).file_name().unwrap_or_default();
                let target = folder.path().join(name);
                let fetched = download(store.as_ref(), meta, &target, &self.source).await?;
                if tag_of(&fetched) != record.digest {
                    return Err(changed(&record.name));
                }
                Ok(OpenedFile { file: PartedFile::open(&target, columns)?, _fetched: Some(folder) })
            }
        }
    }
}

impl InputFile {
    fn local(path: PathBuf) -> Result<Self> {
        let digest = file_digest(&path)?;
        let bytes = std::fs::metadata(&path).map_err(|source| Error::io(&path, source))?.len();
        let record = FileRecord { name: path.to_string_lossy().into_owned(), bytes, digest };
        Ok(Self { record, place: FilePlace::Local(path) })
    }
}

/// What a store says of an object's content. Azure writes the tag with quotes when an object is asked for, and without
/// them in a list.
fn tag_of(meta: &ObjectMeta) -> String {
    match &meta.e_tag {
        Some(tag) => format!("etag:{}", tag.trim_matches('"')),
        None => format!("time:{}", meta.last_modified.timestamp_micros()),
    }
}

fn changed(name: &str) -> Error {
    let hint = "score the table when nobody writes it any more; --overwrite begins again";
    Error::predict(format!("{name} changed while it was scored"), hint)
}

/// One digest of all files, in their order.
pub(super) fn digest_of(files: &[FileRecord]) -> String {
    if let [only] = files {
        return only.digest.clone();
    }
    let mut digest = Sha256::new();
    for file in files {
        digest.update(&file.digest);
        digest.update(b"\n");
    }
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_the_same_listed_and_fetched() {
        let meta = |tag: &str| ObjectMeta {
            location: object_store::path::Path::from("a.csv"),
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: 1,
            e_tag: Some(tag.to_owned()),
            version: None,
        };
        assert_eq!(tag_of(&meta("\"0x8D\"")), tag_of(&meta("0x8D")));
        assert_ne!(tag_of(&meta("0x8D")), tag_of(&meta("0x8E")));
    }
}
