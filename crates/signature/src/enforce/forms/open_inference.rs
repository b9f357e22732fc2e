//! A request of the Open Inference Protocol, version 2: tensors with a shape and flat data.
//!
//! `{"inputs": [{"name": "a", "shape": [2, 1], "datatype": "FP64", "data": [1, 2]}, …]}`. Inputs are the
//! columns of the signature by name, or the tensors of it; or one table with all columns side by side.
//! Without a signature the datatypes say what the inputs are. A value that is not of the datatype which
//! its input declares is refused, whatever the model takes.
//!
//! What the data belongs to is known when all heads of inputs are: the data is passed over at first, and
//! read once, into its column.

use std::collections::HashSet;

use trainyard_base::json::{Kind, Reader};

use super::input_tensor::{InputTensor, invalid, not_one};
use crate::enforce::plan::UNKNOWN_COLUMNS_MAX;
use crate::enforce::request::{Request, Result};
use crate::model::{ColSpec, Schema, TensorSpec};

/// The inputs of a request, and the id that the client gave it.
#[derive(Debug)]
pub(crate) struct InferenceRequest<'a> {
    pub(crate) id: Option<String>,
    inputs: Vec<InputTensor<'a>>,
}

impl<'a> InferenceRequest<'a> {
    /// Reads everything but the data.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self> {
        if reader.kind()? != Kind::Object {
            return not_one("it is no object");
        }
        let (mut id, mut inputs) = (None, None);
        let mut more = reader.object_start()?;
        while more {
            let key = reader.key()?;
            match (key.as_ref(), reader.kind()?) {
                ("id", Kind::Text) => id = Some(reader.string()?.into_owned()),
                ("inputs", Kind::Array) if inputs.is_none() => inputs = Some(read_inputs(reader)?),
                ("inputs", _) => return not_one("'inputs' is one list of tensors"),
                _ => {
                    reader.skip()?;
                }
            }
            more = reader.object_next()?;
        }
        let Some(inputs) = inputs else { return not_one("it has no 'inputs'") };
        Ok(Self { id, inputs })
    }

    /// A schema of the inputs, for a model without signature: columns, unless one of them is wider.
    pub(crate) fn schema(&self, reader: &Reader<'_>) -> Result<Schema> {
        let wide = |input: &InputTensor<'_>| input.shape.iter().skip(1).any(|size| *size != 1);
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
        let mut filled = true;
        let known = |input: &InputTensor<'_>| plan.named && plan.lookup(&input.name, 0).is_some();
        match self.inputs.as_slice() {
            [input] if plan.tensors && plan.inputs.len() == 1 => {
                request.frame = false;
                input.fill(request, 0, reader)?;
            }
            [input] if !plan.tensors && plan.inputs.len() > 1 && !known(input) => {
                input.fill_table(request, reader)?;
            }
            inputs => filled = fill_by_name(inputs, request, reader)?,
        }
        // Without any known input it lacks inputs, not rows.
        if filled {
            request.check_rows()?;
        }
        request.columns_end()
    }
}

/// Reads each input into the buffer of its name, or of its position where the model has no names. Returns
/// whether there was any.
fn fill_by_name(
    inputs: &[InputTensor<'_>],
    request: &mut Request<'_>,
    reader: &mut Reader<'_>,
) -> Result<bool> {
    let plan = request.plan;
    let mut names = HashSet::new();
    let mut filled = false;
    for (position, input) in inputs.iter().enumerate() {
        if !names.insert(&input.name) {
            return invalid(format_args!("input '{}' is given twice", input.name));
        }
        let index = if plan.named { plan.lookup(&input.name, position) } else { Some(position) };
        if let Some(index) = index.filter(|index| *index < plan.inputs.len()) {
            input.fill(request, index, reader)?;
            filled = true;
        } else {
            request.note_extra(&input.name);
            // Nobody reads it, but it must be JSON.
            reader.seek(input.data);
            reader.skip()?;
        }
    }
    Ok(filled)
}

fn read_inputs<'a>(reader: &mut Reader<'a>) -> Result<Vec<InputTensor<'a>>> {
    let mut inputs = Vec::new();
    let mut more = reader.array_start()?;
    while more {
        // A model of more inputs than this takes them as one tensor.
        if inputs.len() == UNKNOWN_COLUMNS_MAX {
            return invalid(format_args!(
                "The request has more than {UNKNOWN_COLUMNS_MAX} inputs."
            ));
        }
        inputs.push(InputTensor::read(reader)?);
        more = reader.array_next()?;
    }
    Ok(inputs)
}
