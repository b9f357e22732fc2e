//! A request of the Open Inference Protocol, version 2: tensors with a shape and flat data.
//!
//! `{"inputs": [{"name": "a", "shape": [2, 1], "datatype": "FP64", "data": [1, 2]}, …]}`. Inputs are the
//! columns of the signature by name, or the tensors of it; or one table with all columns side by side.
//! Without a signature the datatypes say what the inputs are.

use std::borrow::Cow;
use std::collections::HashSet;

use super::infer;
use super::json::{Kind, Number, Reader};
use super::plan::{Plan, Slot};
use super::request::{Request, Result, Stop, UNKNOWN_COLUMNS_MAX};
use super::{Rejection, Schema};
use crate::model::{ColSpec, DataType, TensorSpec};

/// Dimensions of a tensor; numpy allows 64.
const DIMENSIONS_MAX: usize = 64;

/// One input: what it says of itself, and where its data begins.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    name: Cow<'a, str>,
    shape: Vec<usize>,
    datatype: Option<Cow<'a, str>>,
    data: usize,
    /// Values that fill the shape.
    size: usize,
}

/// The inputs of a request, and the id that the client gave it.
#[derive(Debug)]
pub(crate) struct Body<'a> {
    pub(crate) id: Option<String>,
    inputs: Vec<Input<'a>>,
}

fn refuse<T>(message: impl std::fmt::Display) -> Result<T> {
    Err(Stop::Rejected(Rejection::parse(format!("Invalid input. {message}"))))
}

impl<'a> Body<'a> {
    /// Reads everything but the data.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self> {
        if reader.kind()? != Kind::Object {
            return refuse("It is not an inference request: it is no object.");
        }
        let (mut id, mut inputs) = (None, None);
        let mut more = reader.object_start()?;
        while more {
            let key = reader.key()?;
            match (key.as_ref(), reader.kind()?) {
                ("id", Kind::Text) => id = Some(reader.string()?.into_owned()),
                ("inputs", Kind::Array) if inputs.is_none() => inputs = Some(read_inputs(reader)?),
                ("inputs", _) => {
                    return refuse(
                        "It is not an inference request: 'inputs' is one list of tensors.",
                    );
                }
                _ => {
                    reader.skip()?;
                }
            }
            more = reader.object_next()?;
        }
        let Some(inputs) = inputs else {
            return refuse("It is not an inference request: it has no 'inputs'.");
        };
        Ok(Self { id, inputs })
    }

    /// A schema of the inputs, for a model without signature: columns, unless one of them is wider.
    pub(crate) fn schema(&self, reader: &Reader<'_>) -> Result<Schema> {
        let wide = |input: &Input<'_>| input.shape.iter().skip(1).any(|size| *size != 1);
        // One table is an array without names, as most models were fitted to one.
        let alone = self.inputs.len() == 1;
        let table = alone && self.inputs.iter().all(|input| input.shape.len() > 1);
        if table || self.inputs.iter().any(wide) {
            let tensors = self.inputs.iter().map(|input| {
                let dtype = input.dtype(&mut reader.clone())?.to_owned();
                let name = (!alone).then(|| input.name.clone().into_owned());
                Ok(TensorSpec { name, dtype, shape: vec![-1; input.shape.len()] })
            });
            return Ok(Schema::Tensors(tensors.collect::<Result<_>>()?));
        }
        let columns = self.inputs.iter().map(|input| {
            let name = Some(input.name.clone().into_owned());
            Ok(ColSpec { name, data_type: input.data_type(&mut reader.clone())?, required: false })
        });
        Ok(Schema::Columns(columns.collect::<Result<_>>()?))
    }

    /// Reads the data into the buffers of the request.
    pub(crate) fn fill(&self, request: &mut Request<'_>, reader: &mut Reader<'_>) -> Result<()> {
        let plan = request.plan;
        let end = reader.position();
        let mut filled = true;
        let known = |input: &Input<'_>| plan.named && plan.lookup(&input.name, 0).is_some();
        match self.inputs.as_slice() {
            [input] if plan.tensors && plan.inputs.len() == 1 => {
                request.frame = false;
                tensor(request, 0, input, reader)?;
            }
            [input] if !plan.tensors && plan.inputs.len() > 1 && !known(input) => {
                table(request, input, reader)?;
            }
            inputs => {
                let mut names = HashSet::new();
                filled = false;
                for (place, input) in inputs.iter().enumerate() {
                    if !names.insert(&input.name) {
                        return refuse(format!("input '{}' is given twice", input.name));
                    }
                    let index =
                        if plan.named { plan.lookup(&input.name, place) } else { Some(place) };
                    match index.and_then(|index| Some((index, request.slots.get(index)?))) {
                        Some((index, Slot::Tensor(_))) => tensor(request, index, input, reader)?,
                        Some((index, Slot::Column(_))) => column(request, index, input, reader)?,
                        None => {
                            request.note_extra(&input.name);
                            continue;
                        }
                    }
                    filled = true;
                }
            }
        }
        reader.seek(end);
        // Without any known input it lacks inputs, not rows.
        if filled {
            request.check_rows()?;
        }
        request.columns_end()
    }
}

fn read_inputs<'a>(reader: &mut Reader<'a>) -> Result<Vec<Input<'a>>> {
    let mut inputs = Vec::new();
    let mut more = reader.array_start()?;
    while more {
        // A model of more inputs than this takes them as one tensor.
        if inputs.len() == UNKNOWN_COLUMNS_MAX {
            return refuse(format!("The request has more than {UNKNOWN_COLUMNS_MAX} inputs."));
        }
        inputs.push(Input::read(reader)?);
        more = reader.array_next()?;
    }
    Ok(inputs)
}

impl<'a> Input<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self> {
        if reader.kind()? != Kind::Object {
            return refuse("It is not an inference request: an input is no object.");
        }
        let (mut name, mut shape, mut datatype, mut data) = (None, None, None, None);
        let mut more = reader.object_start()?;
        while more {
            let key = reader.key()?;
            match (key.as_ref(), reader.kind()?) {
                ("name", Kind::Text) => name = Some(reader.string()?),
                ("datatype", Kind::Text) => datatype = Some(reader.string()?),
                ("shape", Kind::Array) => shape = Some(read_shape(reader)?),
                ("data", _) => {
                    data = Some(reader.position());
                    reader.skip()?;
                }
                _ => {
                    reader.skip()?;
                }
            }
            more = reader.object_next()?;
        }
        let (Some(name), Some(shape), Some(data)) = (name, shape, data) else {
            return refuse(
                "It is not an inference request: an input has a name, a shape and data.",
            );
        };
        let size = shape.iter().try_fold(1_usize, |size, length| size.checked_mul(*length));
        let Some(size) = size else {
            return refuse(format!("input '{name}' has a shape beyond all bounds"));
        };
        Ok(Self { name, shape, datatype, data, size })
    }

    /// The type of a column of these values.
    fn data_type(&self, reader: &mut Reader<'_>) -> Result<DataType> {
        Ok(match self.datatype.as_deref() {
            Some("BOOL") => DataType::Boolean,
            Some("FP16" | "FP32") => DataType::Float,
            Some("FP64") => DataType::Double,
            Some("BYTES") => DataType::String,
            Some(kind) if kind.starts_with("INT") || kind.starts_with("UINT") => DataType::Long,
            _ => {
                reader.seek(self.data);
                infer::flat_type(reader)?
            }
        })
    }

    /// numpy's name of the type of these values.
    fn dtype(&self, reader: &mut Reader<'_>) -> Result<&'static str> {
        reader.seek(self.data);
        let found = infer::dtype(reader)?;
        Ok(match self.datatype.as_deref() {
            // Only floats hold missing values.
            Some("FP16" | "FP32") => "float32",
            Some("FP64") => "float64",
            Some("BYTES") => "str",
            _ => found,
        })
    }

    /// Hands each value of the data to `take`, as deep as the shape says at most.
    fn each(
        &self,
        reader: &mut Reader<'_>,
        mut take: impl FnMut(usize, &mut Reader<'_>) -> Result<()>,
    ) -> Result<()> {
        fn walk(
            reader: &mut Reader<'_>,
            depth: usize,
            (count, size): (&mut usize, usize),
            take: &mut dyn FnMut(usize, &mut Reader<'_>) -> Result<()>,
        ) -> Result<()> {
            if depth == 0 || reader.kind()? != Kind::Array {
                let place = *count;
                *count += 1;
                // One beyond the shape is enough to refuse it.
                return if place < size { take(place, reader) } else { Ok(()) };
            }
            let mut more = reader.array_start()?;
            while more {
                walk(reader, depth - 1, (count, size), take)?;
                if *count > size {
                    return Ok(());
                }
                more = reader.array_next()?;
            }
            Ok(())
        }

        reader.seek(self.data);
        let mut count = 0;
        walk(reader, self.shape.len().max(1), (&mut count, self.size), &mut take)?;
        if count == self.size {
            return Ok(());
        }
        let found = if count > self.size { "more".to_owned() } else { count.to_string() };
        refuse(format!(
            "input '{}' has {found} values, which do not fill the shape {:?}",
            self.name, self.shape
        ))
    }
}

fn read_shape(reader: &mut Reader<'_>) -> Result<Vec<usize>> {
    let mut shape = Vec::new();
    let mut more = reader.array_start()?;
    while more {
        let size = match reader.kind()? {
            Kind::Number => reader.number()?,
            _ => {
                return refuse(
                    "It is not an inference request: a shape is a list of whole numbers.",
                );
            }
        };
        match size {
            Number::Int(size) if size >= 0 && shape.len() < DIMENSIONS_MAX => {
                shape.push(usize::try_from(size).unwrap_or(usize::MAX));
            }
            _ => {
                return refuse(format!(
                    "It is not an inference request: a shape is at most {DIMENSIONS_MAX} whole numbers."
                ));
            }
        }
        more = reader.array_next()?;
    }
    Ok(shape)
}

fn column(
    request: &mut Request<'_>,
    index: usize,
    input: &Input<'_>,
    reader: &mut Reader<'_>,
) -> Result<()> {
    let plan = request.plan;
    enter(request, plan, index);
    note_rows(request, input.size)?;
    let (slots, context) = (&mut request.slots, &mut request.context);
    let Some(Slot::Column(column)) = slots.get_mut(index) else { return Ok(()) };
    input.each(reader, |row, reader| {
        context.row = row;
        Ok(column.read(reader, context)?)
    })
}

fn tensor(
    request: &mut Request<'_>,
    index: usize,
    input: &Input<'_>,
    reader: &mut Reader<'_>,
) -> Result<()> {
    let plan = request.plan;
    enter(request, plan, index);
    note_rows(request, input.shape.first().copied().unwrap_or(1))?;
    let (slots, context) = (&mut request.slots, &mut request.context);
    let Some(Slot::Tensor(tensor)) = slots.get_mut(index) else { return Ok(()) };
    let width: usize = input.shape.iter().skip(1).product();
    input.each(reader, |place, reader| {
        context.row = place.checked_div(width).unwrap_or(0);
        Ok(tensor.read_leaf(reader, context)?)
    })?;
    tensor.shape_as(&input.shape);
    Ok(())
}

/// All columns side by side.
fn table(request: &mut Request<'_>, input: &Input<'_>, reader: &mut Reader<'_>) -> Result<()> {
    let plan = request.plan;
    let columns = plan.inputs.len();
    let [rows, width] = input.shape.as_slice() else {
        return refuse(format!(
            "input '{}' is no column of the model, and not a table",
            input.name
        ));
    };
    if *width != columns {
        return refuse(format!(
            "the model has {columns} columns, input '{}' has {width}",
            input.name
        ));
    }
    note_rows(request, *rows)?;
    let (slots, context) = (&mut request.slots, &mut request.context);
    input.each(reader, |place, reader| {
        let (row, index) = (place / columns, place % columns);
        context.row = row;
        if let (Some(Slot::Column(column)), Some(known)) =
            (slots.get_mut(index), plan.inputs.get(index))
        {
            context.enter(known);
            column.read(reader, context)?;
        }
        Ok(())
    })
}

/// Refuses rows over the limits before any is read.
fn note_rows(request: &mut Request<'_>, rows: usize) -> Result<()> {
    request.rows = request.rows.max(rows);
    if request.rows == 0 { Ok(()) } else { request.check_rows() }
}

fn enter<'e>(request: &mut Request<'e>, plan: &'e Plan, index: usize) {
    if let Some(input) = plan.inputs.get(index) {
        request.context.enter(input);
    }
}
