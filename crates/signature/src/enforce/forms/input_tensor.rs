//! One input of a request of the Open Inference Protocol: its head, and its data into a column, a tensor or
//! a table.

use std::borrow::Cow;

use trainyard_base::json::{Kind, Number, Reader, Syntax};

use super::datatype::Datatype;
use crate::enforce::buffer::Buffer;
use crate::enforce::cast::Refusal;
use crate::enforce::column::Column;
use crate::enforce::context::Context;
use crate::enforce::inferred_schema;
use crate::enforce::plan::{Content, Input};
use crate::enforce::rejection::{Violation, described, shorten};
use crate::enforce::request::{Request, Result, refuse};
use crate::model::DataType;

/// Dimensions of a tensor; numpy allows 64.
const DIMENSIONS_MAX: usize = 64;

/// One input: what it says of itself, and where its data begins.
#[derive(Debug)]
pub(super) struct InputTensor<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) shape: Vec<usize>,
    datatype: Option<Datatype>,
    /// Whether its values are bytes, written as base64.
    is_base64: bool,
    pub(super) data: usize,
    /// Values that fill the shape.
    size: usize,
}

/// Refuses an inference request.
pub(super) fn invalid<T>(message: impl std::fmt::Display) -> Result<T> {
    refuse(format!("Invalid input. {message}"))
}

/// Refuses what is no inference request.
pub(super) fn not_one<T>(reason: &str) -> Result<T> {
    invalid(format_args!("It is not an inference request: {reason}."))
}

impl<'a> InputTensor<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self> {
        if reader.kind()? != Kind::Object {
            return not_one("an input is no object");
        }
        let (mut name, mut shape, mut datatype, mut data) = (None, None, None, None);
        let mut is_base64 = false;
        let mut more = reader.object_start()?;
        while more {
            let key = reader.key()?;
            match (key.as_ref(), reader.kind()?) {
                ("name", Kind::Text) => name = Some(reader.string()?),
                ("datatype", Kind::Text) => datatype = Some(reader.string()?),
                ("shape", Kind::Array) => shape = Some(read_shape(reader)?),
                ("parameters", Kind::Object) => is_base64 = says_base64(reader)?,
                ("data", _) if data.is_some() => return not_one("an input has its data once"),
                ("data", kind) => {
                    data = Some(reader.position());
                    if kind == Kind::Array {
                        reader.pass_list()?;
                    } else {
                        reader.skip()?;
                    }
                }
                _ => {
                    reader.skip()?;
                }
            }
            more = reader.object_next()?;
        }
        let (Some(name), Some(shape), Some(data)) = (name, shape, data) else {
            return not_one("an input has a name, a shape and data");
        };
        let size = shape.iter().try_fold(1_usize, |size, length| size.checked_mul(*length));
        let Some(size) = size else {
            return invalid(format_args!("input '{name}' has a shape beyond all bounds"));
        };
        let datatype = match datatype {
            None => None,
            Some(text) => match Datatype::of(&text) {
                Some(datatype) => Some(datatype),
                None => {
                    return invalid(format_args!(
                        "input '{name}' has the datatype {:?}, which is none of {}",
                        shorten(&text),
                        Datatype::names()
                    ));
                }
            },
        };
        Ok(Self { name, shape, datatype, is_base64, data, size })
    }

    /// The type of a column of these values.
    pub(super) fn data_type(&self, reader: &mut Reader<'_>) -> Result<DataType> {
        match self.datatype {
            _ if self.is_base64 => Ok(DataType::Binary),
            Some(datatype) => Ok(datatype.data_type()),
            None => {
                reader.seek(self.data);
                inferred_schema::flat_type(reader)
            }
        }
    }

    /// numpy's name of the type of these values.
    pub(super) fn dtype(&self, reader: &mut Reader<'_>) -> Result<&'static str> {
        Ok(match self.datatype {
            _ if self.is_base64 => "bytes",
            Some(Datatype::Fp16 | Datatype::Fp32) => "float32",
            Some(Datatype::Fp64) => "float64",
            Some(Datatype::Bytes) => "str",
            // Only floats hold missing values.
            _ => {
                reader.seek(self.data);
                inferred_schema::dtype(reader)?
            }
        })
    }

    /// Reads the data into one buffer.
    pub(super) fn fill(
        &self,
        request: &mut Request<'_>,
        index: usize,
        reader: &mut Reader<'_>,
    ) -> Result<()> {
        let plan = request.plan;
        let Some(input) = plan.inputs.get(index) else { return Ok(()) };
        self.check_encoding(input)?;
        request.context.enter(input);
        let is_tensor = matches!(input.content, Content::Tensor { .. });
        let rows = if is_tensor { self.shape.first().copied().unwrap_or(1) } else { self.size };
        note_rows(request, rows)?;
        // Values of a row.
        let width = if is_tensor { self.shape.iter().skip(1).product() } else { 1_usize };
        let (buffers, context) = (&mut request.buffers, &mut request.context);
        let Some(buffer) = buffers.get_mut(index) else { return Ok(()) };
        let column = match buffer {
            Buffer::Column(column) => column,
            Buffer::Tensor(tensor) => tensor.values(),
        };
        self.each(reader, |position, reader| {
            context.row = position.checked_div(width).unwrap_or(0);
            self.read_value(column, reader, context)
        })?;
        if let Buffer::Tensor(tensor) = buffer {
            tensor.shape_as(&self.shape);
        }
        Ok(())
    }

    /// Reads a table of all columns side by side.
    pub(super) fn fill_table(
        &self,
        request: &mut Request<'_>,
        reader: &mut Reader<'_>,
    ) -> Result<()> {
        let plan = request.plan;
        let columns = plan.inputs.len();
        let [rows, width] = self.shape.as_slice() else {
            return invalid(format_args!(
                "input '{}' is no column of the model, and not a table",
                self.name
            ));
        };
        if *width != columns {
            return invalid(format_args!(
                "the model has {columns} columns, input '{}' has {width}",
                self.name
            ));
        }
        plan.inputs.iter().try_for_each(|input| self.check_encoding(input))?;
        note_rows(request, *rows)?;
        let (buffers, context) = (&mut request.buffers, &mut request.context);
        let mut index = 0;
        context.row = 0;
        self.each(reader, |_position, reader| {
            if index == columns {
                index = 0;
                context.row += 1;
            }
            if let (Some(Buffer::Column(column)), Some(input)) =
                (buffers.get_mut(index), plan.inputs.get(index))
            {
                context.enter(input);
                self.read_value(column, reader, context)?;
            }
            index += 1;
            Ok(())
        })
    }

    /// Refuses what is base64 of something else where the model takes a text.
    fn check_encoding(&self, input: &Input) -> Result<()> {
        let takes_bytes = match &input.content {
            Content::Column { data_type, .. } => *data_type == DataType::Binary,
            Content::Tensor { dtype, .. } => dtype == "bytes",
        };
        if takes_bytes || !self.is_base64 {
            return Ok(());
        }
        invalid(format_args!(
            "input '{}' has the content type base64, and '{}' of the model is not binary; send the \
             values as they are",
            self.name, input.name
        ))
    }

    /// Reads the next value into a column, if it is of the declared datatype.
    #[inline]
    fn read_value(
        &self,
        column: &mut Column<'_>,
        reader: &mut Reader<'_>,
        context: &mut Context<'_>,
    ) -> std::result::Result<(), Syntax> {
        let Some(datatype) = self.datatype else { return column.read(reader, context) };
        let kind = reader.kind()?;
        let start = reader.position();
        let misfit = match kind {
            Kind::Number => {
                let number = reader.number()?;
                let Err(refusal) = datatype.check_number(number) else {
                    column.push_number(number, reader.since(start), context);
                    return Ok(());
                };
                Some((kind, reader.since(start), refusal))
            }
            Kind::Array => datatype.misfit(&mut reader.clone(), 0)?,
            _ if datatype.takes(kind) => None,
            _ => Some((kind, reader.skip()?, Refusal::Type)),
        };
        let Some((kind, value, refusal)) = misfit else { return column.read(reader, context) };
        reader.seek(start);
        reader.skip()?;
        column.push_missing();
        let row = Some(context.row);
        context.report(|| Violation {
            column: Some(self.name.clone().into_owned()),
            row,
            value: Some(shorten(value)),
            expected: Some(datatype.name().to_owned()),
            problem: format!(
                "input '{}' is of the datatype {}, got {}{}",
                shorten(&self.name),
                datatype.name(),
                described(kind, value),
                refusal.tail()
            ),
        });
        Ok(())
    }

    /// Hands each value of the data to `take`, with its position, as deep as the shape says at most.
    fn each(
        &self,
        reader: &mut Reader<'_>,
        mut take: impl FnMut(usize, &mut Reader<'_>) -> std::result::Result<(), Syntax>,
    ) -> Result<()> {
        reader.seek(self.data);
        let mut count = 0;
        if reader.kind()? == Kind::Array {
            let depth = self.shape.len().max(1);
            walk(reader, depth, self.size, &mut count, &mut take)?;
        } else {
            if self.size > 0 {
                take(0, reader)?;
            }
            count = 1;
        }
        if count == self.size {
            return Ok(());
        }
        let found = if count > self.size { "more".to_owned() } else { count.to_string() };
        invalid(format_args!(
            "input '{}' has {found} values, which do not fill the shape {:?}",
            self.name, self.shape
        ))
    }
}

/// Hands each value of a list to `take`; lists of them are as deep as `depth` says at most. Stops at one
/// beyond `size`, which is enough to refuse it.
fn walk<F>(
    reader: &mut Reader<'_>,
    depth: usize,
    size: usize,
    count: &mut usize,
    take: &mut F,
) -> std::result::Result<(), Syntax>
where
    F: FnMut(usize, &mut Reader<'_>) -> std::result::Result<(), Syntax>,
{
    let mut more = reader.array_start()?;
    while more {
        if depth > 1 && reader.kind()? == Kind::Array {
            walk(reader, depth - 1, size, count, take)?;
        } else {
            if *count < size {
                take(*count, reader)?;
            }
            *count += 1;
        }
        if *count > size {
            return Ok(());
        }
        more = reader.array_next()?;
    }
    Ok(())
}

fn read_shape(reader: &mut Reader<'_>) -> Result<Vec<usize>> {
    let mut shape = Vec::new();
    let mut more = reader.array_start()?;
    while more {
        if reader.kind()? != Kind::Number {
            return not_one("a shape is a list of whole numbers");
        }
        match reader.number()? {
            Number::Int(size) if size >= 0 && shape.len() < DIMENSIONS_MAX => {
                shape.push(usize::try_from(size).unwrap_or(usize::MAX));
            }
            _ => {
                return not_one(&format!("a shape is at most {DIMENSIONS_MAX} whole numbers"));
            }
        }
        more = reader.array_next()?;
    }
    Ok(shape)
}

/// Whether the parameters of an input say that its values are base64 (MLServer's content type for bytes).
fn says_base64(reader: &mut Reader<'_>) -> Result<bool> {
    let mut found = false;
    let mut more = reader.object_start()?;
    while more {
        let key = reader.key()?;
        if key == "content_type" && reader.kind()? == Kind::Text {
            found = reader.string()?.eq_ignore_ascii_case("base64");
        } else {
            reader.skip()?;
        }
        more = reader.object_next()?;
    }
    Ok(found)
}

/// Refuses rows over the limits before any is read.
fn note_rows(request: &mut Request<'_>, rows: usize) -> Result<()> {
    request.rows = request.rows.max(rows);
    if request.rows == 0 { Ok(()) } else { request.check_rows() }
}
