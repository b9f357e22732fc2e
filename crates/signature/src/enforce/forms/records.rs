//! Records: `[{"a": 1, "b": 2}, …]`.

use std::collections::hash_map::Entry;

use trainyard_base::json::{Kind, Reader};

use crate::enforce::buffer::Buffer;
use crate::enforce::cast::{Casting, holds_missing};
use crate::enforce::plan::Content;
use crate::enforce::rejection::{Violation, shorten};
use crate::enforce::request::{Request, Result, refuse};

impl Request<'_> {
    /// `[{"a": 1, "b": 2}, …]`
    pub(crate) fn records(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        match reader.kind()? {
            Kind::Array => {}
            kind => {
                let name = match kind {
                    Kind::Object => "dictionary".to_owned(),
                    other => format!("type <class '{}'>", other.python()),
                };
                return refuse(format!(
                    "Invalid input. Dataframe records format must be a list of records. Got {name}."
                ));
            }
        }
        let mut more = reader.array_start()?;
        while more {
            self.context.row = self.rows;
            if reader.kind()? == Kind::Object {
                self.record(reader)?;
            } else {
                let kind = reader.kind()?.python();
                reader.skip()?;
                self.context.report_row(|| format!("a record must be an object, got a {kind}"));
                self.fill_row();
            }
            self.next_row()?;
            more = reader.array_next()?;
        }
        self.report_late_columns();
        self.check_rows()
    }

    fn record(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        if !self.plan.named {
            return self.record_by_position(reader);
        }
        let plan = self.plan;
        let mut hint = 0;
        let mut found = 0;
        let mut more = reader.object_start()?;
        while more {
            let key = reader.key()?;
            let index = plan.lookup(&key, hint);
            if let Some((index, buffer)) = index.and_then(|i| Some((i, self.buffers.get_mut(i)?))) {
                hint = index + 1;
                if let Some(input) = plan.inputs.get(index) {
                    self.context.enter(input);
                }
                if buffer.len() > self.rows {
                    let raw = reader.skip()?;
                    self.report_twice(raw);
                } else {
                    buffer.read_row(reader, &mut self.context)?;
                    found += 1;
                }
            } else {
                self.note_extra(&key);
                reader.skip()?;
            }
            more = reader.object_next()?;
        }
        if found < plan.inputs.len() {
            self.fill_row();
        }
        Ok(())
    }

    #[cold]
    pub(super) fn report_twice(&mut self, value: &str) {
        let (column, row) = (self.context.column, self.context.row);
        self.context.report(|| Violation {
            column: Some(column.to_owned()),
            row: Some(row),
            value: Some(shorten(value)),
            expected: None,
            problem: format!("column '{column}' is given twice"),
        });
    }

    /// Fills what the record just read did not have.
    pub(crate) fn fill_row(&mut self) {
        for index in 0..self.buffers.len() {
            let missing = self.buffers.get(index).is_some_and(|buffer| buffer.len() <= self.rows);
            if !missing {
                continue;
            }
            // Absent from all records so far: perhaps the whole column is missing.
            let first = self.absent.get(index).is_some_and(|absent| *absent == self.rows);
            if first {
                if let Some(absent) = self.absent.get_mut(index) {
                    *absent += 1;
                }
            } else {
                self.report_absent(index, self.rows);
            }
            match self.buffers.get_mut(index) {
                Some(Buffer::Column(column)) => column.push_missing(),
                Some(Buffer::Tensor(tensor)) => tensor.push_missing(),
                None => {}
            }
        }
    }

    /// A column that some records have and this one has not: a null where upstream would make
    /// one, otherwise a violation.
    fn report_absent(&mut self, index: usize, row: usize) {
        let Some(input) = self.plan.inputs.get(index) else { return };
        let lenient = self.context.casting != Casting::Strict;
        let tolerated = match &input.content {
            Content::Column { required: false, .. } => true,
            Content::Column { data_type, .. } => lenient && holds_missing(data_type),
            Content::Tensor { .. } => false,
        };
        // Upstream turns the rows of `instances` into columns, which must then be equally long.
        if tolerated && (self.frame || !input.is_required()) {
            return;
        }
        let (name, frame) = (&input.name, self.frame);
        self.context.report(|| Violation {
            column: Some(name.clone()),
            row: Some(row),
            value: None,
            expected: None,
            problem: if frame {
                format!("column '{name}' is missing in this record")
            } else {
                format!(
                    "The length of values for each input/column name are not the same: '{name}' is \
                     missing in this record"
                )
            },
        });
    }

    /// Columns that the first records did not have but later ones did.
    fn report_late_columns(&mut self) {
        for index in 0..self.plan.inputs.len() {
            let absent = self.absent.get(index).copied().unwrap_or(0);
            if absent == self.rows {
                continue;
            }
            for row in 0..absent {
                self.report_absent(index, row);
            }
        }
    }

    /// A record for an unnamed signature: its keys in the order of the first record's.
    fn record_by_position(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let first = self.rows == 0;
        let mut cells: Vec<Option<usize>> = vec![None; self.positions.len()];
        let mut more = reader.object_start()?;
        while more {
            let key = reader.key()?;
            reader.kind()?;
            let position = reader.position();
            reader.skip()?;
            if first {
                self.check_width(cells.len())?;
                // Of a name given twice the last counts, as in a Python dict.
                match self.positions.entry(key.into_owned()) {
                    Entry::Occupied(known) => {
                        if let Some(cell) = cells.get_mut(*known.get()) {
                            *cell = Some(position);
                        }
                    }
                    Entry::Vacant(new) => {
                        new.insert(cells.len());
                        cells.push(Some(position));
                    }
                }
            } else {
                let known = self.positions.get(key.as_ref());
                match known.and_then(|index| cells.get_mut(*index)) {
                    Some(cell) => *cell = Some(position),
                    None => {
                        self.context.report_row(|| format!("unknown column '{}'", shorten(&key)));
                    }
                }
            }
            more = reader.object_next()?;
        }
        let end = reader.position();
        let found: Vec<usize> = cells.iter().flatten().copied().collect();
        if found.len() < cells.len() {
            self.context.report_row(|| "this record has not the columns of the first".to_owned());
        }
        self.cells(reader, &found)?;
        reader.seek(end);
        Ok(())
    }

    /// Reads cells at known positions into the columns, or into the one tensor, in order.
    fn cells(&mut self, reader: &mut Reader<'_>, positions: &[usize]) -> Result<()> {
        if let [Buffer::Tensor(tensor)] = self.buffers.as_mut_slice() {
            return Ok(tensor.read_cells(reader, &mut self.context, positions)?);
        }
        let plan = self.plan;
        for ((buffer, input), position) in self.buffers.iter_mut().zip(&plan.inputs).zip(positions)
        {
            reader.seek(*position);
            self.context.enter(input);
            buffer.read_row(reader, &mut self.context)?;
        }
        if positions.len() < self.buffers.len() {
            self.fill_row();
        }
        Ok(())
    }
}
