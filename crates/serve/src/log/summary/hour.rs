//! The segments of an hour, read into parts: all rows of a segment or none.
//!
//! A segment that breaks off half-way is left out as a whole, and said to be, so that no summary has an unknown share of its
//! rows. Rows are gathered over segments, so the hour is then read once more without it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::super::failure::Failure;
use super::super::reading::LogReading;
use super::gather::Gathering;
use super::part::Part;

/// What was in segments.
#[derive(Default)]
pub(super) struct Read {
    pub(super) parts: Vec<Part>,
    /// All that were there.
    pub(super) segments: BTreeSet<String>,
    /// Those among them of which no row is in the parts.
    pub(super) damaged: BTreeSet<String>,
}

/// Why a segment is not added.
enum Not {
    /// Its retention, or somebody, removed it.
    Gone,
    /// It cannot be read now.
    Now(io::Error),
    /// It is damaged, which is found out before or after some of its rows were added.
    Damaged { is_begun: bool, error: Failure },
}

/// Reads the segments of these names; none if it is to stop.
pub(super) fn read(
    dir: &Path,
    names: &[String],
    is_stopped: &dyn Fn() -> bool,
) -> io::Result<Option<Read>> {
    let mut read = Read::default();
    loop {
        let mut gathering = Gathering::default();
        let mut is_whole = true;
        read.segments.clone_from(&read.damaged);
        for name in names {
            if is_stopped() {
                return Ok(None);
            }
            if read.damaged.contains(name) {
                continue;
            }
            match add(dir, name, &mut gathering) {
                Ok(()) => {
                    read.segments.insert(name.clone());
                }
                Err(Not::Gone) => {}
                Err(Not::Now(error)) => return Err(error),
                Err(Not::Damaged { is_begun, error }) => {
                    // It is as unreadable the next time.
                    tracing::warn!(segment = %name, %error, "rows of a segment are in no summary");
                    read.segments.insert(name.clone());
                    read.damaged.insert(name.clone());
                    is_whole = !is_begun;
                    if is_begun {
                        break;
                    }
                }
            }
        }
        if is_whole {
            read.parts = gathering.finish();
            return Ok(Some(read));
        }
    }
}

/// Adds the rows of a segment, which nobody removes meanwhile. What is to be removed waits for one segment, not for an hour
/// of them: predictions are dropped where there is no room for them.
fn add(dir: &Path, name: &str, gathering: &mut Gathering) -> Result<(), Not> {
    let _reading = LogReading::begin(dir);
    let path = dir.join(name);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Not::Gone),
        Err(error) => return Err(Not::Now(error)),
    };
    let mut is_begun = false;
    let Err(error) = add_all(file, gathering, &mut is_begun) else { return Ok(()) };
    // A disk or a share that fails now is no damage: nothing is wrong with what can be read to its end.
    match File::open(&path).and_then(|mut file| io::copy(&mut file, &mut io::sink())) {
        Ok(_bytes) => Err(Not::Damaged { is_begun, error }),
        Err(error) => Err(Not::Now(error)),
    }
}

fn add_all(file: File, gathering: &mut Gathering, is_begun: &mut bool) -> Result<(), Failure> {
    for batch in ParquetRecordBatchReaderBuilder::try_new(file)?.build()? {
        let batch = batch?;
        *is_begun = true;
        gathering.add(&batch)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use parquet::arrow::ArrowWriter;

    use super::super::super::reading;
    use super::super::testing::{keeper, look, rows, segment, summaries, table};
    use super::*;

    #[test]
    fn a_segment_that_breaks_off_half_way_is_in_no_summary_and_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        segment(dir, 10, "1");
        let path = dir.join(segment(dir, 11, "1"));
        let first = table(11, "1", 2048);
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, first.schema(), None).unwrap();
        writer.write(&first).unwrap();
        writer.flush().unwrap();
        writer.write(&table(11, "1", 100)).unwrap();
        writer.close().unwrap();
        let file = File::open(&path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let (at, length) = reader.metadata().row_group(1).column(4).byte_range();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at as usize..(at + length) as usize].fill(0xff);
        std::fs::write(&path, bytes).unwrap();
        let keeper = keeper(dir);
        for rows_there in [120, 240] {
            look(&keeper, 200);
            assert_eq!(rows(dir), [(0, "1".to_owned(), rows_there)]);
            assert!(summaries(dir).doubts[&0].contains("1 damaged segments"));
            assert!(keeper.covered.has(&path));
            segment(dir, 50, "1");
        }
        // One that cannot be read now is another matter.
        let unreadable = "predictions-0000000000000-7-00000000-000009.parquet".to_owned();
        std::fs::create_dir(dir.join(&unreadable)).unwrap();
        assert!(read(dir, &[unreadable], &|| false).is_err());
    }

    #[test]
    fn who_removes_waits_for_one_segment_and_not_for_an_hour_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        reading::prepare(dir).unwrap();
        let names = [segment(dir, 10, "1"), segment(dir, 20, "1")];
        let free = std::cell::Cell::new(0);
        let count = || {
            free.set(free.get() + usize::from(reading::alone(dir).unwrap().is_some()));
            false
        };
        let read = read(dir, &names, &count).unwrap().unwrap();
        assert_eq!((read.segments.len(), read.parts[0].rows, free.get()), (2, 240, 2));
    }
}
