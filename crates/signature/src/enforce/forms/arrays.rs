//! Columns, `{"a": [1, 3], "b": [2, 4]}`, and values without names, `[[1, 2], …]`.

use trainyard_base::json::{Kind, Reader};

use crate::enforce::buffer::Buffer;
use crate::enforce::names::numpy_name;
use crate::enforce::plan::Content;
use crate::enforce::request::{Request, Result, Stop, refuse};
use crate::model::DataType;

impl Request<'_> {
    /// `{"a": [1, 3], "b": [2, 4]}`, or a single row `{"a": 1, "b": 2}`: one entry of the object
    /// at a time, because the caller knows which keys are columns.
    pub(crate) fn column(&mut self, key: &str, reader: &mut Reader<'_>) -> Result<()> {
        let plan = self.plan;
        let Some((index, input)) =
            plan.lookup(key, 0).and_then(|index| Some((index, plan.inputs.get(index)?)))
        else {
            self.note_extra(key);
            reader.skip()?;
            return Ok(());
        };
        self.context.row = 0;
        self.context.enter(input);
        let rows_max = self.rows_max;
        let Some(buffer) = self.buffers.get_mut(index) else { return Ok(()) };
        if buffer.len() > 0 {
            let raw = reader.skip()?;
            self.report_twice(raw);
            return Ok(());
        }
        match (buffer, &input.content) {
            (Buffer::Tensor(tensor), _) => tensor.read_whole(reader, &mut self.context)?,
            (Buffer::Column(column), Content::Column { data_type, .. })
                if is_list_of(data_type, reader)? =>
            {
                let mut more = reader.array_start()?;
                // Over the limit the rest is not read.
                while more && column.len() <= rows_max {
                    self.context.row = column.len();
                    column.read(reader, &mut self.context)?;
                    more = reader.array_next()?;
                }
            }
            (Buffer::Column(column), _) => column.read(reader, &mut self.context)?,
        }
        self.rows = self.rows.max(self.buffers.get(index).map_or(0, Buffer::len));
        self.check_rows()
    }

    /// After all columns: they must be equally long, absent ones become nulls.
    pub(crate) fn columns_end(&mut self) -> Result<()> {
        for index in 0..self.buffers.len() {
            match self.buffers.get_mut(index) {
                Some(buffer) if buffer.len() == self.rows => {}
                Some(Buffer::Column(column)) if column.len() == 0 => {
                    (0..self.rows).for_each(|_| column.push_missing());
                    if let Some(absent) = self.absent.get_mut(index) {
                        *absent = self.rows;
                    }
                }
                Some(Buffer::Tensor(tensor)) if tensor.len() == 0 => {
                    if let Some(absent) = self.absent.get_mut(index) {
                        *absent = self.rows;
                    }
                }
                _ => {
                    return refuse(
                        "Invalid input. The length of values for each input/column name are not \
                         the same",
                    );
                }
            }
        }
        Ok(())
    }

    /// `[[1, 2], …]` or a scalar: values without names.
    pub(crate) fn array(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        self.frame = false;
        let plan = self.plan;
        match self.buffers.as_mut_slice() {
            [Buffer::Tensor(tensor)] => {
                tensor.read_whole(reader, &mut self.context)?;
                self.rows = tensor.len();
                self.check_rows()
            }
            [Buffer::Column(_)] => {
                let name = plan.inputs.first().map_or("", |input| &input.name);
                let rows_of_one = plan.by_position && is_list_of_lists(reader)?;
                if rows_of_one { self.split_data(reader, None) } else { self.column(name, reader) }
            }
            _ if plan.by_position => {
                if !plan.named {
                    self.check_one_type()?;
                }
                self.split_data(reader, None)
            }
            _ => {
                // Names cannot be guessed: everything is missing, as upstream says.
                let length = if is_list_of_lists(reader)? {
                    let mut inner = reader.clone();
                    inner.array_start()?;
                    first_length(&inner)?
                } else {
                    1
                };
                self.extra_positions = length;
                reader.skip()?;
                self.absent.fill(0);
                Ok(())
            }
        }
    }

    /// Upstream makes one array of the rows, which has one type.
    fn check_one_type(&self) -> Result<()> {
        let types = self.plan.inputs.iter().map(|input| match &input.content {
            Content::Column { data_type, .. } => Some(data_type),
            Content::Tensor { .. } => None,
        });
        let types: Vec<_> = types.flatten().collect();
        for (position, pair) in types.windows(2).enumerate() {
            if let [first, second] = pair
                && first != second
            {
                let problem = format!(
                    "Incompatible input types for column {}. Can not safely convert {} to {}.",
                    position + 1,
                    numpy_name(first),
                    numpy_name(second)
                );
                return Err(Stop::Rejected(self.schema_rejection(&problem)));
            }
        }
        Ok(())
    }
}

/// How many elements the list has that comes next; the reader stays where it is.
pub(super) fn first_length(reader: &Reader<'_>) -> Result<usize> {
    let mut ahead = reader.clone();
    if ahead.kind()? != Kind::Array {
        return Ok(1);
    }
    let mut length = 0;
    let mut more = ahead.array_start()?;
    while more {
        ahead.skip()?;
        length += 1;
        more = ahead.array_next()?;
    }
    Ok(length)
}

/// How many lists open before the first value that is none.
fn list_depth(reader: &Reader<'_>, limit: usize) -> Result<usize> {
    let mut ahead = reader.clone();
    let mut depth = 0;
    while depth < limit && ahead.kind()? == Kind::Array {
        depth += 1;
        if !ahead.array_start()? {
            break;
        }
    }
    Ok(depth)
}

fn is_list_of_lists(reader: &Reader<'_>) -> Result<bool> {
    Ok(list_depth(reader, 2)? == 2)
}

/// Whether the value is a list of values of the type, not one value of it.
fn is_list_of(data_type: &DataType, reader: &Reader<'_>) -> Result<bool> {
    let mut own = 0;
    let mut inner = data_type;
    while let DataType::Array(items) = inner {
        own += 1;
        inner = items;
    }
    Ok(list_depth(reader, own + 1)? > own)
}
