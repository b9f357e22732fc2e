//! One file of the prediction log: which of its rows somebody said the truth about, in the columns of the
//! training data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array as _, ArrayRef, BooleanArray, RecordBatch, UInt64Array, new_null_array};
use arrow_cast::cast;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take;
use serde_json::Value;
use trainyard_base::words::log_columns::{
    MODEL, MODEL_VERSION, PREDICTION, PROBABILITY, REQUEST_ID, TIME,
};
use trainyard_data::ReadOptions;
use trainyard_data::arrow_schema::{ArrowError, SchemaRef};
use trainyard_serve::Facts;

use super::labels;
use super::learner::Learner;
use crate::Result;

/// Requests that were met, by their id: the file, the time, and how many of its rows.
#[derive(Debug, Default)]
pub(super) struct Seen {
    requests: BTreeMap<String, Met>,
}

#[derive(Debug)]
struct Met {
    file: usize,
    time_ms: i64,
    rows: u64,
}

impl Seen {
    /// Which row of its request the next row of this id is. None of a request that repeats an id: feedback
    /// names the first, and whatever copies a request (a client's retry, a shadow) keeps its id.
    fn row(&mut self, id: &str, file: usize, time_ms: i64) -> Option<u64> {
        let first = Met { file, time_ms, rows: 0 };
        let met = self.requests.entry(id.to_owned()).or_insert(first);
        if (met.file, met.time_ms) != (file, time_ms) {
            return None;
        }
        met.rows += 1;
        Some(met.rows - 1)
    }
}

/// Rows with labels, and where they come from.
#[derive(Debug)]
pub(super) struct Labelled {
    pub(super) batch: RecordBatch,
    /// Of each row, in its order.
    pub(super) origins: Vec<Origin>,
    /// Rows with a label that do not fit.
    pub(super) left_out: usize,
}

/// The request that a row was part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) request_id: String,
    pub(super) version: String,
    pub(super) time_ms: i64,
}

/// Reads the labelled rows of a file; `number` is the file's. None where there are none.
pub(super) fn read(
    path: &Path,
    number: usize,
    learner: &Learner<'_>,
    schema: &SchemaRef,
    facts: &Facts,
    seen: &mut Seen,
) -> Result<Option<Labelled>> {
    let log = read_columns(path, schema)?;
    let matched = labelled_rows(&log, number, learner.model, facts, seen);
    let Some(Matched { rows, origins, actuals }) = matched else { return Ok(None) };
    let wanted = actuals.len();
    if wanted == 0 {
        return Ok(None);
    }
    let converted = convert(&log, &UInt64Array::from(rows), &actuals, learner, schema);
    let (batch, keep) = converted.map_err(trainyard_train::Error::from)?;
    let origins: Vec<Origin> = origins
        .into_iter()
        .zip(keep.iter())
        .filter_map(|(origin, kept)| (kept == Some(true)).then_some(origin))
        .collect();
    let left_out = wanted - origins.len();
    Ok(Some(Labelled { batch, origins, left_out }))
}

/// The columns of a file that matter: those of the training data, and what the log says of a request.
fn read_columns(path: &Path, schema: &SchemaRef) -> Result<RecordBatch> {
    let inputs = schema.fields().iter().map(|field| field.name().clone());
    let of_log = [REQUEST_ID, TIME, MODEL, MODEL_VERSION].map(str::to_owned);
    let moved = [PREDICTION, PROBABILITY].map(moved_name);
    let mut names: Vec<String> = inputs.chain(of_log).chain(moved).collect();
    let mut once = BTreeSet::new();
    names.retain(|name| once.insert(name.clone()));
    let options = ReadOptions {
        columns: Some(names),
        skip_missing_columns: true,
        allow_no_rows: true,
        ..ReadOptions::default()
    };
    Ok(trainyard_data::read(&path.to_string_lossy(), &options)?)
}

/// Where an answer of the model is logged if an input has its usual name.
fn moved_name(answer: &str) -> String {
    format!("trainyard.{answer}")
}

/// The rows that something is known of: where they are, where they come from, what was true.
#[derive(Debug, Default)]
struct Matched<'f> {
    rows: Vec<u64>,
    origins: Vec<Origin>,
    actuals: Vec<&'f Value>,
}

/// Holds the rows of a log against what is known; none where a column of the log is not there.
fn labelled_rows<'f>(
    log: &RecordBatch,
    file: usize,
    model: &str,
    facts: &'f Facts,
    seen: &mut Seen,
) -> Option<Matched<'f>> {
    let texts = |name: &str| log.column_by_name(name)?.as_string_opt::<i32>();
    let ids = texts(REQUEST_ID)?;
    let (models, versions) = (texts(MODEL)?, texts(MODEL_VERSION)?);
    let times = log.column_by_name(TIME)?.as_primitive_opt::<TimestampMillisecondType>()?;
    let mut matched = Matched::default();
    for row in 0..log.num_rows() {
        let (id, time_ms) = (ids.value(row), times.value(row));
        if models.value(row) != model || !facts.knows(id) {
            continue;
        }
        let Some(of_request) = seen.row(id, file, time_ms) else { continue };
        if let Some(actual) = facts.actual(id, of_request) {
            matched.rows.push(row as u64);
            let (request_id, version) = (id.to_owned(), versions.value(row).to_owned());
            matched.origins.push(Origin { request_id, version, time_ms });
            matched.actuals.push(actual);
        }
    }
    Some(matched)
}

/// The rows in the columns and types of the training data, and which of all that were wanted are among them.
fn convert(
    log: &RecordBatch,
    rows: &UInt64Array,
    actuals: &[&Value],
    learner: &Learner<'_>,
    schema: &SchemaRef,
) -> Result<(RecordBatch, BooleanArray), ArrowError> {
    let mut keep = vec![true; rows.len()];
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let (name, data_type) = (field.name().as_str(), field.data_type());
        let given = if is_answer(log, name) { None } else { log.column_by_name(name) };
        let column = if name == learner.target() {
            let labels = labels::column(actuals, data_type)?;
            for (row, keep) in keep.iter_mut().enumerate() {
                *keep &= labels.is_valid(row);
            }
            labels
        } else if let Some(given) = given {
            let given = take(given, rows, None)?;
            let column = cast(&given, data_type)?;
            // A value that the type does not hold became null.
            for (row, keep) in keep.iter_mut().enumerate() {
                *keep &= column.is_valid(row) || given.is_null(row);
            }
            column
        } else {
            // What is not learned from need not be known.
            if learner.learns_from(name) {
                keep.fill(false);
            }
            new_null_array(data_type, rows.len())
        };
        columns.push(column);
    }
    let keep = BooleanArray::from(keep);
    let batch = RecordBatch::try_new(Arc::clone(schema), columns)?;
    Ok((filter_record_batch(&batch, &keep)?, keep))
}

/// Whether a column of the log is what the model said, and no input of that name.
fn is_answer(log: &RecordBatch, name: &str) -> bool {
    [PREDICTION, PROBABILITY].contains(&name) && log.column_by_name(&moved_name(name)).is_none()
}
