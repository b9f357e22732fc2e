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
