//! A model folder of the `onnx` flavor: evaluated here, or by ONNX Runtime where it cannot be.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray,
};
use prost::Message as _;

use super::explain::explain;
use super::graph::{Graph, GraphInput, given_inputs};
use super::kernel::{MapKeys, Value};
use super::proto::ModelProto;
use super::runtime::RuntimeSession;
use super::tensor::{Data, Tensor, Type};
use crate::input::{Input, check_width, width};
use crate::predictor::unexplained;
use crate::{Error, Explanation, Prediction, Predictor, Result};

/// What is in the name of an output with probabilities, whoever wrote the graph: `output_probability` (sklearn-onnx),
/// `probabilities` (onnxmltools), `probability_setosa` (the training here).
const PROBABILITIES: &str = "probabilit";

/// A loaded ONNX model.
#[derive(Debug)]
pub struct OnnxModel {
    engine: Engine,
    answers_probabilities: bool,
}

/// What evaluates a model.
#[derive(Debug)]
enum Engine {
    Own(Graph),
    Runtime { session: RuntimeSession, inputs: Vec<GraphInput> },
}

impl OnnxModel {
    /// Reads a model file; `file` names it in errors.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self> {
        let model = ModelProto::decode(bytes).map_err(|error| Error::Malformed {
            file: file.to_owned(),
            reason: format!("not an ONNX model: {error}"),
        })?;
        let outputs = model.graph.iter().flat_map(|graph| &graph.output);
        let mut names = outputs.map(|output| output.name.to_lowercase());
        let answers_probabilities = names.any(|name| name.contains(PROBABILITIES));
        let own = match model.functions.first() {
            Some(function) => Err(Error::Unsupported {
                what: format!("function {} of an ONNX model", function.name),
                hint: String::new(),
            }),
            None => Graph::new(&model, file),
        };
        let engine = match own {
            Ok(graph) => Engine::Own(graph),
            Err(Error::Unsupported { what, .. }) => {
                let session = RuntimeSession::open(bytes, &what, file)?;
                let inputs = given_inputs(&model)?;
                Engine::Runtime { session, inputs }
            }
            Err(error) => return Err(error),
        };
        Ok(Self { engine, answers_probabilities })
    }

    fn inputs(&self) -> &[GraphInput] {
        match &self.engine {
            Engine::Own(graph) => &graph.inputs,
            Engine::Runtime { inputs, .. } => inputs,
        }
    }

    /// What each input of the graph gets, as `mlflow.onnx` feeds it: one input takes all columns as a
    /// table; several take the column of their name, or, where there is none, as many columns as they
    /// are wide in order.
    fn feed(&self, input: &RecordBatch) -> Result<Vec<Tensor>> {
        if let [only] = self.inputs() {
            if let Some(columns) = only.columns {
                let given: usize = input.columns().iter().map(width).sum();
                check_width(given, columns)?;
            }
            return Ok(vec![tensor_of(&Input::new(input), only, input.num_rows())?]);
        }
        self.inputs()
            .iter()
            .map(|wanted| {
                let at = input.schema_ref().index_of(&wanted.name).map_err(|_| {
                    let names: Vec<&str> = input
                        .schema_ref()
                        .fields()
                        .iter()
                        .map(|field| field.name().as_str())
                        .collect();
                    Error::Input(format!(
                        "column {:?} is missing; the input has {names:?}",
                        wanted.name
                    ))
                })?;
                let column =
                    input.project(&[at]).map_err(|error| Error::Input(error.to_string()))?;
                tensor_of(&Input::new(&column), wanted, input.num_rows())
            })
            .collect()
    }
}

fn tensor_of(input: &Input<'_>, wanted: &GraphInput, rows: usize) -> Result<Tensor> {
    let data = match wanted.element {
        Type::F32 => Data::F32(input.rows_f32()?),
        Type::F64 => Data::F64(input.rows_f64()?),
        Type::I64 => Data::I64(input.rows_i64()?),
        Type::I32 => Data::I32(
            input
                .rows_i64()?
                .into_iter()
                .map(|x| {
                    i32::try_from(x).map_err(|_| {
                        Error::Input(format!("{x} does not fit the 32 bits of {:?}", wanted.name))
                    })
                })
                .collect::<Result<_>>()?,
        ),
        Type::Bool => Data::Bool(input.rows_f64()?.into_iter().map(|x| x != 0.0).collect()),
        Type::Text => Data::Text(input.rows_text()?),
    };
    Tensor::new(vec![rows, input.width()], data).map_err(Error::Input)
}

impl Predictor for OnnxModel {
    fn explain(
        &self,
        input: &RecordBatch,
        background: Option<&RecordBatch>,
    ) -> Result<Explanation> {
        let Engine::Own(graph) = &self.engine else {
            return Err(unexplained("an ONNX graph that ONNX Runtime evaluates"));
        };
        if background.is_some() {
            return Err(unexplained("an ONNX graph beside a background"));
        }
        let rows = input.num_rows();
        if rows == 0 {
            return Err(Error::Input("there are no rows to explain".to_owned()));
        }
        let names: Vec<String> = match graph.inputs.as_slice() {
            [_] => Input::new(input).names(),
            several => several.iter().map(|input| input.name.clone()).collect(),
        };
        let explained = explain(graph, self.feed(input)?, rows)?;
        if names.len() != explained.contributions.columns {
            return Err(unexplained("an ONNX graph with inputs of several columns"));
        }
        Ok(explained.contributions.named(rows, names, &explained.classes))
    }

    fn predict(&self, input: &RecordBatch) -> Result<Prediction> {
        let rows = input.num_rows();
        let tensors = self.feed(input)?;
        let named = match &self.engine {
            Engine::Own(graph) => {
                let names = graph.outputs.iter().map(|output| output.name.clone());
                names.zip(graph.run(tensors).map_err(Error::Input)?).collect()
            }
            Engine::Runtime { session, inputs } => {
                session.run(inputs, tensors).map_err(Error::Input)?
            }
        };
        let named = named.into_iter().map(|(name, value)| Ok((name, prediction(value, rows)?)));
        Ok(Prediction::Named(named.collect::<Result<_>>()?))
    }

    fn answers_probabilities(&self) -> bool {
        self.answers_probabilities
    }

    fn size_bytes(&self) -> usize {
        match &self.engine {
            Engine::Own(graph) => graph.size_bytes(),
            Engine::Runtime { session, .. } => session.size_bytes(),
        }
    }
}

fn prediction(value: Value, rows: usize) -> Result<Prediction> {
    Ok(match value {
        Value::Tensor(tensor) if tensor.shape.len() == 1 => Prediction::Column(array(tensor.data)),
        Value::Tensor(tensor) => {
            let width = matrix_width(&tensor, rows)?;
            Prediction::Matrix { values: array(tensor.data), width }
        }
        Value::Maps(keys, tensor) => {
            let keys = match keys {
                MapKeys::Integers(keys) => keys.iter().map(i64::to_string).collect(),
                MapKeys::Text(keys) => keys,
            };
            Prediction::Maps { keys, values: array(tensor.data) }
        }
    })
}

fn matrix_width(tensor: &Tensor, rows: usize) -> Result<usize> {
    match tensor.shape.as_slice() {
        [first, rest @ ..] if *first == rows => Ok(rest.iter().product()),
        other => Err(Error::Input(format!("an output has shape {other:?} for {rows} rows"))),
    }
}

fn array(data: Data) -> ArrayRef {
    match data {
        Data::F32(values) => Arc::new(Float32Array::from(values)),
        Data::F64(values) => Arc::new(Float64Array::from(values)),
        Data::I64(values) => Arc::new(Int64Array::from(values)),
        Data::I32(values) => Arc::new(Int32Array::from(values)),
        Data::Bool(values) => Arc::new(BooleanArray::from(values)),
        Data::Text(values) => Arc::new(StringArray::from(values)),
    }
}
