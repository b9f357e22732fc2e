//! One Parquet file of the prediction log.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{
    Array as _, ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_select::concat::concat;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use trainyard_base::file::{Access, NewFile, UNFINISHED, remove_if_left};
use trainyard_base::words::log_columns;
use trainyard_models::Prediction;

use super::entry::Entry;
use super::failure::Failure;
use super::journal::Journal;
use crate::answer;

/// A hidden file so old belongs to a server that was killed, also where no lock says so.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);

/// Segments of this process so far.
static SEQUENCE: AtomicU64 = AtomicU64::new(0);

/// A segment that is being written.
pub(crate) struct Segment {
    writer: ArrowWriter<File>,
    file: NewFile,
    path: PathBuf,
    schema: SchemaRef,
    rows: usize,
    pub(crate) opened: Instant,
    /// Where its rows are durable before it is whole, if they are.
    journal: Option<Journal>,
}

impl Segment {
    /// A new one, with a journal if what is written to it is to be durable at once.
    pub(crate) fn create(
        dir: &Path,
        schema: SchemaRef,
        has_journal: bool,
    ) -> Result<Self, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let process = std::process::id();
        let number = SEQUENCE.fetch_add(1, Ordering::Relaxed);
        // The random part sets processes of other machines and containers apart.
        let random = uuid::Uuid::new_v4().as_fields().0;
        let name = format!("predictions-{now:013}-{process}-{random:08x}-{number:06}.parquet");
        let mut segment = Self::at(&dir.join(name), schema)?;
        if has_journal {
            segment.journal = Some(Journal::create(&segment.path, &segment.schema)?);
        }
        Ok(segment)
    }

    /// One that is to be in this place.
    pub(super) fn at(path: &Path, schema: SchemaRef) -> Result<Self, Failure> {
        let io = |source| Failure::Io { path: path.to_owned(), source };
        let mut file = NewFile::beside(path, Access::Private).map_err(io)?;
        let written = file.file().try_clone().map_err(io)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .build();
        Ok(Self {
            writer: ArrowWriter::try_new(written, Arc::clone(&schema), Some(properties))?,
            file,
            path: path.to_owned(),
            schema,
            rows: 0,
            opened: Instant::now(),
            journal: None,
        })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Whether its rows are durable, and are recovered if it is given up.
    pub(super) fn has_journal(&self) -> bool {
        self.journal.is_some()
    }

    /// Bytes of memory that it takes until it is closed, about.
    pub(crate) fn memory(&self) -> usize {
        self.writer.memory_size()
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Adds rows, which are durable then if it has a journal.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        if let Some(journal) = &mut self.journal {
            journal.commit(batch)?;
        }
        self.rows += batch.num_rows();
        Ok(self.writer.write(batch)?)
    }

    /// Makes the segment whole and visible, and says where it is.
    pub(crate) fn close(mut self) -> Result<PathBuf, Failure> {
        self.writer.finish()?;
        let Self { file, path, journal, .. } = self;
        if let Err(source) = file.put_in_place() {
            return Err(Failure::Io { path, source });
        }
        if let Some(journal) = journal {
            journal.remove();
        }
        Ok(path)
    }
}

/// When a segment was begun, by its name `predictions-<milliseconds>-….parquet`: milliseconds since 1970; none of other
/// files.
pub(super) fn opened_ms(name: &str) -> Option<i64> {
    let rest = name.strip_prefix("predictions-")?.strip_suffix(".parquet")?;
    rest.split('-').next()?.parse::<i64>().ok().filter(|milliseconds| *milliseconds >= 0)
}

/// Removes hidden files that a killed server left.
pub(crate) fn remove_abandoned(dir: &Path) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // The second ending is that of earlier versions.
        let is_unfinished = name.ends_with(UNFINISHED) || name.ends_with(".unfinished");
        let ours = name.starts_with(".predictions-") && is_unfinished;
        if !ours {
            continue;
        }
        let path = entry.path();
        let age =
            entry.metadata().and_then(|data| data.modified()).ok().and_then(|t| t.elapsed().ok());
        let is_old = age.is_some_and(|age| age > ABANDONED_AFTER);
        // Earlier versions locked nothing that they wrote.
        let is_left = name.ends_with(UNFINISHED) && remove_if_left(&path);
        if is_left || (is_old && std::fs::remove_file(&path).is_ok()) {
            tracing::info!(path = %path.display(), "removed an unfinished log segment");
        }
    }
}

/// What entries of one table have in common: the model, the input columns, the type of the prediction.
#[derive(Debug, PartialEq)]
pub(crate) struct Kind {
    model: Arc<str>,
    input: SchemaRef,
    prediction: Shape,
}

/// What decides of the type of a prediction's column.
#[derive(Debug, PartialEq)]
enum Shape {
    Column(DataType),
    List(DataType, usize),
    Other,
}

impl Kind {
    pub(crate) fn of(entry: &Entry) -> Self {
        let prediction = match answer::parts(&entry.prediction).0 {
            Prediction::Column(values) | Prediction::Matrix { values, width: 1 } => {
                Shape::Column(values.data_type().clone())
            }
            Prediction::Matrix { values, width } => Shape::List(values.data_type().clone(), *width),
            Prediction::Maps { keys, values } => {
                Shape::List(values.data_type().clone(), keys.len())
            }
            Prediction::Named(_) => Shape::Other,
        };
        Self { model: Arc::clone(&entry.model), input: entry.input.schema(), prediction }
    }
}

/// The rows of the log for these entries, which all have the same input columns.
pub(crate) fn batch(entries: &[Entry]) -> Result<RecordBatch, Failure> {
    let mut ids = Vec::new();
    let mut times = Vec::new();
    let mut models = Vec::new();
    let mut versions = Vec::new();
    for entry in entries {
        for _row in 0..entry.input.num_rows() {
            ids.push(&*entry.request_id);
            times.push(entry.time_ms);
            models.push(&*entry.model);
            versions.push(&*entry.version);
        }
    }
    let times = TimestampMillisecondArray::from(times).with_timezone("UTC");
    let mut fields = vec![
        Field::new(log_columns::REQUEST_ID, DataType::Utf8, false),
        Field::new(
            log_columns::TIME,
            DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            false,
        ),
        Field::new(log_columns::MODEL, DataType::Utf8, false),
        Field::new(log_columns::MODEL_VERSION, DataType::Utf8, false),
    ];
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(ids)),
        Arc::new(times),
        Arc::new(StringArray::from(models)),
        Arc::new(StringArray::from(versions)),
    ];
    let Some(first) = entries.first() else {
        return Err(ArrowError::InvalidArgumentError("no entries".to_owned()).into());
    };
    for (index, field) in first.input.schema_ref().fields().iter().enumerate() {
        let parts: Vec<_> =
            entries.iter().map(|entry| entry.input.column(index).as_ref()).collect();
        fields.push(Field::clone(field));
        columns.push(concat(&parts)?);
    }
    let (predictions, probabilities) = outputs(entries)?;
    let is_input = |name: &str| first.input.schema_ref().field_with_name(name).is_ok();
    let name = |plain: &str| {
        if is_input(plain) { format!("trainyard.{plain}") } else { plain.to_owned() }
    };
    fields.push(Field::new(name(log_columns::PREDICTION), predictions.data_type().clone(), true));
    columns.push(predictions);
    if let Some(probabilities) = probabilities {
        fields.push(Field::new(name(log_columns::PROBABILITY), DataType::Float64, true));
        columns.push(probabilities);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// What the model said, and the probability of it when the model gave one.
fn outputs(entries: &[Entry]) -> Result<(ArrayRef, Option<ArrayRef>), Failure> {
    let mut predictions = Vec::with_capacity(entries.len());
    let mut probabilities = Vec::with_capacity(entries.len());
    for entry in entries {
        let (label, probability) = logged(&entry.prediction)?;
        probabilities.extend(probability);
        predictions.push(label);
    }
    let all = |arrays: &[ArrayRef]| concat(&arrays.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    let complete = probabilities.len() == predictions.len();
    let probabilities = if complete { Some(all(&probabilities)?) } else { None };
    Ok((all(&predictions)?, probabilities))
}

/// The columns of the log for a prediction: what the model said, and the probability of it where it gave one.
///
/// # Errors
///
/// If it has outputs within outputs.
pub fn logged(prediction: &Prediction) -> Result<(ArrayRef, Option<ArrayRef>), ArrowError> {
    let (label, several) = answer::parts(prediction);
    let label = column(label)?;
    let probability = several.and_then(|several| probability(&label, several));
    Ok((label, probability))
}

/// A prediction as one column.
fn column(prediction: &Prediction) -> Result<ArrayRef, ArrowError> {
    Ok(match prediction {
        Prediction::Column(values) | Prediction::Matrix { values, width: 1 } => Arc::clone(values),
        Prediction::Matrix { values, width } => list(values, *width)?,
        Prediction::Maps { keys, values } => list(values, keys.len())?,
        Prediction::Named(_) => {
            return Err(ArrowError::NotYetImplemented("outputs within outputs".to_owned()));
        }
    })
}

fn list(values: &ArrayRef, width: usize) -> Result<ArrayRef, ArrowError> {
    let size = i32::try_from(width).map_err(|e| ArrowError::InvalidArgumentError(e.to_string()))?;
    let field = Arc::new(Field::new("item", values.data_type().clone(), true));
    Ok(Arc::new(arrow_array::FixedSizeListArray::try_new(field, size, Arc::clone(values), None)?))
}

/// Probability of the predicted class of each row: by name where the outputs are named, else the
/// highest, which is the predicted one of every classifier.
fn probability(label: &ArrayRef, several: &Prediction) -> Option<ArrayRef> {
    let (values, width, keys) = match several {
        Prediction::Matrix { values, width } => (values, *width, None),
        Prediction::Maps { keys, values } => (values, keys.len(), Some(keys)),
        _ => return None,
    };
    let value = |index: usize| match values.data_type() {
        DataType::Float64 => values.as_primitive::<Float64Type>().values().get(index).copied(),
        DataType::Float32 => {
            values.as_primitive::<Float32Type>().values().get(index).copied().map(f64::from)
        }
        _ => None,
    };
    let rows = label.len();
    let of_row = |row: usize| {
        let named = keys.and_then(|keys| {
            let label = match label.data_type() {
                DataType::Int64 => label.as_primitive::<Int64Type>().value(row).to_string(),
                DataType::Utf8 => label.as_string::<i32>().value(row).to_owned(),
                _ => return None,
            };
            keys.iter().position(|key| *key == label)
        });
        match named {
            Some(class) => value(row * width + class),
            None => (0..width).filter_map(|class| value(row * width + class)).reduce(f64::max),
        }
    };
    (values.len() == rows * width)
        .then(|| Arc::new((0..rows).map(of_row).collect::<Float64Array>()) as ArrayRef)
}
