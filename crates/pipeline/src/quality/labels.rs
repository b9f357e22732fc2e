//! Labels of predictions, found by their id, whenever they come.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, ArrayRef, StringArray, UInt32Array};
use arrow_cast::cast;
use arrow_select::take::take;
use serde_json::Value;
use trainyard_data::Columns;
use trainyard_data::arrow_schema::DataType;
use trainyard_quality::{Found, LabelIndex};
use trainyard_report::quality::Labels;
use trainyard_serve::Facts;

use super::columns::{arrow, gather, lacks, numbers, texts, wanted};
use crate::{Error, Result};

/// The column of labels with the row of a request that has several.
const ROW: &str = "row";

/// Labels at once: the ids of more do not fit into one column of texts, which holds two gigabytes.
const LABELS_MAX: usize = 50_000_000;

/// How ids are named, where tables do not call them the usual way.
const ON: &str =
    "--on names the id: NAME, or PREDICTIONS=LABELS where the tables call it differently";

/// Labels as they were read: nothing of them is copied, for there may be millions.
pub(super) struct LabelTable {
    ids: Ids,
    /// The row within the request, if that is known.
    rows: Option<Vec<u64>>,
    /// What was true: texts, or numbers.
    truth: ArrayRef,
}

/// The id of each label, in the pieces in which they were read.
struct Ids {
    pieces: Vec<StringArray>,
    /// The first label behind each piece.
    ends: Vec<u32>,
}

impl Ids {
    fn of(pieces: Vec<StringArray>) -> Self {
        let mut end = 0;
        let ends = pieces.iter().map(|piece| {
            end += piece.len() as u32;
            end
        });
        let ends = ends.collect();
        Self { pieces, ends }
    }

    fn get(&self, label: u32) -> Option<&str> {
        let place = self.ends.partition_point(|end| *end <= label);
        let piece = self.pieces.get(place)?;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        let row = (label - start) as usize;
        piece.is_valid(row).then(|| piece.value(row))
    }
}

/// Predictions with labels.
#[derive(Debug, Default)]
pub(super) struct Joined {
    /// Where they are among the predictions, rising.
    pub(super) positions: Vec<u32>,
    /// What was true of each.
    pub(super) truth: Vec<String>,
    pub(super) counts: Labels,
}

impl LabelTable {
    /// From a table with these columns.
    pub(super) fn read(columns: &Columns, source: &str, id: &str, target: &str) -> Result<Self> {
        check_labels(columns, source)?;
        let all: Vec<u32> = (0..columns.rows() as u32).collect();
        let Some(ids) = columns.read(id)? else {
            return Err(lacks(columns, source, id).hinting(ON));
        };
        let tight = |piece: ArrayRef| {
            let mut texts = as_texts(&piece)?;
            drop(piece);
            // Whoever decoded it left room for more.
            texts.shrink_to_fit();
            Ok(texts)
        };
        let ids = ids.into_iter().map(tight).collect::<Result<Vec<StringArray>>>()?;
        let truth = wanted(columns, source, target, &all)?;
        let is_number = truth.data_type().is_floating();
        let truth = if is_number { truth } else { cast(&truth, &DataType::Utf8).map_err(arrow)? };
        let rows = match gather(columns, ROW, &all)? {
            None => None,
            Some(rows) => {
                let rows = cast(&rows, &DataType::Int64).map_err(arrow)?;
                let row = |row: Option<i64>| row.and_then(|row| u64::try_from(row).ok());
                let rows = rows.as_primitive::<Int64Type>().iter();
                Some(rows.map(|value| row(value).unwrap_or(0)).collect())
            }
        };
        Ok(Self { ids: Ids::of(ids), rows, truth })
    }

    /// From what clients of a model server said.
    pub(super) fn of_feedback(facts: &Facts) -> Self {
        let (mut ids, mut rows, mut truth) = (Vec::new(), Vec::new(), Vec::new());
        for (id, row, actual) in facts.all() {
            ids.push(id);
            rows.push(row);
            truth.push(match actual {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => number.as_f64().map(|number| number.to_string()),
                Value::Bool(is_true) => Some(is_true.to_string()),
                _ => None,
            });
        }
        let truth = Arc::new(StringArray::from(truth));
        Self { ids: Ids::of(vec![StringArray::from(ids)]), rows: Some(rows), truth }
    }

    /// Whether some are of other rows than the first of a request.
    pub(super) fn are_of_rows(&self) -> bool {
        self.rows.iter().flatten().any(|row| *row > 0)
    }

    /// Finds the predictions that these are of. `id` is the column of the predictions.
    pub(super) fn join(self, predictions: &Columns, source: &str, id: &str) -> Result<Joined> {
        let Self { ids, rows, truth } = self;
        // One without a truth is still to come.
        let is_known = known(&truth)?;
        let id_of = |label: u32| if is_known[label as usize] { ids.get(label) } else { None };
        let mut index = LabelIndex::new(is_known.len(), id_of, rows.as_deref());
        let mut joined = Joined::default();
        let mut labels: Vec<u32> = Vec::new();
        let (mut position, mut row, mut repeated) = (0_u32, 0_u64, 0_u64);
        let mut before = String::new();
        let mut failed = None;
        let found = predictions.for_each_piece(id, |piece| {
            let texts = match as_texts(&piece) {
                Ok(texts) => texts,
                Err(error) => {
                    failed = Some(error);
                    return;
                }
            };
            // Rows of one request stand together in a log, and may go on in the next piece.
            let mut last: Option<&str> = None;
            let requests = texts.iter().filter_map(|id| {
                let here = position;
                position += 1;
                let id = id?;
                row = if last.unwrap_or(&before) == id { row + 1 } else { 0 };
                last = Some(id);
                Some((here, id, row))
            });
            index.take(requests, |position, found| match found {
                Found::Taken => repeated += 1,
                Found::Label(label) => {
                    joined.positions.push(*position);
                    labels.push(label);
                }
            });
            if let Some(last) = last {
                last.clone_into(&mut before);
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if !found {
            return Err(lacks(predictions, source, id).hinting(ON));
        }
        joined.counts = Labels {
            predictions: u64::from(position),
            labelled: labels.len() as u64,
            labels: is_known.iter().filter(|is_known| **is_known).count() as u64,
            superseded: index.superseded() as u64,
            repeated,
        };
        // Before the texts are made, which take as much.
        drop(index);
        drop((ids, rows));
        let truth = take(&truth, &UInt32Array::from(labels), None).map_err(arrow)?;
        // Nothing without a truth is in the index.
        joined.truth = texts(&truth)?.into_iter().map(Option::unwrap_or_default).collect();
        Ok(joined)
    }
}

/// Whether something is said to be true of each: as [`texts`] has it.
fn known(truth: &ArrayRef) -> Result<Vec<bool>> {
    if truth.data_type().is_floating() {
        return Ok(numbers(truth)?.into_iter().map(|value| !value.is_nan()).collect());
    }
    let texts = truth.as_string::<i32>();
    Ok(texts.iter().map(|text| text.is_some_and(|text| !text.is_empty())).collect())
}

/// Refuses more labels than are held at once.
pub(super) fn check_labels(columns: &Columns, source: &str) -> Result<()> {
    if columns.rows() <= LABELS_MAX {
        return Ok(());
    }
    Err(Error::Missing {
        what: format!("{source} has {} labels", columns.rows()),
        hint: format!("give at most {LABELS_MAX} at once, such as those of a month"),
    })
}

/// Ids as texts, whatever they are. Whole numbers are so also where a program made fractions of them, as one was missing.
fn as_texts(array: &ArrayRef) -> Result<StringArray> {
    if array.data_type().is_floating() {
        return Ok(texts(array)?.into_iter().collect());
    }
    Ok(cast(array, &DataType::Utf8).map_err(arrow)?.as_string::<i32>().clone())
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, Int64Array};

    use super::*;

    #[test]
    fn whole_numbers_are_the_same_ids_where_one_is_missing() {
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![1, 1 << 40]));
        let with_missing: ArrayRef =
            Arc::new(Float64Array::from(vec![Some(1.0), Some((1_i64 << 40) as f64), None]));
        let (whole, with_missing) = (as_texts(&whole).unwrap(), as_texts(&with_missing).unwrap());
        assert_eq!(with_missing.slice(0, 2), whole);
        assert!(with_missing.is_null(2));
    }
}
