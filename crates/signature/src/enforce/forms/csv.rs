//! A CSV body, as `pandas.DataFrame.to_csv` writes it: a header line, then one line a row.
//!
//! Cells are read one by one into one buffer: a line of nothing but commas costs no more than a line.

use csv_core::ReadFieldResult;
use trainyard_base::pandas::is_missing;

use crate::enforce::buffer::Buffer;
use crate::enforce::cast::Casting;
use crate::enforce::context::Limits;
use crate::enforce::inferred_schema::{INFERRED_MAX, too_wide};
use crate::enforce::plan::Plan;
use crate::enforce::rejection::Rejection;
use crate::enforce::request::{Request, Result as Read, Stop};
use crate::model::{ColSpec, DataType, Schema};

/// The cells of a text, one after the other.
struct Cells<'t> {
    reader: csv_core::Reader,
    rest: &'t [u8],
    cell: Vec<u8>,
}

impl<'t> Cells<'t> {
    fn new(text: &'t str) -> Self {
        Self { reader: csv_core::Reader::new(), rest: text.as_bytes(), cell: vec![0; 256] }
    }

    /// The next cell, and whether it is the last of its line; none at the end of the text.
    fn next(&mut self) -> Result<Option<(&str, bool)>, Rejection> {
        let mut length = 0;
        let ends = loop {
            let free = self.cell.get_mut(length..).unwrap_or_default();
            let (found, read, written) = self.reader.read_field(self.rest, free);
            self.rest = self.rest.get(read..).unwrap_or_default();
            length += written;
            match found {
                // At the end of the input the reader is asked once more, with nothing.
                ReadFieldResult::InputEmpty => {}
                ReadFieldResult::OutputFull => self.cell.resize(self.cell.len() * 2, 0),
                ReadFieldResult::Field { record_end } => break record_end,
                ReadFieldResult::End => return Ok(None),
            }
        };
        let cell = std::str::from_utf8(self.cell.get(..length).unwrap_or_default());
        cell.map(|cell| Some((cell, ends))).map_err(refused)
    }

    /// The names in the first line, of which there must not be more than `max`.
    fn header(
        &mut self,
        max: usize,
        too_many: impl Fn() -> Rejection,
    ) -> Result<Vec<String>, Rejection> {
        let mut names = Vec::new();
        while let Some((name, ends)) = self.next()? {
            if names.len() == max {
                return Err(too_many());
            }
            names.push(name.to_owned());
            if ends {
                return Ok(names);
            }
        }
        if names.is_empty() { Err(refused("No columns to parse from file")) } else { Ok(names) }
    }
}

fn refused(error: impl std::fmt::Display) -> Rejection {
    Rejection::parse(format!(
        "Failed to parse input as a Pandas DataFrame. Ensure that the input is a valid \
         CSV-formatted Pandas DataFrame produced using the `pandas.DataFrame.to_csv()` method. \
         Error: '{error}'"
    ))
}

/// Reads all lines into the buffers of the plan.
pub(crate) fn read<'e>(
    plan: &'e Plan,
    casting: Casting,
    limits: &'e Limits,
    text: &str,
) -> Result<Request<'e>, Rejection> {
    let mut cells = Cells::new(text);
    let max = plan.width_max();
    let header = cells.header(max, || {
        refused(format!("the header has more than {max} columns; the model takes {}", plan.width))
    })?;
    let mut request = Request::new(plan, casting, limits, text.len());
    request.context.csv = true;
    if plan.tensors {
        return Err(refused(format!(
            "the model takes {}, which CSV cannot hold; send JSON",
            plan.text
        )));
    }
    let rejected = |stop| match stop {
        Stop::Rejected(rejection) => rejection,
        // Only a JSON reader finds JSON's errors.
        Stop::Syntax(syntax) => refused(syntax.describe(text)),
    };
    let targets = request.targets(&header).map_err(rejected)?;
    let mut position = 0;
    request.context.row = 0;
    while let Some((cell, ends)) = cells.next()? {
        let target = targets.get(position).copied().flatten();
        let input = target.and_then(|index| plan.inputs.get(index));
        let buffer = target.and_then(|index| request.buffers.get_mut(index));
        if let (Some(input), Some(Buffer::Column(column))) = (input, buffer) {
            request.context.enter(input);
            let cell = if is_missing(cell.as_bytes()) { "" } else { cell };
            column.read_text(cell, &mut request.context);
        }
        position += 1;
        if ends {
            end_of_line(&mut request, position, targets.len()).map_err(rejected)?;
            position = 0;
        }
    }
    if position > 0 {
        end_of_line(&mut request, position, targets.len()).map_err(rejected)?;
    }
    Ok(request)
}

fn end_of_line(request: &mut Request<'_>, cells: usize, named: usize) -> Read<()> {
    if cells != named {
        request
            .context
            .report_row(|| format!("the header has {named} columns, this line has {cells}"));
    }
    request.fill_row();
    request.next_row()?;
    request.context.row = request.rows;
    Ok(())
}

/// A schema for a model without signature: whole numbers, numbers, booleans, else text.
pub(crate) fn infer(text: &str) -> Result<Schema, Rejection> {
    let mut cells = Cells::new(text);
    let header = cells.header(INFERRED_MAX, too_wide)?;
    let mut types: Vec<Option<DataType>> = vec![None; header.len()];
    let mut position = 0;
    while let Some((cell, ends)) = cells.next()? {
        if let Some(found) = types.get_mut(position) {
            // What is text once stays text.
            if *found != Some(DataType::String) && !is_missing(cell.as_bytes()) {
                *found = Some(common(found.take(), of(cell)));
            }
        }
        position = if ends { 0 } else { position + 1 };
    }
    let column = |(name, data_type): (String, Option<DataType>)| ColSpec {
        name: Some(name),
        data_type: data_type.unwrap_or(DataType::Double),
        required: false,
    };
    Ok(Schema::Columns(header.into_iter().zip(types).map(column).collect()))
}

fn of(cell: &str) -> DataType {
    match cell {
        "True" | "False" | "true" | "false" | "TRUE" | "FALSE" => DataType::Boolean,
        cell if cell.parse::<i64>().is_ok() => DataType::Long,
        cell if cell.parse::<f64>().is_ok() => DataType::Double,
        _ => DataType::String,
    }
}

fn common(known: Option<DataType>, cell: DataType) -> DataType {
    match known {
        None => cell,
        Some(known) if known == cell => known,
        Some(DataType::Long | DataType::Double)
            if matches!(cell, DataType::Long | DataType::Double) =>
        {
            DataType::Double
        }
        Some(_) => DataType::String,
    }
}
