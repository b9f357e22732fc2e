//! Rows of segments, gathered by hour and version in bounded memory.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType};
use trainyard_base::words::log_columns::{MODEL, MODEL_VERSION, REQUEST_ID, TIME};
use trainyard_drift::{Column, ColumnBuilder, Profile};

use super::file::HOUR_MS;
use super::part::{Key, Part, short};

/// Bytes that all columns of a part may take until they are sorted: what is more waits in temporary files.
const MEMORY: u64 = 64 << 20;

/// Columns of the log itself that are not kept: one is another in each row, the other is the hour.
const NOT_KEPT: [&str; 2] = [REQUEST_ID, TIME];

/// A column in the making, by the types that it came with: those of versions and protocols may differ.
type Building = Vec<(DataType, ColumnBuilder)>;

#[derive(Default)]
struct Gathered {
    rows: u64,
    time_sum: i64,
    /// In the order in which they came first.
    columns: Vec<(String, Building)>,
}

/// Parts in the making.
#[derive(Default)]
pub(super) struct Gathering {
    parts: BTreeMap<Key, Gathered>,
}

/// Rows one after the other that belong to one part.
struct Run {
    key: Key,
    at: usize,
    rows: usize,
    time_sum: i64,
}

impl Gathering {
    /// Adds rows of a segment.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        for run in runs(batch)? {
            let memory = MEMORY / batch.num_columns().max(1) as u64;
            let part = self.parts.entry(run.key).or_default();
            part.rows += run.rows as u64;
            part.time_sum = part.time_sum.wrapping_add(run.time_sum);
            for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
                if !NOT_KEPT.contains(&field.name().as_str()) {
                    part.push(field.name(), column.slice(run.at, run.rows), memory);
                }
            }
        }
        Ok(())
    }

    /// The parts.
    pub(super) fn finish(self) -> Vec<Part> {
        self.parts.into_iter().map(|(key, gathered)| gathered.finish(key)).collect()
    }
}

impl Gathered {
    fn push(&mut self, name: &str, rows: ArrayRef, memory: u64) {
        let place = self.columns.iter().position(|(other, _)| other == name);
        let place = place.unwrap_or_else(|| {
            self.columns.push((name.to_owned(), Building::new()));
            self.columns.len() - 1
        });
        let building = &mut self.columns[place].1;
        let known = building.iter_mut().find(|(data_type, _)| data_type == rows.data_type());
        if let Some((_, builder)) = known {
            builder.push(rows);
        } else {
            let mut builder = ColumnBuilder::new(memory);
            let data_type = rows.data_type().clone();
            builder.push(rows);
            building.push((data_type, builder));
        }
    }

    fn finish(self, key: Key) -> Part {
        let (mut columns, mut left_out) = (Vec::new(), BTreeSet::new());
        for (name, building) in self.columns {
            match together(building, self.rows).as_ref().and_then(short) {
                Some(column) => columns.push((name, column)),
                None => {
                    left_out.insert(name);
                }
            }
        }
        Part {
            key,
            rows: self.rows,
            time_sum: self.time_sum,
            folds: 1,
            left_out,
            profile: Profile::from_columns(self.rows, columns),
        }
    }
}

/// A column of so many rows; those that lack it are missing values. None where its types do not go together.
fn together(building: Building, rows: u64) -> Option<Column> {
    let mut built = building.into_iter().map(|(_, builder)| builder.finish());
    let mut whole = built.next()?;
    for other in built {
        whole = whole.merged(&other)?;
    }
    let lacking = rows.saturating_sub(whole.rows());
    Some(whole.with_missing(lacking))
}

/// Which rows of a batch belong to which part.
fn runs(batch: &RecordBatch) -> Result<Vec<Run>, ArrowError> {
    let wrong = || ArrowError::SchemaError("this is no segment of a prediction log".to_owned());
    let of = |name: &str| batch.column_by_name(name).ok_or_else(wrong);
    let times = of(TIME)?.as_primitive_opt::<TimestampMillisecondType>().ok_or_else(wrong)?;
    let models = of(MODEL)?.as_string_opt::<i32>().ok_or_else(wrong)?;
    let versions = of(MODEL_VERSION)?.as_string_opt::<i32>().ok_or_else(wrong)?;
    let mut runs: Vec<Run> = Vec::new();
    for row in 0..batch.num_rows() {
        let time = times.value(row);
        let hour = time - time.rem_euclid(HOUR_MS);
        let (model, version) = (models.value(row), versions.value(row));
        match runs.last_mut() {
            Some(run) if run.key.0 == hour && run.key.1 == model && run.key.2 == version => {
                run.rows += 1;
                run.time_sum = run.time_sum.wrapping_add(time);
            }
            _ => {
                let key = (hour, model.to_owned(), version.to_owned());
                runs.push(Run { key, at: row, rows: 1, time_sum: time });
            }
        }
    }
    Ok(runs)
}
