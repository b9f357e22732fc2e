//! A CSV or Parquet file, told by its content, in parts with fixed bounds.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::path::Path;
use std::time::SystemTime;

use arrow_array::RecordBatch;
use arrow_schema::DataType;

use super::text::{PartedText, Records};
use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::parquet::{GroupedFile, Groups};
use crate::source::{Format, SourceFile, check_is_text, file_sha256, head, is_parquet_file};

/// Rows of a part of a Parquet file at most: a second of work, and few enough that what is made of them is in
/// memory before it is written.
const ROWS_MAX: usize = 1 << 18;

/// Bytes of text of a part of a CSV file, about: as many rows of a few columns, or fewer wide ones.
const TEXT_BYTES: usize = 8 << 20;

/// Rows of a file that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePart {
    /// The first of them, from 0.
    pub first_row: usize,
    pub rows: usize,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Records(Records),
    Groups(Groups),
}

#[derive(Debug)]
enum Content {
    Text { text: Box<PartedText>, options: Box<ReadOptions> },
    Parquet(GroupedFile),
}

/// What changes when somebody writes a file: its length, and when that was.
type Written = (u64, Option<SystemTime>);

fn written(metadata: &Metadata) -> Written {
    (metadata.len(), metadata.modified().ok())
}

/// A file in parts. Which parts there are depends on nothing but what is in it.
#[derive(Debug)]
pub struct PartedFile {
    source: SourceFile,
    /// Before its digest was made: parts are read later, and must be what that is of.
    written: Written,
    names: Vec<String>,
    parts: Vec<FilePart>,
    content: Content,
}

impl PartedFile {
    /// Opens a file of which these columns are read, as far as it has them; all where none are named. It is
    /// read once from end to end, for its digest and for the bounds of its records.
    ///
    /// # Errors
    ///
    /// If it is neither CSV nor Parquet, or damaged.
    pub fn open(path: &Path, columns: Option<Vec<String>>) -> Result<Self> {
        let failed = |error| Error::read(path, error);
        let mut file = File::open(path).map_err(failed)?;
        let written = written(&file.metadata().map_err(failed)?);
        let bytes = written.0;
        let sha256 = Some(file_sha256(path, &file, bytes)?);
        let options = ReadOptions { columns, skip_missing_columns: true, ..ReadOptions::default() };
        let is_parquet = is_parquet_file(path)?;
        let (content, names, places): (Content, Vec<String>, Vec<(usize, Place)>) = if is_parquet {
            let grouped = GroupedFile::open(path, &options)?;
            let places = grouped.parts(ROWS_MAX).into_iter();
            let places = places.map(|part| (part.rows, Place::Groups(part))).collect();
            let names = grouped.names();
            (Content::Parquet(grouped), names, places)
        } else {
            let head = head(path, &mut file)?;
            check_is_text(path, &head)?;
            let text = PartedText::open(path, &head, TEXT_BYTES)?;
            let places = text.parts().iter();
            let places = places.map(|part| (part.rows, Place::Records(*part))).collect();
            let names = text.names().to_vec();
            (Content::Text { text: Box::new(text), options: Box::new(options) }, names, places)
        };
        let mut parts = Vec::with_capacity(places.len());
        let mut first_row = 0;
        for (rows, place) in places {
            parts.push(FilePart { first_row, rows, place });
            first_row += rows;
        }
        let format = if is_parquet { Format::Parquet } else { Format::Csv };
        let source = SourceFile { path: path.to_owned(), format, bytes, rows: first_row, sha256 };
        Ok(Self { source, written, names, parts, content })
    }

    /// The file: its rows, its digest.
    pub fn source(&self) -> &SourceFile {
        &self.source
    }

    /// Names of all its columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Its parts, in the order of the rows.
    pub fn parts(&self) -> &[FilePart] {
        &self.parts
    }

    /// Whether its values are text: a CSV file, whose columns have the types that somebody gives them.
    pub fn is_text(&self) -> bool {
        matches!(self.content, Content::Text { .. })
    }

    /// Reads cells of a CSV file as they are written, nothing but the empty one as missing.
    pub fn read_as_written(&mut self) {
        let names = self.names.clone();
        if let Content::Text { options, .. } = &mut self.content {
            options.nulls = Some(Vec::new());
            options.types = names.into_iter().map(|name| (name, DataType::Utf8)).collect();
        }
    }

    /// Reads cells of a CSV file as pandas types their columns, by all values of the file, which is read once
    /// more; those of `as_written` as text.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn read_typed(&mut self, as_written: &[String]) -> Result<()> {
        if let Content::Text { text, options } = &mut self.content {
            let written = as_written.iter().map(|name| (name.clone(), DataType::Utf8));
            let written: BTreeMap<String, DataType> = written.collect();
            options.types.clone_from(&written);
            options.types = text.types(options)?;
            options.types.extend(written);
        }
        Ok(())
    }

    /// Calls `each` with the rows of a part, a batch at a time. The bounds of batches are fixed, too. Only when it
    /// returns is it known that the rows were those of the file that was opened.
    ///
    /// # Errors
    ///
    /// What `each` says, and if the file cannot be read or is not what it was when it was opened.
    pub fn read<E: From<Error>>(
        &self,
        part: &FilePart,
        mut each: impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rows = 0;
        match (&self.content, &part.place) {
            (Content::Text { text, options }, Place::Records(records)) => {
                let batch = text.read(*records, options)?;
                rows += batch.num_rows();
                each(batch)?;
            }
            (Content::Parquet(grouped), Place::Groups(groups)) => {
                for batch in grouped.read(groups)? {
                    let batch = batch?;
                    rows += batch.num_rows();
                    each(batch)?;
                }
            }
            _ => {}
        }
        let path = self.source.path.as_path();
        let failed = |error| Error::read(path, error);
        if written(&std::fs::metadata(path).map_err(failed)?) != self.written {
            return Err(failed(std::io::Error::other("the file changed while it was read")).into());
        }
        if rows == part.rows {
            return Ok(());
        }
        let reason = format!("{} rows are announced where there are {rows}", part.rows);
        let hint = "the file is damaged, or changed while it was read";
        Err(Error::Parquet { path: self.source.path.clone(), reason, hint }.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.source.path
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::io::Write as _;

    use arrow_array::Array as _;
    use arrow_array::cast::AsArray as _;

    use super::*;

    /// Text with line breaks within fields; of 100,000 rows it is more than one part.
    fn text(rows: usize) -> String {
        let mut text = String::from("\u{feff}id,x,note\n");
        for row in 0..rows {
            let note = if row % 7 == 0 { "\"two\nlines, one \"\"field\"\"\"" } else { "NA" };
            let _written =
                writeln!(text, "{row:06},{}.5,{note}{}", row % 10, "-".repeat(row % 200));
        }
        text
    }

    fn ids(file: &PartedFile) -> Vec<String> {
        let mut ids = Vec::new();
        for part in file.parts() {
            assert_eq!(ids.len(), part.first_row);
            let read = file.read::<Error>(part, |batch| {
                let column = batch.column_by_name("id").unwrap();
                ids.extend(column.as_string::<i32>().iter().map(|id| id.unwrap().to_owned()));
                Ok(())
            });
            read.unwrap();
        }
        ids
    }

    #[test]
    fn the_parts_of_a_text_are_the_text() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, rows: usize, bytes: &[u8], parts: usize| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let mut file = PartedFile::open(&path, Some(vec!["id".into(), "gone".into()])).unwrap();
            assert_eq!(file.names(), ["id", "x", "note"]);
            assert_eq!(file.parts().len(), parts);
            file.read_as_written();
            let expected: Vec<String> = (0..rows).map(|row| format!("{row:06}")).collect();
            assert_eq!(ids(&file), expected);
        };
        check("a.csv", 100_000, text(100_000).as_bytes(), 2);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text(1000).as_bytes()).unwrap();
        check("a.csv.gz", 1000, &gzip.finish().unwrap(), 1);
        check("short.csv", 1, b"id,x,note\n000000,1,2", 1);
        check("empty.csv", 0, b"id,x,note", 0);
    }

    #[test]
    fn a_file_that_changes_is_not_read_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "id\n1\n").unwrap();
        let mut file = PartedFile::open(&path, None).unwrap();
        file.read_as_written();
        assert_eq!(ids(&file), ["1"]);
        // As many bytes and rows as before, written at another time.
        std::fs::write(&path, "id\n2\n").unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH)
            .unwrap();
        let part = file.parts().first().unwrap();
        let error = file.read::<Error>(part, |_batch| Ok(())).unwrap_err().to_string();
        assert!(error.contains("changed while it was read"), "{error}");
    }

    #[test]
    fn types_are_those_of_all_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, format!("{}x7,1,\n", text(100_000))).unwrap();
        let mut file = PartedFile::open(&path, None).unwrap();
        file.read_typed(&["note".to_owned()]).unwrap();
        let first = file.parts().first().unwrap();
        let read = file.read::<Error>(first, |batch| {
            let types: Vec<_> =
                batch.columns().iter().map(|column| column.data_type().clone()).collect();
            assert_eq!(types, [DataType::Utf8, DataType::Float64, DataType::Utf8]);
            Ok(())
        });
        read.unwrap();
    }
}
