//! Journals that a killed server left become segments: every row that was acknowledged is in the log, once.
//!
//! A journal whose segment is there is removed: its server was killed between the two. What ends within a row was never
//! acknowledged. Several servers may share a folder; the lock on a journal says whose it is.

use std::fs::{File, TryLockError};
use std::io::{self, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use arrow_ipc::reader::StreamReader;
use arrow_schema::ArrowError;

use super::failure::Failure;
use super::journal::segment_of;
use super::segment::Segment;

/// Makes segments of the journals in a folder that nobody writes any more. Returns how many rows were in them.
pub(super) fn recover(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let mut rows = 0;
    for journal in entries.flatten().map(|entry| entry.path()) {
        let Some(segment) = segment_of(&journal) else { continue };
        match of_one(&journal, &segment) {
            Ok(0) => {}
            Ok(recovered) => {
                rows += recovered;
                tracing::info!(rows = recovered, segment = %segment.display(), "recovered predictions");
            }
            Err(error) => {
                tracing::error!(journal = %journal.display(), %error, "predictions wait to be recovered");
            }
        }
    }
    rows
}

/// The rows that came into a segment of the journal, which is removed then.
fn of_one(journal: &Path, segment: &Path) -> Result<u64, Failure> {
    let failed = |source: io::Error| Failure::Io { path: journal.to_owned(), source };
    // To be written, too: over a network only such files can be locked.
    let file = match File::options().read(true).write(true).open(journal) {
        Ok(file) => file,
        // Another server recovered it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    match file.try_lock() {
        Ok(()) => {}
        // Its server lives, or another one recovers it.
        Err(TryLockError::WouldBlock) => return Ok(0),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    if file.metadata().map_err(failed)?.nlink() == 0 {
        return Ok(0);
    }
    let mut rows = 0;
    if !segment.try_exists().map_err(failed)? {
        rows = write(&file, segment)?;
    }
    std::fs::remove_file(journal).map_err(failed)?;
    Ok(rows)
}

/// Writes the whole batches of a journal to a segment.
fn write(journal: &File, segment: &Path) -> Result<u64, Failure> {
    let batches = match StreamReader::try_new(BufReader::new(journal), None) {
        Ok(batches) => batches,
        // One that ends within its schema holds nothing.
        Err(error) if is_torn(&error) => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let mut whole = None;
    let mut rows = 0;
    for batch in batches {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) if is_torn(&error) => break,
            Err(error) => return Err(error.into()),
        };
        let segment = match &mut whole {
            Some(segment) => segment,
            none => none.insert(Segment::at(segment, batch.schema())?),
        };
        segment.write(&batch)?;
        rows += batch.num_rows() as u64;
    }
    if let Some(segment) = whole {
        segment.close()?;
    }
    Ok(rows)
}

/// Whether the journal ends here. A disk that cannot be read now, or no memory, is no end: what comes after it was
/// acknowledged, and the journal is wanted again.
fn is_torn(error: &ArrowError) -> bool {
    match error {
        ArrowError::IoError(_, source) => source.kind() == io::ErrorKind::UnexpectedEof,
        ArrowError::MemoryError(_) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::super::journal::Journal;
    use super::*;

    fn batch(from: i64) -> RecordBatch {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 10));
        RecordBatch::try_from_iter([("x", values)]).unwrap()
    }

    fn rows(segment: &Path) -> usize {
        let file = File::open(segment).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        reader.map(|batch| batch.unwrap().num_rows()).sum()
    }

    /// The journal that is in the folder.
    fn left(dir: &Path) -> Option<std::path::PathBuf> {
        let mut paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        paths.find(|path| segment_of(path).is_some())
    }

    #[test]
    fn what_was_committed_is_recovered_once_and_half_a_row_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let segment = dir.join("predictions-1-7-0-0.parquet");
        let mut journal = Journal::create(&segment, batch(0).schema_ref()).unwrap();
        journal.commit(&batch(0)).unwrap();
        journal.commit(&batch(10)).unwrap();
        assert_eq!(recover(dir), 0, "its server lives");
        drop(journal);
        let path = left(dir).unwrap();
        let mut torn = File::options().append(true).open(&path).unwrap();
        torn.write_all(&[255, 255, 255, 255, 200, 0, 0, 0, 1, 2]).unwrap();
        drop(torn);
        let copy = std::fs::read(&path).unwrap();
        assert_eq!(recover(dir), 20);
        assert_eq!((rows(&segment), left(dir)), (20, None));
        // Killed after the segment was put in its place, before the journal was removed.
        std::fs::write(&path, copy).unwrap();
        assert_eq!(recover(dir), 0);
        assert_eq!((rows(&segment), left(dir)), (20, None));
        // Killed before anything was in it.
        std::fs::write(&path, [1, 2]).unwrap();
        std::fs::remove_file(&segment).unwrap();
        assert_eq!((recover(dir), left(dir)), (0, None));
    }

    #[test]
    fn a_journal_that_cannot_be_read_now_is_not_one_that_ends() {
        let folder = tempfile::tempdir().unwrap();
        // Reading a folder as a file fails, and not because it would end.
        let unreadable = File::open(folder.path()).unwrap();
        write(&unreadable, &folder.path().join("predictions-1-7-0-0.parquet")).unwrap_err();
        let eof = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert!(is_torn(&eof.into()) && is_torn(&ArrowError::IpcError(String::new())));
    }

    #[test]
    fn a_segment_that_is_whole_needs_no_journal() {
        let folder = tempfile::tempdir().unwrap();
        let mut segment = Segment::create(folder.path(), batch(0).schema(), true).unwrap();
        segment.write(&batch(0)).unwrap();
        assert!(left(folder.path()).is_some());
        let path = segment.close().unwrap();
        assert_eq!((rows(&path), left(folder.path())), (10, None));
        // One that is given up leaves its rows to be recovered.
        let mut segment = Segment::create(folder.path(), batch(0).schema(), true).unwrap();
        segment.write(&batch(0)).unwrap();
        drop(segment);
        assert_eq!(recover(folder.path()), 10);
    }
}
