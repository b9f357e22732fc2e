//! A CSV file in parts of whole records, found in one walk over it. What is compressed is unpacked into a
//! nameless temporary file first: nothing can be read from its middle.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::DataType;

use crate::csv;
use crate::csv::Dialect;
use crate::csv::header;
use crate::csv::input::Input;
use crate::csv::segments::Segments;
use crate::error::{Error, Result};
use crate::options::{FILE_BYTES_MAX, ReadOptions};
use crate::schema::{Found, NOTHING, common_type};
use crate::source::is_compressed;
use crate::spill::reader;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Records that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Records {
    start: u64,
    end: u64,
    pub(super) rows: usize,
    /// Lines of the file before them, without the header's.
    lines_before: usize,
}

/// A CSV file in parts.
#[derive(Debug)]
pub(super) struct PartedText {
    path: PathBuf,
    file: File,
    dialect: Dialect,
    /// As it is written, with its line break.
    header: Vec<u8>,
    names: Vec<String>,
    parts: Vec<Records>,
}

impl PartedText {
    /// Finds the parts, of about so many bytes each.
    pub(super) fn open(path: &Path, head: &[u8], bytes: usize) -> Result<Self> {
        let failed = |error| Error::read(path, error);
        let mut file =
            if is_compressed(head) { unpacked(path)? } else { File::open(path).map_err(failed)? };
        let mut mark = Vec::new();
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        (&mut file).take(BYTE_ORDER_MARK.len() as u64).read_to_end(&mut mark).map_err(failed)?;
        let mark = if mark == BYTE_ORDER_MARK { BYTE_ORDER_MARK.len() } else { 0 };
        file.seek(SeekFrom::Start(0)).map_err(failed)?;

        let options = ReadOptions::default();
        let text = file.try_clone().map_err(failed)?;
        let mut segments = Segments::new(path, text, &options, bytes)?;
        let (header, dialect) = (segments.header().to_vec(), segments.dialect);
        let (names, _body) = header::read(&Input::memory(path, &header), dialect)?;
        let mut start = (mark + header.len()) as u64;
        let mut parts = Vec::new();
        while let Some(segment) = segments.next()? {
            let end = start + (segment.text.len() - header.len()) as u64;
            let (rows, lines_before) = (segment.rows, segment.lines_before);
            if rows > 0 {
                parts.push(Records { start, end, rows, lines_before });
            }
            start = end;
        }
        Ok(Self { path: path.to_owned(), file, dialect, header, names, parts })
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn parts(&self) -> &[Records] {
        &self.parts
    }

    /// The columns that the options choose of a part, with the types that they give.
    pub(super) fn read(&self, part: Records, options: &ReadOptions) -> Result<RecordBatch> {
        let failed = |error| Error::read(&self.path, error);
        let length = usize::try_from(part.end - part.start).unwrap_or(usize::MAX);
        let mut text = self.header.clone();
        text.resize(self.header.len() + length, 0);
        let records = text.get_mut(self.header.len()..).unwrap_or_default();
        self.file.read_exact_at(records, part.start).map_err(failed)?;
        let input = Input::memory(&self.path, &text);
        let below = |error: Error| error.below(part.lines_before);
        let batch = csv::read_as(&input, self.dialect, options, &BTreeMap::new())
            .map_err(below)?
            .into_batch(&self.path)?;
        if batch.num_rows() != part.rows {
            return Err(failed(std::io::Error::other("the file changed while it was read")));
        }
        Ok(batch)
    }

    /// Types of the columns that the options choose, by all values of the file.
    pub(super) fn types(&self, options: &ReadOptions) -> Result<BTreeMap<String, DataType>> {
        let mut found: BTreeMap<String, Vec<DataType>> = BTreeMap::new();
        for part in &self.parts {
            for field in self.read(*part, options)?.schema_ref().fields() {
                let types = found.entry(field.name().clone()).or_default();
                if !types.contains(field.data_type()) {
                    types.push(field.data_type().clone());
                }
            }
        }
        let mut types = BTreeMap::new();
        for (name, found) in &found {
            let parts = found.iter().map(|data_type| Found {
                path: &self.path,
                is_csv: true,
                column: Some((data_type, false)),
            });
            let common = common_type(name, parts)?;
            types.insert(name.clone(), if common == DataType::Null { NOTHING } else { common });
        }
        Ok(types)
    }
}

/// The text of a compressed file, on the disk.
fn unpacked(path: &Path) -> Result<File> {
    let failed = |error| Error::read(path, error);
    let mut file = tempfile::tempfile().map_err(failed)?;
    let mut text = reader(path)?.take(FILE_BYTES_MAX + 1);
    let bytes = std::io::copy(&mut text, &mut file).map_err(|error| Error::Format {
        path: path.to_owned(),
        reason: format!("its compression is damaged or cut off ({error})"),
    })?;
    if bytes > FILE_BYTES_MAX {
        return Err(Error::Limit {
            path: path.to_owned(),
            place: String::new(),
            what: "a file that is larger when it is unpacked".to_owned(),
            limit: format!("{} GiB", FILE_BYTES_MAX >> 30),
            hint: "write it as Parquet, or in several files",
        });
    }
    Ok(file)
}
