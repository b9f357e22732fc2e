//! A table that is read one column at a time, so that it need not be in memory as a whole.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arrow_array::{Array as _, ArrayRef, RecordBatch, new_null_array};
use arrow_schema::DataType;
use tempfile::TempDir;

use super::part::Part;
use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::parquet::ParquetFile;
use crate::reading::Reading;
use crate::schema::{Found, NOTHING, column_order, common_type};
use crate::source::{Format, Source, SourceFile, files, is_parquet_file};
use crate::spill::{Types, spill, text_bytes as text_bytes_of};
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
    pub(super) source: Source,
    pub(super) names: Vec<String>,
    pub(super) rows: usize,
    pandas: Option<String>,
    store: Store,
    pub(super) options: ReadOptions,
    /// What columns of text say, found out when it is asked for.
    pub(super) readings: HashMap<String, OnceLock<Option<Reading>>>,
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

impl Columns {
    /// Opens a source, and leaves text as it is.
    pub(super) fn open_as_written(
        source: &str,
        options: &ReadOptions,
        memory: Option<u64>,
    ) -> Result<Self> {
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

    /// Calls `each` with the pieces of a column until it breaks off.
    pub(super) fn walk(
        &self,
        name: &str,
        mut each: impl FnMut(ArrayRef) -> ControlFlow<()>,
    ) -> Result<bool> {
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

    /// The type of a column as it is written.
    pub fn written_type(&self, name: &str) -> Option<&DataType> {
        match &self.store {
            Store::Memory(columns) => Some(columns.get(name)?.first()?.data_type()),
            Store::Files { types, .. } => types.get(name),
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
                Some(options.kept(&crate::parquet::read_file(path, &deciding)?)?)
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
