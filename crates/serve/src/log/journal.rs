//! The journal of a segment: what is in it survives a kill before the segment is whole.
//!
//! It is a stream of Arrow IPC beside the segment, hidden, synced once for all rows that came together. It lies there
//! until the segment is in its place. Its name follows from the segment's, so that whoever finds one after a kill knows
//! whether its rows are in the log already. The kernel's lock on it says that its server lives.

use std::fs::File;
use std::io::{self, BufWriter};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::Schema;
use trainyard_base::file::sync_folder;

use super::failure::Failure;
use crate::private_files;

/// How names of journals and segments end.
const JOURNAL: &str = ".journal";
const SEGMENT: &str = ".parquet";

/// A journal that rows are written to.
pub(super) struct Journal {
    writer: StreamWriter<BufWriter<File>>,
    path: PathBuf,
}

impl Journal {
    /// The journal of the segment at `segment`.
    pub(super) fn create(segment: &Path, schema: &Schema) -> Result<Self, Failure> {
        let path = path_of(segment);
        let open = || {
            let file = private_files::file(&path)?;
            // Somebody may have taken it for one that was left.
            if file.try_lock().is_err() || file.metadata()?.nlink() == 0 {
                return Err(io::Error::other("the journal cannot be locked"));
            }
            sync_folder(path.parent().unwrap_or(Path::new(".")))?;
            Ok(file)
        };
        let file = open().map_err(|source| Failure::Io { path: path.clone(), source })?;
        Ok(Self { writer: StreamWriter::try_new_buffered(file, schema)?, path })
    }

    /// Makes rows durable.
    pub(super) fn commit(&mut self, rows: &RecordBatch) -> Result<(), Failure> {
        self.writer.write(rows)?;
        self.writer.flush()?;
        let file = self.writer.get_ref().get_ref();
        file.sync_data().map_err(|source| Failure::Io { path: self.path.clone(), source })
    }

    /// Removes it: its rows are in a segment.
    pub(super) fn remove(self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a journal is not removed");
        }
    }
}

/// Where the journal of a segment is.
fn path_of(segment: &Path) -> PathBuf {
    let name = segment.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(SEGMENT).unwrap_or(&name);
    segment.with_file_name(format!(".{stem}{JOURNAL}"))
}

/// The segment that a journal belongs to; none of other files.
pub(super) fn segment_of(journal: &Path) -> Option<PathBuf> {
    let name = journal.file_name()?.to_str()?;
    let stem = name.strip_prefix('.')?.strip_suffix(JOURNAL)?;
    stem.starts_with("predictions-").then(|| journal.with_file_name(format!("{stem}{SEGMENT}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_names_its_segment() {
        let segment = Path::new("/log/predictions-0000000000001-7-00000000-000000.parquet");
        assert_eq!(segment_of(&path_of(segment)).as_deref(), Some(segment));
        for other in [".predictions.lock", "predictions-1.journal", ".x.journal"] {
            assert_eq!(segment_of(Path::new(other)), None, "{other}");
        }
    }
}
