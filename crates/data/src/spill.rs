//! CSV that is larger than the memory to spend on it, as temporary Parquet files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};

use crate::csv;
use crate::csv::Dialect;
use crate::csv::input::Input;
use crate::csv::segments::Segments;
use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::remarks::Remarks;
use crate::schema::{Found, NOTHING, common_type};
use crate::source::{Format, GZIP, SourceFile, ZSTD, head};
use crate::table::with_filter_columns;
use crate::write::write_parquet;

/// Text of one piece: what is typed at once. Smaller pieces than this cost more than they save.
const SEGMENT_BYTES_MIN: u64 = 1 << 20;
/// Larger pieces than this are no faster.
const SEGMENT_BYTES_MAX: u64 = 64 << 20;
/// What a piece takes: its text, its cells, its columns, and those columns as they are written.
const SEGMENT_FACTOR: u64 = 8;
/// What compressed tables expand to, about.
const COMPRESSION: u64 = 6;

/// Names and types of columns, in order.
pub(crate) type Types = Vec<(String, DataType)>;

/// A piece of a CSV file.
#[derive(Debug)]
pub(crate) struct Spilled {
    pub(crate) path: PathBuf,
    /// Names and types as the text has them; [`DataType::Null`] where there are only nulls.
    pub(crate) types: Types,
}

/// How much text a file holds, about.
pub(crate) fn text_bytes(path: &Path) -> u64 {
    let stored = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let compressed = path.extension().is_some_and(|end| end == "gz" || end == "zst");
    if compressed { stored.saturating_mul(COMPRESSION) } else { stored }
}

/// Writes the records of the files, as far as the options keep them, to Parquet files in `folder`.
pub(crate) fn spill(
    paths: &[PathBuf],
    options: &ReadOptions,
    memory: u64,
    folder: &Path,
) -> Result<Vec<(SourceFile, Vec<Spilled>)>> {
    let wider = with_filter_columns(options)?;
    let size = (memory / SEGMENT_FACTOR).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX) as usize;
    let mut files = Vec::with_capacity(paths.len());
    for (index, path) in paths.iter().enumerate() {
        let mut rows = 0;
        let mut spilled: Vec<Spilled> = Vec::new();
        for_each_segment(path, &wider, size, |number, text, dialect, wider| {
            let input = Input::memory(path, text);
            let batch = csv::read_as(&input, dialect, wider, &BTreeMap::new())?.into_batch(path)?;
            rows += batch.num_rows();
            let target = folder.join(format!("{index}-{number}.parquet"));
            let types = types_of(&batch, options);
            write(&target, &batch, options)?;
            spilled.push(Spilled { path: target, types });
            Ok(())
        })?;
        let bytes = std::fs::metadata(path).map_err(|error| Error::read(path, error))?.len();
        let file =
            SourceFile { path: path.clone(), format: Format::Csv, bytes, rows, sha256: None };
        files.push((file, spilled));
    }

    // Pieces whose numbers turned out to be text elsewhere are read again: as it is written counts.
    let texts = text_columns(&files)?;
    for (file, spilled) in &mut files {
        let again =
            |piece: &Spilled| piece.types.iter().any(|(name, kind)| is_reread(name, kind, &texts));
        if !spilled.iter().any(again) {
            continue;
        }
        for_each_segment(&file.path, &wider, size, |number, text, dialect, wider| {
            let Some(piece) = spilled.get_mut(number).filter(|piece| again(piece)) else {
                return Ok(());
            };
            let input = Input::memory(&file.path, text);
            let batch = csv::read_as(&input, dialect, wider, &texts)?.into_batch(&file.path)?;
            piece.types = types_of(&batch, options);
            write(&piece.path, &batch, options)
        })?;
    }
    Ok(files)
}

/// Calls `each` with the number and the text of every piece, header included, the dialect of the file, and
/// the options to read the piece with.
fn for_each_segment(
    path: &Path,
    options: &ReadOptions,
    size: usize,
    mut each: impl FnMut(usize, &[u8], Dialect, &ReadOptions) -> Result<()>,
) -> Result<()> {
    let mut segments = Segments::new(path, reader(path)?, options, size)?;
    let mut number = 0;
    while let Some(segment) = segments.next()? {
        // A piece does not know its place in the file.
        let own = ReadOptions { remarks: Remarks::default(), ..options.clone() };
        each(number, &segment.text, segments.dialect, &own)
            .map_err(|error| error.below(segment.lines_before))?;
        options.remarks.add_below(&own.remarks, segment.lines_before);
        number += 1;
    }
    Ok(())
}

/// The file's text, decompressed.
pub(crate) fn reader(path: &Path) -> Result<Box<dyn Read>> {
    let failed = |error| Error::read(path, error);
    let head = head(path, &mut File::open(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    Ok(if head.starts_with(GZIP) {
        Box::new(flate2::read::MultiGzDecoder::new(file))
    } else if head.starts_with(ZSTD) {
        Box::new(zstd::stream::read::Decoder::new(file).map_err(failed)?)
    } else {
        Box::new(file)
    })
}

/// Names and types of the columns that were asked for.
fn types_of(batch: &RecordBatch, options: &ReadOptions) -> Types {
    let wanted = |name: &String| options.columns.as_ref().is_none_or(|names| names.contains(name));
    batch
        .schema_ref()
        .fields()
        .iter()
        .filter(|field| wanted(field.name()))
        .map(|field| (field.name().clone(), field.data_type().clone()))
        .collect()
}

/// The columns that are text, looked at over all pieces of all files.
fn text_columns(files: &[(SourceFile, Vec<Spilled>)]) -> Result<BTreeMap<String, DataType>> {
    let pieces =
        || files.iter().flat_map(|(file, spilled)| spilled.iter().map(|piece| (&file.path, piece)));
    let names: BTreeSet<&String> =
        pieces().flat_map(|(_, piece)| piece.types.iter().map(|(name, _)| name)).collect();
    let mut texts = BTreeMap::new();
    for name in names {
        let found = pieces().map(|(path, piece)| Found {
            path,
            is_csv: true,
            column: piece
                .types
                .iter()
                .find(|(other, _)| other == name)
                .map(|(_, kind)| (kind, false)),
        });
        if common_type(name, found)? == DataType::Utf8 {
            texts.insert(name.clone(), DataType::Utf8);
        }
    }
    Ok(texts)
}

fn is_reread(name: &str, kind: &DataType, texts: &BTreeMap<String, DataType>) -> bool {
    texts.contains_key(name) && !matches!(kind, DataType::Utf8 | DataType::Null)
}

/// Writes the rows and columns that are kept.
fn write(target: &Path, batch: &RecordBatch, options: &ReadOptions) -> Result<()> {
    let failed = |source| Error::arrow(target, source);
    let batch = if options.rows.is_empty() { batch.clone() } else { options.keep(batch)? };
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (name, kind) in types_of(&batch, options) {
        let Some(column) = batch.column_by_name(&name) else { continue };
        let (kind, column) = if kind == DataType::Null {
            (NOTHING, arrow_cast::cast(column, &NOTHING).map_err(failed)?)
        } else {
            (kind, Arc::clone(column))
        };
        fields.push(Field::new(name, kind, true));
        columns.push(column);
    }
    let rows = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &rows)
        .map_err(failed)?;
    write_parquet(target, &batch)
}
