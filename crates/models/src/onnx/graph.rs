//! A graph made ready: steps in order over numbered values, constants in their places.

use std::collections::HashMap;

use super::kernel::{Inputs, Kernel, Value};
use super::ops::operators::{self, Context};
use super::proto::{GraphProto, ModelProto, ValueInfoProto, type_proto};
use super::tensor::{Outcome, Tensor, Type};
use crate::{Error, Result};

/// Nodes of a graph; converters of tabular models emit tens, one-vs-rest of many classes thousands.
const STEPS_MAX: usize = 100_000;

/// A graph that can be run any number of times, from any number of threads.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) inputs: Vec<GraphInput>,
    pub(crate) outputs: Vec<GraphOutput>,
    pub(super) steps: Vec<Step>,
    constants: Vec<Value>,
    /// Values that a run has, the constants apart; those of the inputs are the first.
    pub(super) slots: usize,
}

/// An input that the caller gives.
#[derive(Debug)]
pub(crate) struct GraphInput {
    pub(crate) name: String,
    pub(crate) element: Type,
    /// Columns of the input if it is a table whose width the file says.
    pub(crate) columns: Option<usize>,
    /// Dimensions as the file says them; 0 where it leaves them open.
    dims: Vec<usize>,
}

impl GraphInput {
    /// The declared shape for a table of these rows, if its elements fill it.
    pub(crate) fn shape_for(&self, table: &Tensor) -> Vec<usize> {
        let rows = table.shape.first().copied().unwrap_or(1);
        let per_row: usize = table.shape.iter().skip(1).product();
        match self.dims.as_slice() {
            [_] => vec![table.data.len()],
            [_, rest @ ..] if per_row > 0 => {
                // One size that the file leaves open follows from the others.
                let said = rest.iter().filter(|size| **size > 0).product::<usize>();
                let open = if rest.contains(&0) { per_row / said } else { 1 };
                let is_filled = rest.iter().filter(|size| **size == 0).count() <= 1;
                if !is_filled || said.checked_mul(open) != Some(per_row) {
                    return table.shape.clone();
                }
                let sizes = rest.iter().map(|&size| if size == 0 { open } else { size });
                std::iter::once(rows).chain(sizes).collect()
            }
            _ => table.shape.clone(),
        }
    }

    /// The table in the declared shape, where that has more dimensions than a table.
    fn shaped(&self, table: Tensor) -> Outcome<Tensor> {
        if self.dims.len() <= 2 {
            return Ok(table);
        }
        let shape = self.shape_for(&table);
        if shape.len() != self.dims.len() {
            return Err(format!(
                "input {:?} takes {:?} a row (0 is a size that the file leaves open), not shape {:?}",
                self.name,
                self.dims.get(1..).unwrap_or_default(),
                table.shape
            ));
        }
        Tensor::new(shape, table.data)
    }
}

/// The inputs that a caller gives: those that are no constants.
pub(crate) fn given_inputs(model: &ModelProto) -> Result<Vec<GraphInput>> {
    let graph = model.graph.as_ref();
    let is_constant = |name: &str| {
        graph.is_some_and(|graph| graph.initializer.iter().any(|tensor| tensor.name == name))
    };
    let inputs = graph.map_or(&[][..], |graph| &graph.input);
    inputs.iter().filter(|input| !is_constant(&input.name)).map(graph_input).collect()
}

#[derive(Debug)]
pub(crate) struct GraphOutput {
    pub(crate) name: String,
    place: Place,
}

#[derive(Debug)]
pub(super) struct Step {
    /// For messages: operator and name of the node.
    pub(super) what: String,
    pub(super) operator: String,
    pub(super) kernel: Box<dyn Kernel>,
    pub(super) inputs: Vec<Option<Place>>,
    pub(super) outputs: Vec<Option<usize>>,
}

/// Where a value is kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Constant(usize),
    Slot(usize),
}

impl Graph {
    /// Checks the model and makes its kernels. `file` names it in errors.
    pub(crate) fn new(model: &ModelProto, file: &str) -> Result<Self> {
        let malformed = |reason: String| Error::Malformed { file: file.to_owned(), reason };
        let graph =
            model.graph.as_ref().ok_or_else(|| malformed("the model has no graph".into()))?;
        if graph.node.len() > STEPS_MAX {
            return Err(malformed(format!(
                "{} nodes are more than the limit of {STEPS_MAX}",
                graph.node.len()
            )));
        }
        if !graph.sparse_initializer.is_empty() {
            return Err(unsupported("a sparse constant in an ONNX graph"));
        }
        let context = Context { opset: standard_opset(model), doubles: has_doubles(graph) };
        let mut builder = Builder::default();
        for tensor in &graph.initializer {
            let place = Place::Constant(builder.constants.len());
            builder.constants.push(Value::Tensor(Tensor::from_proto(tensor).map_err(malformed)?));
            builder.places.insert(tensor.name.clone(), place);
        }
        let mut inputs = Vec::new();
        for input in &graph.input {
            // Before IR version 4 constants were listed among the inputs as well.
            if !builder.places.contains_key(&input.name) {
                inputs.push(graph_input(input)?);
                builder.new_slot(&input.name);
            }
        }
        for (number, node) in graph.node.iter().enumerate() {
            let what = if node.name.is_empty() {
                format!("node {number} ({})", node.op_type)
            } else {
                format!("node {} ({})", node.name, node.op_type)
            };
            let kernel = operators::kernel(node, context)
                .map_err(|reason| malformed(format!("{what}: {reason}")))?;
            let Some(kernel) = kernel else {
                let domain = if node.domain.is_empty() { "ai.onnx" } else { &node.domain };
                return Err(unsupported(&format!("operator {} of {domain}", node.op_type)));
            };
            let inputs = node.input.iter().map(|name| builder.find(name)).collect::<Outcome<_>>();
            let inputs = inputs.map_err(|reason| malformed(format!("{what}: {reason}")))?;
            let outputs = node
                .output
                .iter()
                .map(|name| (!name.is_empty()).then(|| builder.new_slot(name)))
                .collect();
            let operator = node.op_type.clone();
            builder.steps.push(Step { what, operator, kernel, inputs, outputs });
        }
        let mut outputs = Vec::new();
        for output in &graph.output {
            let place = builder.find(&output.name).ok().flatten();
            let place = place
                .ok_or_else(|| malformed(format!("output {:?} is made by no node", output.name)))?;
            outputs.push(GraphOutput { name: output.name.clone(), place });
        }
        Ok(Self {
            inputs,
            outputs,
            steps: builder.steps,
            constants: builder.constants,
            slots: builder.slots,
        })
    }

    /// Runs all steps on one value for each input, in order; gives one for each output, in order.
    pub(crate) fn run(&self, inputs: Vec<Tensor>) -> Outcome<Vec<Value>> {
        let shaped = self.inputs.iter().zip(inputs).map(|(input, table)| input.shaped(table));
        let mut slots: Vec<Option<Value>> = shaped
            .map(|tensor| tensor.map(|tensor| Some(Value::Tensor(tensor))))
            .collect::<Outcome<_>>()?;
        slots.resize_with(self.slots, || None);
        for step in &self.steps {
            let inputs = step
                .inputs
                .iter()
                .map(|place| place.and_then(|place| self.value(&slots, place)))
                .collect();
            let results = step
                .kernel
                .run(&Inputs(inputs))
                .map_err(|reason| format!("{}: {reason}", step.what))?;
            if results.len() < step.outputs.iter().flatten().count() {
                return Err(format!(
                    "{}: {} results where {} are used",
                    step.what,
                    results.len(),
                    step.outputs.len()
                ));
            }
            for (result, slot) in results.into_iter().zip(&step.outputs) {
                if let Some(slot) = slot.and_then(|slot| slots.get_mut(slot)) {
                    *slot = Some(result);
                }
            }
        }
        self.outputs
            .iter()
            .map(|output| {
                // Taken out of its slot unless another output is the same value.
                let shared = |slot: usize| {
                    self.outputs
                        .iter()
                        .filter(|o| matches!(o.place, Place::Slot(at) if at == slot))
                        .count()
                        > 1
                };
                let value = match output.place {
                    Place::Slot(slot) if !shared(slot) => {
                        slots.get_mut(slot).and_then(Option::take)
                    }
                    place => self.value(&slots, place).cloned(),
                };
                value.ok_or_else(|| format!("output {:?} has no value", output.name))
            })
            .collect()
    }

    pub(super) fn value<'a>(
        &'a self,
        slots: &'a [Option<Value>],
        place: Place,
    ) -> Option<&'a Value> {
        match place {
            Place::Constant(at) => self.constants.get(at),
            Place::Slot(at) => slots.get(at).and_then(Option::as_ref),
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        let constants = self.constants.iter().map(|value| match value {
            Value::Tensor(tensor) | Value::Maps(_, tensor) => tensor.size_bytes(),
        });
        constants.sum::<usize>()
            + self
                .steps
                .iter()
                .map(|step| size_of::<Step>() + step.kernel.size_bytes())
                .sum::<usize>()
    }
}

/// Places by name while steps are made. A name that is not known yet is an error, so steps are in
/// topological order, as the format demands, and circles cannot be.
#[derive(Default)]
struct Builder {
    steps: Vec<Step>,
    constants: Vec<Value>,
    places: HashMap<String, Place>,
    slots: usize,
}

impl Builder {
    fn new_slot(&mut self, name: &str) -> usize {
        let slot = self.slots;
        self.slots += 1;
        self.places.insert(name.to_owned(), Place::Slot(slot));
        slot
    }

    /// An empty name is an optional input that is not given.
    fn find(&self, name: &str) -> Outcome<Option<Place>> {
        if name.is_empty() {
            return Ok(None);
        }
        match self.places.get(name) {
            Some(&place) => Ok(Some(place)),
            None => Err(format!("input {name:?} is made by no node before it")),
        }
    }
}

fn unsupported(what: &str) -> Error {
    Error::Unsupported {
        what: what.to_owned(),
        hint: "only the operators that converters of tabular models emit are evaluated here; \
               export the model in its own format, or serve it with Python workers"
            .to_owned(),
    }
}

fn graph_input(input: &ValueInfoProto) -> Result<GraphInput> {
    let Some(type_proto::Value::TensorType(tensor)) =
        input.r#type.as_ref().and_then(|kind| kind.value.as_ref())
    else {
        return Err(unsupported(&format!("ONNX input {:?} that is not a tensor", input.name)));
    };
    let Some(element) = Type::from_onnx(tensor.elem_type) else {
        return Err(unsupported(&format!(
            "ONNX input {:?} with element type {}",
            input.name, tensor.elem_type
        )));
    };
    let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
    let sizes = dims.iter().map(|dim| match dim.value {
        Some(super::proto::tensor_shape_proto::dimension::Value::DimValue(count)) => {
            usize::try_from(count).unwrap_or(0)
        }
        _ => 0,
    });
    let sizes: Vec<usize> = sizes.collect();
    let columns = match dims {
        [_, columns] => match columns.value {
            Some(super::proto::tensor_shape_proto::dimension::Value::DimValue(count)) => {
                usize::try_from(count).ok()
            }
            _ => None,
        },
        _ => None,
    };
    Ok(GraphInput {
        name: input.name.clone(),
        element,
        columns: columns.filter(|&count| count > 0),
        dims: sizes,
    })
}

fn standard_opset(model: &ModelProto) -> i64 {
    let standard =
        model.opset_import.iter().filter(|set| set.domain.is_empty() || set.domain == "ai.onnx");
    standard.map(|set| set.version).max().unwrap_or(1)
}

/// Whether doubles can reach a tree ensemble: an input, a constant or a cast has them.
fn has_doubles(graph: &GraphProto) -> bool {
    const DOUBLE: i32 = 11;
    let input = graph.input.iter().any(|input| {
        matches!(input.r#type.as_ref().and_then(|kind| kind.value.as_ref()),
            Some(type_proto::Value::TensorType(tensor)) if tensor.elem_type == DOUBLE)
    });
    let cast = graph.node.iter().any(|node| {
        node.op_type == "Cast"
            && node.attribute.iter().any(|a| a.name == "to" && a.i == i64::from(DOUBLE))
    });
    input || cast || graph.initializer.iter().any(|tensor| tensor.data_type == DOUBLE)
}
