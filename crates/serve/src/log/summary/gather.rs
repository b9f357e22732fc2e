//! Rows of segments, gathered by hour and version in bounded memory.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array as _, ArrayRef, RecordBatch, UInt64Array};
use arrow_schema::ArrowError;
use arrow_select::take::take;
use trainyard_base::words::log_columns::{MODEL, MODEL_VERSION, REQUEST_ID, TIME};
use trainyard_drift::Profile;

use super::building::Building;
use super::file::HOUR_MS;
use super::part::{Key, POINTS, Part, Short, short};
use super::sketch::SKETCH_POINTS;

/// Bytes that rows, and labels, of all columns of a part may wait in. Of several parts the second has half of it, the third a third,
/// and so on: a hundred have five times as much together.
const MEMORY: usize = 64 << 20;

/// Columns of the log itself that are not kept: one is another in each row, the other is the hour.
const NOT_KEPT: [&str; 2] = [REQUEST_ID, TIME];

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
        let columns = batch.num_columns().max(1);
        for rows in by_part(batch)? {
            let place = self.parts.len() + usize::from(!self.parts.contains_key(&rows.key));
            let memory = MEMORY / place / columns;
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

    /// The parts.
    pub(super) fn finish(self) -> Vec<Part> {
        self.parts.into_iter().map(|(key, gathered)| gathered.finish(key)).collect()
    }
}

impl Gathered {
    fn push(&mut self, name: &str, rows: ArrayRef, memory: usize) {
        let place = self.columns.iter().position(|(other, _)| other == name);
        let place = place.unwrap_or_else(|| {
            self.columns.push((name.to_owned(), Building::new(name)));
            self.columns.len() - 1
        });
        self.columns[place].1.push(rows, memory);
    }

    fn finish(self, key: Key) -> Part {
        let (mut columns, mut left_out) = (Vec::new(), BTreeSet::new());
        let (mut levels, mut withheld, mut averaged) = (0, BTreeMap::new(), BTreeMap::new());
        for (name, building) in self.columns {
            let built = building.finish(self.rows);
            let Some((built, Short { column, tail })) =
                built.and_then(|built| short(&built.column).map(|short| (built, short)))
            else {
                left_out.insert(name);
                continue;
            };
            levels = levels.max(built.levels);
            let counts = [(&mut withheld, built.withheld + tail), (&mut averaged, built.averaged)];
            for (all, rows) in counts.into_iter().filter(|(_, rows)| *rows > 0) {
                all.insert(name.clone(), rows);
            }
            columns.push((name, column));
        }
        // Those that were made on the way count as one of the last ones, or a few.
        let further = levels.div_ceil(SKETCH_POINTS / POINTS);
        Part {
            key,
            length_ms: HOUR_MS,
            rows: self.rows,
            time_sum: self.time_sum,
            folds: u32::try_from(1 + further).unwrap_or(u32::MAX),
            left_out,
            withheld,
            averaged,
            profile: Profile::from_columns(self.rows, columns),
        }
    }
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

    use super::super::disclosure::ROWS_MIN;
    use super::super::part::{LABEL_BYTES_MAX, LABELS_MAX};
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
        gathering.finish()
    }

    #[test]
    fn versions_that_answer_in_turn_have_their_own_rows() {
        let labels: Vec<String> = (0..6).map(|row| format!("l{row}")).collect();
        let one = batch(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &labels);
        let parts = gathered(&vec![one; ROWS_MIN as usize]);
        let found = |part: &Part| {
            let x = part.profile.column("x").unwrap();
            let labels = part.profile.column("label").unwrap();
            let below = x.count_between(0.0, 2.5);
            assert!(part.withheld.is_empty() && part.averaged.is_empty());
            (part.key.2.clone(), part.rows, part.time_sum, below, labels.distinct())
        };
        let found: Vec<_> = parts.iter().map(found).collect();
        assert_eq!(found, [("1".to_owned(), 33, 660, 22, 3), ("2".to_owned(), 33, 990, 11, 3)]);
    }

    #[test]
    fn nothing_is_kept_of_few_rows_and_no_ids() {
        let rows = 2 * ROWS_MIN as usize;
        let x: Vec<f64> = (0..2 * rows).map(|row| row as f64).collect();
        // Of version 1 two rows have a label that the others do not.
        let labels: Vec<String> = (0..2 * rows)
            .map(|row| if row == 0 || row == 2 { "rare" } else { "often" }.to_owned())
            .collect();
        let one = batch(&x, &labels);
        let ids: ArrayRef = Arc::new(StringArray::from(vec!["ann@example.org"; 2 * rows]));
        let mut columns: Vec<(String, ArrayRef)> = one
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .zip(one.columns().to_vec())
            .collect();
        columns.extend([("user_id".to_owned(), one.column(3).clone()), ("who".to_owned(), ids)]);
        let parts = gathered(&[RecordBatch::try_from_iter(columns).unwrap()]);
        let part = &parts[0];
        assert_eq!(part.rows, rows as u64);
        let labels = part.profile.column("label").unwrap();
        assert_eq!(labels.texts().collect::<Vec<_>>(), ["often"]);
        assert_eq!(part.withheld, BTreeMap::from([("label".to_owned(), 2)]));
        let x = part.profile.column("x").unwrap();
        assert_eq!((x.len(), x.distinct()), (rows as u64, 2), "two means of eleven rows each");
        assert_eq!(part.averaged, BTreeMap::from([("x".to_owned(), ROWS_MIN)]));
        assert_eq!(part.left_out.iter().collect::<Vec<_>>(), ["user_id", "who"]);
        // A quiet hour: there were rows, and nothing is known of them.
        let few = &gathered(&[one.slice(0, 10)])[0];
        assert_eq!((few.rows, few.withheld["x"], few.withheld["label"]), (5, 5, 5));
        assert!(few.profile.columns().iter().all(|(_, column)| column.is_empty()));
    }

    #[test]
    fn texts_are_left_out_before_they_take_memory_and_a_long_one_at_once() {
        let many: Vec<String> = (0..LABELS_MAX * 8).map(|row| format!("t{row}")).collect();
        let long = vec!["é".repeat(LABEL_BYTES_MAX / 2 + 1); 2];
        let short = vec!["é".repeat(LABEL_BYTES_MAX / 2); 2];
        for (labels, is_kept) in [(many, false), (long, false), (short, true)] {
            let batch = batch(&vec![1.0; labels.len()], &labels);
            let mut gathering = Gathering::default();
            gathering.add(&batch).unwrap();
            gathering.add(&batch).unwrap();
            let building = &gathering.parts.values().next().unwrap().columns[3].1;
            assert_eq!(building.is_left_out(), !is_kept);
            for part in gathering.finish() {
                assert_eq!(part.rows, labels.len() as u64);
                assert_eq!(part.profile.column("label").is_some(), is_kept);
                assert_eq!(part.left_out.contains("label"), !is_kept);
            }
        }
    }
}
