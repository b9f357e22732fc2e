//! A table that is read one column at a time, so that it need not be in memory as a whole.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow_schema::DataType;
use tempfile::TempDir;

use crate::csv::lines::lines_of;
use crate::error::{Error, Result};
use crate::options::{Natural, ReadOptions};
use crate::parquet::ParquetFile;
use crate::reading::{Reading, Survey, convert};
use crate::remarks::Remark;
use crate::schema::{Found, NOTHING, column_order, common_type};
use crate::source::{Format, Source, SourceFile, files, is_parquet_file};
use crate::spill::{Types, reader, spill, text_bytes as text_bytes_of};
use crate::table::{read_csv_pieces, read_table, with_filter_columns};

/// CSV text takes about as much memory again once it is typed, and both are there at once.
const TEXT_FACTOR: u64 = 3;

/// A table whose columns are read when they are asked for.
///
/// Parquet files on disk are decoded column by column. CSV files are read at once, or, where they
/// are too large for the memory given, turned into temporary Parquet files piece by piece.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("train.csv");
/// std::fs::write(&path, "x,label\n1.5,a\n,b\n")?;
/// let columns = trainyard_data::Columns::open(&path.to_string_lossy(), &Default::default(), None)?;
/// assert_eq!(columns.names(), ["x", "label"]);
/// assert_eq!(columns.read("x")?.unwrap()[0].null_count(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Columns {
    source: Source,
    names: Vec<String>,
    rows: usize,
    pandas: Option<String>,
    store: Store,
    options: ReadOptions,
    /// What columns of text say, found out when it is asked for.
    readings: HashMap<String, OnceLock<Option<Reading>>>,
}

#[derive(Debug)]
enum Store {
    /// Pieces by name.
    Memory(HashMap<String, Vec<ArrayRef>>),
    Files {
        parts: Vec<Part>,
        types: HashMap<String, DataType>,
        /// Where temporary files lie; they go away with the value.
        _folder: Option<TempDir>,
    },
}

#[derive(Debug)]
struct Part {
    file: ParquetFile,
    /// Which rows the filter keeps; all of them if none.
    kept: Option<BooleanArray>,
}

impl Columns {
    /// Opens a source; see [`crate::read`]. `memory` is how many bytes reading may take, about;
    /// without it CSV is read at once, whatever its size.
    pub fn open(source: &str, options: &ReadOptions, memory: Option<u64>) -> Result<Self> {
        let columns = Self::open_as_written(source, options, memory)?;
        let Some(Natural { labels, .. }) = &options.natural else { return Ok(columns) };
        let is_text = |name: &&String| {
            !labels.contains(*name) && columns.written_type(name) == Some(&DataType::Utf8)
        };
        let texts = columns.names.iter().filter(is_text);
        let readings = texts.map(|name| (name.clone(), OnceLock::new())).collect();
        Ok(Self { options: options.clone(), readings, ..columns })
    }

    fn open_as_written(source: &str, options: &ReadOptions, memory: Option<u64>) -> Result<Self> {
        let paths = files(source)?;
        let mut all_parquet = true;
        let mut text_bytes = 0;
        for path in &paths {
            if !is_parquet_file(path)? {
                all_parquet = false;
                text_bytes += text_bytes_of(path);
            }
        }
        let columns = if all_parquet {
            Self::of_parquet(source, &paths, options)?
        } else if let Some(memory) = memory
            && text_bytes > memory / TEXT_FACTOR
            && options.encoding.is_none()
            && paths.iter().all(|path| path != Path::new(crate::STDIN))
        {
            Self::of_large_text(source, &paths, options, memory)?
        } else {
            return Self::of_text(source, &paths, options);
        };
        if columns.rows > 0 || options.allow_no_rows {
            return Ok(columns);
        }
        let read = columns.source.rows();
        Err(if read > 0 {
            Error::NoRowsKept { source_name: source.to_owned(), read }
        } else {
            Error::NoRows { path: source.into() }
        })
    }

    /// Names of the columns, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Rows, after the filter.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The files, in the order of the rows.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What pandas wrote into a Parquet file about its types (JSON), if it did.
    pub fn pandas(&self) -> Option<&str> {
        self.pandas.as_deref()
    }

    /// Reads a column, in pieces of one type in the order of the rows; `None` if there is no such
    /// column.
    pub fn read(&self, name: &str) -> Result<Option<Vec<ArrayRef>>> {
        let mut pieces = Vec::new();
        Ok(self.for_each_piece(name, |piece| pieces.push(piece))?.then_some(pieces))
    }

    /// Calls `each` with the pieces that [`Columns::read`] returns, one after the other; `false` if
    /// there is no such column.
    pub fn for_each_piece(&self, name: &str, mut each: impl FnMut(ArrayRef)) -> Result<bool> {
        let form = self.reading(name).map(|reading| &reading.form);
        self.walk(name, |piece| {
            let read = form.and_then(|form| Some(convert(piece.as_string_opt::<i32>()?, form)));
            each(read.unwrap_or(piece));
            ControlFlow::Continue(())
        })
    }

    /// Calls `each` with the pieces of a column as they are written, whatever its text says.
    pub fn for_each_written_piece(
        &self,
        name: &str,
        mut each: impl FnMut(ArrayRef),
    ) -> Result<bool> {
        self.walk(name, |piece| {
            each(piece);
            ControlFlow::Continue(())
        })
    }

    /// Calls `each` with the pieces of a column until it breaks off.
    fn walk(&self, name: &str, mut each: impl FnMut(ArrayRef) -> ControlFlow<()>) -> Result<bool> {
        match &self.store {
            Store::Memory(columns) => {
                let Some(pieces) = columns.get(name) else { return Ok(false) };
                let _ended = pieces.iter().cloned().try_for_each(each);
            }
            Store::Files { parts, types, .. } => {
                let Some(target) = types.get(name) else { return Ok(false) };
                for part in parts {
                    if part.read(name, target, &mut each)?.is_break() {
                        break;
                    }
                }
            }
        }
        Ok(true)
    }

    /// What the text of a column says, if it is more than text: it is read so then. `None` without
    /// [`ReadOptions::natural`].
    pub fn reading(&self, name: &str) -> Option<&Reading> {
        self.readings.get(name)?.get_or_init(|| self.survey(name)).as_ref()
    }

    /// The type of a column as it is read.
    pub fn data_type(&self, name: &str) -> Option<DataType> {
        match self.reading(name) {
            Some(reading) => Some(reading.form.data_type()),
            None => self.written_type(name).cloned(),
        }
    }

    /// The type of a column as it is written.
    pub fn written_type(&self, name: &str) -> Option<&DataType> {
        match &self.store {
            Store::Memory(columns) => Some(columns.get(name)?.first()?.data_type()),
            Store::Files { types, .. } => types.get(name),
        }
    }

    /// Whether text was read as people mean it.
    pub fn is_natural(&self) -> bool {
        self.options.natural.is_some()
    }

    /// What was guessed of the files.
    pub fn remarks(&self) -> Vec<Remark> {
        self.options.remarks.all()
    }

    /// The columns as they are written, whatever their text says.
    #[must_use]
    pub fn as_written(self) -> Self {
        Self { readings: HashMap::new(), ..self }
    }

    /// Looks over a column of text. One that cannot be read says so to whoever reads it.
    fn survey(&self, name: &str) -> Option<Reading> {
        let natural = self.options.natural.as_ref()?;
        let mut survey = Survey::new(self.rows, natural.decimal);
        let walked = self.walk(name, |piece| {
            if let Some(piece) = piece.as_string_opt::<i32>() {
                survey.see(piece);
            }
            if survey.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        walked.ok()?;
        let mut reading = survey.finish(natural.numbers.contains(name))?;
        self.find_lines(&mut reading);
        Some(reading)
    }

    /// Finds the lines of exceptions, where rows are lines of one file.
    fn find_lines(&self, reading: &mut Reading) {
        let [file] = self.source.files.as_slice() else { return };
        let has_lines = file.format == Format::Csv
            && file.path != Path::new(crate::STDIN)
            && self.options.rows.is_empty()
            && self.options.encoding.is_none();
        if reading.examples.is_empty() || !has_lines {
            return;
        }
        let rows = reading.examples.iter().map(|example| example.row);
        let lines = reader(&file.path)
            .and_then(|text| lines_of(&file.path, text, &self.options, rows))
            .unwrap_or_default();
        for (example, line) in reading.examples.iter_mut().zip(lines) {
            example.line = Some(line);
        }
    }

    fn of_parquet(source: &str, paths: &[PathBuf], options: &ReadOptions) -> Result<Self> {
        let wider = with_filter_columns(options)?;
        let mut parts = Vec::with_capacity(paths.len());
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let file = ParquetFile::open(path, options)?;
            let kept = if options.rows.is_empty() {
                None
            } else {
                let deciding =
                    ReadOptions { columns: Some(options.rows.columns()?), ..wider.clone() };
                Some(options.rows.kept(&crate::parquet::read_file(path, &deciding)?)?)
            };
            files.push(SourceFile {
                path: path.clone(),
                format: Format::Parquet,
                bytes: std::fs::metadata(path).map_err(|error| Error::read(path, error))?.len(),
                rows: file.rows(),
                sha256: None,
            });
            parts.push((Part { file, kept }, None));
        }
        Self::of_parts(Source { name: source.to_owned(), files }, parts, options, None)
    }

    /// Reads all at once. One file without filters stays in the pieces in which it was typed, which
    /// saves the memory and the time of joining them.
    fn of_text(source: &str, paths: &[PathBuf], options: &ReadOptions) -> Result<Self> {
        if let [path] = paths
            && path != Path::new(crate::STDIN)
            && options.rows.is_empty()
            && let Some((pieces, file)) = read_csv_pieces(path, options)?
        {
            let rows = pieces.rows;
            if rows == 0 && !options.allow_no_rows {
                return Err(Error::NoRows { path: path.clone() });
            }
            let held: Vec<String> = pieces.columns.iter().map(|(name, ..)| name.clone()).collect();
            let names = column_order(&[(path, held)], options)?;
            // Columns that are not there, or hold nothing.
            let nulls = |name: &String| (name.clone(), vec![new_null_array(&NOTHING, rows)]);
            let mut columns: HashMap<_, _> = names.iter().map(nulls).collect();
            let typed = pieces.columns.into_iter().filter(|(_, data_type, pieces)| {
                *data_type != DataType::Null && !pieces.is_empty()
            });
            columns.extend(typed.map(|(name, _, pieces)| (name, pieces)));
            return Ok(Self {
                source: Source { name: source.to_owned(), files: vec![file] },
                names,
                rows,
                pandas: None,
                store: Store::Memory(columns),
                options: ReadOptions::default(),
                readings: HashMap::new(),
            });
        }
        let table = read_table(source, options)?;
        Ok(Self { source: table.source, ..Self::from(table.batch) })
    }

    fn of_large_text(
        source: &str,
        paths: &[PathBuf],
        options: &ReadOptions,
        memory: u64,
    ) -> Result<Self> {
        let folder =
            tempfile::tempdir().map_err(|error| Error::write(&std::env::temp_dir(), error))?;
        let mut parts = Vec::new();
        let mut files = Vec::new();
        for (file, segments) in spill(paths, options, memory, folder.path())? {
            files.push(file);
            for segment in segments {
                let file = ParquetFile::open(&segment.path, &ReadOptions::default())?;
                parts.push((Part { file, kept: None }, Some(segment.types)));
            }
        }
        Self::of_parts(Source { name: source.to_owned(), files }, parts, options, Some(folder))
    }

    /// Brings parts to one schema. Parts of CSV bring the types that were found, in which a column
    /// of nulls is no column of floats yet.
    fn of_parts(
        source: Source,
        parts: Vec<(Part, Option<Types>)>,
        options: &ReadOptions,
        folder: Option<TempDir>,
    ) -> Result<Self> {
        let schemas: Vec<Types> = parts
            .iter()
            .map(|(part, types)| match types {
                Some(types) => types.clone(),
                None => part
                    .file
                    .columns()
                    .map(|(name, data_type)| (name.to_owned(), data_type))
                    .collect(),
            })
            .collect();
        let held: Vec<(&Path, Vec<String>)> = parts
            .iter()
            .zip(&schemas)
            .map(|((part, _), schema)| {
                let names = schema.iter().map(|(name, _)| name.clone()).collect();
                (part.file.path.as_path(), names)
            })
            .collect();
        let names = column_order(&held, options)?;
        let maps: Vec<HashMap<&str, &DataType>> = schemas
            .iter()
            .map(|schema| schema.iter().map(|(name, kind)| (name.as_str(), kind)).collect())
            .collect();
        let mut types = HashMap::with_capacity(names.len());
        for name in &names {
            let found = parts.iter().zip(&maps).map(|((part, csv), schema)| Found {
                path: &part.file.path,
                is_csv: csv.is_some(),
                column: schema.get(name.as_str()).map(|kind| (*kind, part.file.rows() == 0)),
            });
            let common = common_type(name, found)?;
            let common = if common == DataType::Null { NOTHING } else { common };
            types.insert(name.clone(), common);
        }
        let rows = parts.iter().map(|(part, _)| part.rows()).sum();
        let pandas = parts.first().and_then(|(part, _)| part.file.pandas().map(str::to_owned));
        let parts = parts.into_iter().map(|(part, _)| part).collect();
        let store = Store::Files { parts, types, _folder: folder };
        let (options, readings) = (ReadOptions::default(), HashMap::new());
        Ok(Self { source, names, rows, pandas, store, options, readings })
    }
}

/// A table that is in memory already.
impl From<RecordBatch> for Columns {
    fn from(batch: RecordBatch) -> Self {
        let schema = batch.schema();
        Self {
            source: Source { name: String::new(), files: Vec::new() },
            names: schema.fields().iter().map(|field| field.name().clone()).collect(),
            rows: batch.num_rows(),
            pandas: schema.metadata().get("pandas").cloned(),
            store: Store::Memory(
                schema
                    .fields()
                    .iter()
                    .zip(batch.columns())
                    .map(|(field, column)| (field.name().clone(), vec![Arc::clone(column)]))
                    .collect(),
            ),
            options: ReadOptions::default(),
            readings: HashMap::new(),
        }
    }
}

impl Part {
    fn rows(&self) -> usize {
        self.kept.as_ref().map_or_else(|| self.file.rows(), BooleanArray::true_count)
    }

    /// Calls `each` with the part's pieces of a column, as `target`, until it breaks off.
    fn read(
        &self,
        name: &str,
        target: &DataType,
        each: &mut impl FnMut(ArrayRef) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let failed = |source| Error::arrow(&self.file.path, source);
        let mut row = 0;
        let mut ended = ControlFlow::Continue(());
        let found = self.file.for_each_piece(name, |piece| {
            let rows = piece.len();
            let piece = match &self.kept {
                Some(kept) => {
                    arrow_select::filter::filter(&piece, &kept.slice(row, rows)).map_err(failed)?
                }
                None => piece,
            };
            row += rows;
            ended = each(if piece.data_type() == target {
                piece
            } else {
                arrow_cast::cast(&piece, target).map_err(failed)?
            });
            Ok(ended)
        })?;
        if !found {
            ended = each(new_null_array(target, self.rows()));
        }
        Ok(ended)
    }
}
