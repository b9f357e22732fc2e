//! Rows of segments, gathered by hour and version in bounded memory.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow_schema::{ArrowError, DataType};
use arrow_select::take::take;
use trainyard_base::words::log_columns::{MODEL, MODEL_VERSION, REQUEST_ID, TIME};
use trainyard_drift::{Column, ColumnBuilder, Profile};

use super::file::HOUR_MS;
use super::part::{Key, LABEL_BYTES_MAX, LABELS_MAX, Part, short};

/// Bytes that all columns of a part may take until they are sorted: what is more waits in temporary files. Of several
/// parts the second has half of it, the third a third, and so on: a hundred have five times as much together.
const MEMORY: u64 = 64 << 20;

/// Columns of the log itself that are not kept: one is another in each row, the other is the hour.
const NOT_KEPT: [&str; 2] = [REQUEST_ID, TIME];

/// A column in the making.
#[derive(Default)]
struct Building {
    /// By the types that it came with: those of versions and protocols may differ.
    made: Vec<(DataType, Making)>,
    /// Whether it has turned out to hold texts.
    is_left_out: bool,
}

/// What is gathered of values of one type.
enum Making {
    /// Distinct labels: no more of them than are kept, however many rows come.
    Labels(Column),
    Others(ColumnBuilder),
}

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

/// Rows of a batch that belong to one part.
struct Rows {
    key: Key,
    /// Where they begin, and how many come one after the other.
    ranges: Vec<(usize, usize)>,
    time_sum: i64,
}

impl Gathering {
    /// Adds rows of a segment.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let columns = batch.num_columns().max(1) as u64;
        for rows in by_part(batch)? {
            let place = self.parts.len() + usize::from(!self.parts.contains_key(&rows.key));
            let memory = MEMORY / place as u64 / columns;
            let chosen = rows.chosen();
            let part = self.parts.entry(rows.key).or_default();
            part.rows += rows.ranges.iter().map(|(_, rows)| *rows as u64).sum::<u64>();
            part.time_sum = part.time_sum.wrapping_add(rows.time_sum);
            for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
                if NOT_KEPT.contains(&field.name().as_str()) {
                    continue;
                }
                let column = match (&chosen, rows.ranges.first()) {
                    (Some(chosen), _) => take(column.as_ref(), chosen, None)?,
                    (None, Some((at, rows))) => column.slice(*at, *rows),
                    (None, None) => continue,
                };
                part.push(field.name(), column, memory);
            }
        }
        Ok(())
    }

    /// The parts; an error where temporary files could not be written or read.
    pub(super) fn finish(self) -> io::Result<Vec<Part>> {
        self.parts.into_iter().map(|(key, gathered)| gathered.finish(key)).collect()
    }
}

impl Gathered {
    fn push(&mut self, name: &str, rows: ArrayRef, memory: u64) {
        let place = self.columns.iter().position(|(other, _)| other == name);
        let place = place.unwrap_or_else(|| {
            self.columns.push((name.to_owned(), Building::default()));
            self.columns.len() - 1
        });
        self.columns[place].1.push(rows, memory);
    }

    fn finish(self, key: Key) -> io::Result<Part> {
        let (mut columns, mut left_out) = (Vec::new(), BTreeSet::new());
        for (name, building) in self.columns {
            let column = together(building, self.rows);
            // The next time there may be room.
            if let Some(why) = column.as_ref().and_then(Column::trouble) {
                return Err(io::Error::other(format!("{name}: {why}")));
            }
            match column.as_ref().and_then(short) {
                Some(column) => columns.push((name, column)),
                None => {
                    left_out.insert(name);
                }
            }
        }
        Ok(Part {
            key,
            rows: self.rows,
            time_sum: self.time_sum,
            folds: 1,
            left_out,
            profile: Profile::from_columns(self.rows, columns),
        })
    }
}

impl Building {
    fn push(&mut self, rows: ArrayRef, memory: u64) {
        if self.is_left_out {
            return;
        }
        let place = self.made.iter().position(|(data_type, _)| data_type == rows.data_type());
        let place = place.unwrap_or_else(|| {
            self.made.push((rows.data_type().clone(), Making::new(&rows, memory)));
            self.made.len() - 1
        });
        if !self.made[place].1.takes(rows) {
            *self = Self { made: Vec::new(), is_left_out: true };
        }
    }
}

impl Making {
    /// Of rows like these, of which it has none yet.
    fn new(like: &ArrayRef, memory: u64) -> Self {
        if is_text(like.data_type()) {
            Self::Labels(Column::new(&[like.slice(0, 0).as_ref()]))
        } else {
            Self::Others(ColumnBuilder::new(memory))
        }
    }

    /// Takes further rows; `false` if these are texts, and no labels.
    fn takes(&mut self, rows: ArrayRef) -> bool {
        let labels = match self {
            Self::Others(builder) => {
                builder.push(rows);
                return true;
            }
            Self::Labels(labels) => labels,
        };
        if longest(rows.as_ref()) > LABEL_BYTES_MAX {
            return false;
        }
        let merged = labels.merged(&Column::new(&[rows.as_ref()]));
        let Some(merged) = merged.filter(|merged| merged.distinct() <= LABELS_MAX) else {
            return false;
        };
        *labels = merged;
        true
    }

    fn finish(self) -> Column {
        match self {
            Self::Labels(labels) => labels,
            Self::Others(builder) => builder.finish(),
        }
    }
}

/// A column of so many rows; those that lack it are missing values. None where its types do not go together, or it is
/// left out.
fn together(building: Building, rows: u64) -> Option<Column> {
    let mut built = building.made.into_iter().map(|(_, making)| making.finish());
    let mut whole = built.next()?;
    for other in built {
        whole = whole.merged(&other)?;
    }
    let lacking = rows.saturating_sub(whole.rows());
    Some(whole.with_missing(lacking))
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Bytes of the longest text among these.
fn longest(rows: &dyn Array) -> usize {
    match rows.data_type() {
        DataType::Utf8 => longest_of(rows.as_string::<i32>().iter()),
        DataType::LargeUtf8 => longest_of(rows.as_string::<i64>().iter()),
        DataType::Utf8View => longest_of(rows.as_string_view().iter()),
        DataType::Dictionary(..) => {
            rows.as_any_dictionary_opt().map_or(0, |rows| longest(rows.values().as_ref()))
        }
        _ => 0,
    }
}

fn longest_of<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> usize {
    texts.flatten().map(str::len).max().unwrap_or(0)
}

impl Rows {
    /// Which rows these are, where they are not one after the other.
    fn chosen(&self) -> Option<UInt64Array> {
        if self.ranges.len() < 2 {
            return None;
        }
        let rows = self.ranges.iter().flat_map(|(at, rows)| *at..*at + *rows);
        Some(UInt64Array::from_iter_values(rows.map(|row| row as u64)))
    }
}

/// Which rows of a batch belong to which part.
fn by_part(batch: &RecordBatch) -> Result<Vec<Rows>, ArrowError> {
    let wrong = || ArrowError::SchemaError("this is no segment of a prediction log".to_owned());
    let of = |name: &str| batch.column_by_name(name).ok_or_else(wrong);
    let times = of(TIME)?.as_primitive_opt::<TimestampMillisecondType>().ok_or_else(wrong)?;
    let models = of(MODEL)?.as_string_opt::<i32>().ok_or_else(wrong)?;
    let versions = of(MODEL_VERSION)?.as_string_opt::<i32>().ok_or_else(wrong)?;
    let mut parts: Vec<Rows> = Vec::new();
    // Mostly it is the part of the row before.
    let mut last = 0;
    for row in 0..batch.num_rows() {
        let time = times.value(row);
        let hour = time - time.rem_euclid(HOUR_MS);
        let (model, version) = (models.value(row), versions.value(row));
        let is_of =
            |part: &Rows| part.key.0 == hour && part.key.1 == model && part.key.2 == version;
        if !parts.get(last).is_some_and(is_of) {
            last = parts.iter().position(is_of).unwrap_or_else(|| {
                let key = (hour, model.to_owned(), version.to_owned());
                parts.push(Rows { key, ranges: Vec::new(), time_sum: 0 });
                parts.len() - 1
            });
        }
        let part = &mut parts[last];
        part.time_sum = part.time_sum.wrapping_add(time);
        match part.ranges.last_mut() {
            Some((at, rows)) if *at + *rows == row => *rows += 1,
            _ => part.ranges.push((row, 1)),
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, StringArray, TimestampMillisecondArray};

    use super::*;

    /// Rows of one hour, of which every other is of version 2.
    fn batch(x: &[f64], label: &[String]) -> RecordBatch {
        let rows = x.len();
        let times =
            TimestampMillisecondArray::from_iter_values((0..rows as i64).map(|row| row * 10));
        let versions = (0..rows).map(|row| if row % 2 == 0 { "1" } else { "2" });
        let columns: [(&str, ArrayRef); 5] = [
            (TIME, Arc::new(times.with_timezone("UTC"))),
            (MODEL, Arc::new(StringArray::from(vec!["iris"; rows]))),
            (MODEL_VERSION, Arc::new(StringArray::from_iter_values(versions))),
            ("x", Arc::new(Float64Array::from(x.to_vec()))),
            ("label", Arc::new(StringArray::from_iter_values(label))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn gathered(batches: &[RecordBatch]) -> Vec<Part> {
        let mut gathering = Gathering::default();
        for batch in batches {
            gathering.add(batch).unwrap();
        }
        gathering.finish().unwrap()
    }

    #[test]
    fn versions_that_answer_in_turn_have_their_own_rows() {
        let labels: Vec<String> = (0..6).map(|row| format!("l{row}")).collect();
        let one = batch(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &labels);
        let parts = gathered(&[one.clone(), one]);
        let found = |part: &Part| {
            let x = part.profile.column("x").unwrap();
            let labels = part.profile.column("label").unwrap();
            let below = x.count_between(0.0, 2.5);
            (part.key.2.clone(), part.rows, part.time_sum, below, labels.distinct())
        };
        let found: Vec<_> = parts.iter().map(found).collect();
        assert_eq!(found, [("1".to_owned(), 6, 120, 4, 3), ("2".to_owned(), 6, 180, 2, 3)]);
    }

    #[test]
    fn texts_are_left_out_before_they_take_memory_and_a_long_one_at_once() {
        let many: Vec<String> = (0..LABELS_MAX * 2 + 2).map(|row| format!("t{row}")).collect();
        let long = vec!["é".repeat(LABEL_BYTES_MAX / 2 + 1); 2];
        let short = vec!["é".repeat(LABEL_BYTES_MAX / 2); 2];
        for (labels, is_kept) in [(many, false), (long, false), (short, true)] {
            let batch = batch(&vec![1.0; labels.len()], &labels);
            let mut gathering = Gathering::default();
            gathering.add(&batch).unwrap();
            gathering.add(&batch).unwrap();
            let building = &gathering.parts.values().next().unwrap().columns[3].1;
            assert_eq!((building.is_left_out, building.made.is_empty()), (!is_kept, !is_kept));
            for part in gathering.finish().unwrap() {
                assert_eq!(part.rows, labels.len() as u64);
                assert_eq!(part.profile.column("label").is_some(), is_kept);
                assert_eq!(part.left_out.contains("label"), !is_kept);
            }
        }
    }
}
