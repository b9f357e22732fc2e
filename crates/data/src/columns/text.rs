//! Columns as their text is to be read: what it says is found out when a column is asked for.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::OnceLock;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray as _;
use arrow_schema::DataType;

use super::table::Columns;
use crate::csv::lines::lines_of;
use crate::error::Result;
use crate::options::{Natural, ReadOptions};
use crate::reading::{Reading, Survey, convert};
use crate::remarks::Remark;
use crate::source::Format;
use crate::spill::reader;

impl Columns {
    /// Opens a source; see [`crate::read`]. `memory` is how many bytes reading may take, about;
    /// without it CSV is read at once, whatever its size.
    pub fn open(source: &str, options: &ReadOptions, memory: Option<u64>) -> Result<Self> {
        let mut columns = Self::open_as_written(source, options, memory)?;
        let Some(Natural { labels, texts, .. }) = &options.natural else { return Ok(columns) };
        let may_say_more = |name: &&String| {
            let is_text = columns.written_type(name) == Some(&DataType::Utf8);
            is_text && !labels.contains(*name) && !texts.contains(*name)
        };
        let looked_at = columns.names.iter().filter(may_say_more);
        let readings = looked_at.map(|name| (name.clone(), OnceLock::new())).collect();
        columns.readings = readings;
        columns.options = options.clone();
        Ok(columns)
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
    pub fn into_written(mut self) -> Self {
        self.readings.clear();
        self
    }

    /// Looks over a column of text. One that cannot be read says so to whoever reads it.
    fn survey(&self, name: &str) -> Option<Reading> {
        let natural = self.options.natural.as_ref()?;
        let mut survey = Survey::new(self.rows, natural.expected(name));
        let walked = self.walk(name, |piece| {
            if let Some(piece) = piece.as_string_opt::<i32>() {
                survey.see(piece);
            }
            if survey.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        walked.ok()?;
        let mut reading = survey.finish()?;
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
}
