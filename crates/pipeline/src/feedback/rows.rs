//! The training data with the labelled rows behind it, as one more file of its source: so digests, the holdout
//! and the gate see one table.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use trainyard_data::arrow_schema::ArrowError;
use trainyard_data::{Format, SourceFile, Table};
use trainyard_serve::{Facts, LogReading};

use super::learner::Learner;
use super::provenance::Provenance;
use super::segment::{self, Labelled, Seen};
use crate::{Error, Result};

/// Rows that feedback adds at most, in sum; where there are more, those that came last count. As many as a
/// service with ten answers a minute has labels for in ten weeks.
const ROWS_MAX: usize = 1_000_000;

/// The name that stands for the rows among the files of the source.
const SOURCE_NAME: &str = "feedback";

/// Appends the rows of a prediction log that somebody said the truth about. None were added where there is no
/// provenance.
pub(crate) fn append(
    table: Table,
    log: &Path,
    learner: &Learner<'_>,
) -> Result<(Table, Option<Provenance>)> {
    let _reading = LogReading::begin(log);
    let facts = Facts::read(log).map_err(|source| Error::io(log, source))?;
    if facts.is_empty() || !log.is_dir() {
        return Ok((table, None));
    }
    if facts.is_cut() {
        tracing::warn!(folder = %log.display(), "there is more feedback than is read: the oldest files are left out");
    }
    let files = match trainyard_data::files(&log.to_string_lossy()) {
        Ok(files) => files,
        Err(trainyard_data::Error::NoFiles { .. }) => return Ok((table, None)),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    let mut seen = Seen::default();
    for (number, file) in files.iter().enumerate() {
        let schema = table.batch.schema();
        let labelled = segment::read(file, number, learner, &schema, &facts, &mut seen)?;
        found.extend(labelled);
        drop_oldest(&mut found);
    }
    joined(table, &found)
}

/// Keeps the files that were written last, as long as they are not too many rows.
fn drop_oldest(found: &mut Vec<Labelled>) {
    let rows = |found: &[Labelled]| found.iter().map(|one| one.batch.num_rows()).sum::<usize>();
    while found.len() > 1 && rows(found) > ROWS_MAX {
        let oldest = found.remove(0);
        tracing::warn!(
            rows = oldest.batch.num_rows(),
            "labelled rows are left out: there are too many"
        );
    }
}

/// The table with the rows behind it, and where they come from.
fn joined(mut table: Table, found: &[Labelled]) -> Result<(Table, Option<Provenance>)> {
    let schema = table.batch.schema();
    let batches: Vec<&RecordBatch> = found.iter().map(|one| &one.batch).collect();
    let arrow = |error: ArrowError| Error::from(trainyard_train::Error::from(error));
    let added = concat_batches(&schema, batches).map_err(arrow)?;
    let left_out: usize = found.iter().map(|one| one.left_out).sum();
    if left_out > 0 {
        tracing::warn!(
            rows = left_out,
            "labelled rows do not fit the training data and are left out"
        );
    }
    let origins = || found.iter().flat_map(|one| &one.origins);
    let times = || origins().map(|origin| origin.time_ms);
    let Some(window_ms) = times().min().zip(times().max()) else { return Ok((table, None)) };
    let requests: BTreeSet<&str> = origins().map(|origin| origin.request_id.as_str()).collect();
    let provenance = Provenance {
        rows: added.num_rows(),
        requests: requests.len(),
        versions: origins().map(|origin| origin.version.clone()).collect(),
        window_ms,
        left_out,
        digest: trainyard_train::digest(&added)?,
    };
    table.source.files.push(SourceFile {
        path: PathBuf::from(SOURCE_NAME),
        format: Format::Parquet,
        bytes: added.get_array_memory_size() as u64,
        rows: added.num_rows(),
        sha256: Some(provenance.digest.clone()),
    });
    table.batch = concat_batches(&schema, [&table.batch, &added]).map_err(arrow)?;
    Ok((table, Some(provenance)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray as _;
    use arrow_array::types::Float64Type;
    use arrow_array::{Array as _, ArrayRef, Float64Array, StringArray, TimestampMillisecondArray};
    use trainyard_base::words::log_columns;
    use trainyard_data::{ReadOptions, write_parquet};

    use super::*;
    use crate::Config;

    const PROJECT: &str = "[model]\nname = \"M\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\nexclude = [\"id\"]\nfeedback = true\n";

    /// A segment of a prediction log: id, time, x and version of each row.
    fn segment(folder: &Path, name: &str, rows: &[(&str, i64, f64, &str)]) {
        let texts = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
        let times: TimestampMillisecondArray = rows.iter().map(|row| Some(row.1)).collect();
        let columns = [
            (log_columns::REQUEST_ID, texts(rows.iter().map(|row| row.0).collect())),
            (log_columns::TIME, Arc::new(times.with_timezone("UTC")) as ArrayRef),
            (log_columns::MODEL, texts(vec!["M"; rows.len()])),
            (log_columns::MODEL_VERSION, texts(rows.iter().map(|row| row.3).collect())),
            ("x", Arc::new(rows.iter().map(|row| Some(row.2)).collect::<Float64Array>()) as _),
            (log_columns::PREDICTION, texts(vec!["a"; rows.len()])),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        write_parquet(folder.join(name), &batch).unwrap();
    }

    fn table(folder: &Path) -> Table {
        let path = folder.join("a.csv");
        std::fs::write(&path, "id,x,y\n1,0.5,a\n2,1.5,b\n").unwrap();
        let options = ReadOptions { digest: true, ..ReadOptions::default() };
        trainyard_data::read_table(&path.to_string_lossy(), &options).unwrap()
    }

    #[test]
    fn labelled_rows_follow_the_table_once_each_and_change_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::create_dir_all(log.join("_feedback")).unwrap();
        segment(
            &log,
            "predictions-1.parquet",
            &[("r1", 1000, 7.0, "1"), ("r1", 1000, 8.0, "1"), ("r2", 2000, 9.0, "1")],
        );
        // The id came a second time, with another row: a copy of the request, or somebody's own ids.
        segment(&log, "predictions-2.parquet", &[("r2", 5000, 99.0, "2"), ("r3", 6000, 3.0, "2")]);
        let facts = "{\"request_id\":\"r1\",\"row\":1,\"actual\":\"b\",\"time\":1}\n\
                     {\"request_id\":\"r2\",\"row\":0,\"actual\":\"a\",\"time\":1}\n\
                     {\"request_id\":\"r2\",\"row\":0,\"actual\":\"b\",\"time\":2}\n\
                     {\"request_id\":\"r3\",\"row\":0,\"actual\":true,\"time\":2}\n\
                     {\"request_id\":\"r9\",\"row\":0,\"actual\":\"a\",\"time\":2}\n";
        std::fs::write(log.join("_feedback/feedback-1.jsonl"), facts).unwrap();
        let config = Config::parse(PROJECT).unwrap();
        let learner = Learner { model: "M", train: &config.train };
        let plain = table(folder.path());
        let digest = plain.source.digest().unwrap();
        let (table, provenance) = append(plain, &log, &learner).unwrap();
        let provenance = provenance.unwrap();
        assert_eq!((provenance.rows, provenance.requests, provenance.left_out), (2, 2, 1));
        assert_eq!(provenance.window_ms, (1000, 2000));
        assert_eq!(provenance.versions.iter().collect::<Vec<_>>(), ["1"]);
        let column = |name: &str| Arc::clone(table.batch.column_by_name(name).unwrap());
        let x: Vec<f64> = column("x").as_primitive::<Float64Type>().values().to_vec();
        assert_eq!(x, [0.5, 1.5, 8.0, 9.0]);
        let y = column("y");
        let y: Vec<_> = y.as_string::<i32>().iter().flatten().collect();
        assert_eq!(y, ["a", "b", "b", "b"], "the last word on r2 counts");
        assert_eq!(column("id").logical_null_count(), 2, "it is not learned from");
        assert_ne!(table.source.digest().unwrap(), digest);
        assert_eq!(table.source.rows(), 4);
    }

    #[test]
    fn rows_without_a_column_that_is_learned_from_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::create_dir_all(log.join("_feedback")).unwrap();
        segment(&log, "predictions-1.parquet", &[("r1", 1000, 7.0, "1")]);
        let fact = "{\"request_id\":\"r1\",\"row\":0,\"actual\":\"b\",\"time\":1}\n";
        std::fs::write(log.join("_feedback/feedback-1.jsonl"), fact).unwrap();
        let config = Config::parse(&PROJECT.replace("exclude = [\"id\"]\n", "")).unwrap();
        let learner = Learner { model: "M", train: &config.train };
        let (same, provenance) = append(table(folder.path()), &log, &learner).unwrap();
        assert_eq!((provenance, same.batch.num_rows()), (None, 2));
        // Those of another model are none of ours.
        let config = Config::parse(PROJECT).unwrap();
        let learner = Learner { model: "N", train: &config.train };
        let (same, provenance) = append(table(folder.path()), &log, &learner).unwrap();
        assert_eq!((provenance, same.batch.num_rows()), (None, 2));
    }
}
