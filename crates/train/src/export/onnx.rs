//! From the columns of a request to the outputs of the graph.

use prost::Message as _;
use trainyard_models::onnx::proto::tensor_proto::DataType;

use super::estimator;
use super::graph::{Attribute, Graph, ML};
use crate::features::{Encoding, NumberKind};
use crate::model::FittedModel;
use crate::target::Classes;
use crate::{Error, Result};

/// Start of the names of outputs that are class probabilities.
pub const PROBABILITY_PREFIX: &str = "probability_";
/// Name of the output that is the predicted class.
pub const LABEL: &str = "label";
/// Name of the output that is the predicted quantity.
pub const VARIABLE: &str = "variable";

/// Protocol buffers end at 2 GiB.
const BYTES_MAX: usize = i32::MAX as usize;

/// An ONNX file and what its outputs are called.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The serialized model.
    pub bytes: Vec<u8>,
    /// Output of the predicted class or quantity.
    pub prediction: String,
    /// Outputs of the class probabilities, in the order of the classes.
    pub probabilities: Vec<String>,
}

/// Writes a fitted model as ONNX.
pub fn export(model: &FittedModel) -> Result<Export> {
    let mut graph = Graph::default();
    let inputs = inputs(&mut graph, model);
    let features = encode(&mut graph, model, inputs);
    let mut export = Export { bytes: Vec::new(), prediction: String::new(), probabilities: vec![] };
    match &model.classes {
        None => {
            export.prediction = graph.output_name(VARIABLE);
            estimator::quantity(&mut graph, model, &features, &export.prediction);
            graph.declare_output(&export.prediction, DataType::Float, &[None, Some(1)]);
        }
        Some(classes) => classes_outputs(&mut graph, model, classes, &features, &mut export),
    }
    let proto = graph.into_model();
    let size = proto.encoded_len();
    if size > BYTES_MAX {
        return Err(Error::ModelTooLarge { bytes: size, limit: BYTES_MAX });
    }
    export.bytes = proto.encode_to_vec();
    Ok(export)
}

fn classes_outputs(
    graph: &mut Graph,
    model: &FittedModel,
    classes: &Classes,
    features: &str,
    export: &mut Export,
) {
    export.prediction = graph.output_name(LABEL);
    let label = match classes {
        // Classifiers answer text or integers: booleans are made of integers.
        Classes::Flag => graph.fresh("label"),
        Classes::Text(_) | Classes::Whole(_) => export.prediction.clone(),
    };
    let probabilities = estimator::classes(graph, model, classes, features, &label);
    let label_type = match classes {
        Classes::Text(_) => DataType::String,
        Classes::Whole(_) => DataType::Int64,
        Classes::Flag => {
            let to = Attribute::Int("to", i64::from(DataType::Bool as i32));
            graph.node("Cast", "", &[&label], &[&export.prediction], vec![to]);
            DataType::Bool
        }
    };
    graph.declare_output(&export.prediction, label_type, &[None]);
    let names = classes.names();
    for name in &names {
        let output = graph.output_name(&format!("{PROBABILITY_PREFIX}{name}"));
        export.probabilities.push(output);
    }
    let sizes = graph.constant_i64("sizes", &vec![1; names.len()]);
    let outputs: Vec<&str> = export.probabilities.iter().map(String::as_str).collect();
    let axis = Attribute::Int("axis", 1);
    graph.node("Split", "", &[&probabilities, &sizes], &outputs, vec![axis]);
    for output in &export.probabilities {
        graph.declare_output(output, DataType::Float, &[None, Some(1)]);
    }
}

/// What the graph is given.
enum Inputs {
    /// One matrix of numbers.
    Matrix(String),
    /// One vector a column, in the order of the columns.
    Columns(Vec<String>),
}

fn inputs(graph: &mut Graph, model: &FittedModel) -> Inputs {
    let columns = &model.encoder.columns;
    if model.encoder.is_one_tensor() {
        // pandas makes an integer array of integer columns only if all are.
        let all_long = model.encoder.numeric().all(|(_, kind, _)| kind == NumberKind::Long);
        let data_type = if all_long { DataType::Int64 } else { DataType::Float };
        let shape = [None, Some(columns.len() as i64)];
        graph.declare_input("features", data_type, &shape);
        return Inputs::Matrix(if all_long {
            to_float(graph, "features")
        } else {
            "features".to_owned()
        });
    }
    // With a single input pandas hands over a matrix, even of one column.
    let shape: &[Option<i64>] = if columns.len() == 1 { &[None, Some(1)] } else { &[None] };
    let names = columns.iter().map(|column| {
        let data_type = match &column.encoding {
            Encoding::Number { kind: NumberKind::Double, .. } => DataType::Float,
            Encoding::Number { kind: NumberKind::Long, .. } | Encoding::WholeCategories(_) => {
                DataType::Int64
            }
            Encoding::Number { kind: NumberKind::Boolean, .. } => DataType::Bool,
            Encoding::TextCategories(_) => DataType::String,
        };
        graph.declare_input(&column.name, data_type, shape);
        column.name.clone()
    });
    Inputs::Columns(names.collect())
}

/// Adds what turns inputs into the matrix of encoded features; returns its name.
fn encode(graph: &mut Graph, model: &FittedModel, inputs: Inputs) -> String {
    let names = match inputs {
        Inputs::Matrix(matrix) => return impute(graph, model, matrix),
        Inputs::Columns(names) => names,
    };
    let one_column = graph.constant_i64("column", &[-1, 1]);
    let mut numbers = Vec::new();
    let mut categories = Vec::new();
    for (column, name) in model.encoder.columns.iter().zip(&names) {
        match &column.encoding {
            Encoding::Number { kind, .. } => {
                let floats = match kind {
                    NumberKind::Double => name.clone(),
                    NumberKind::Long | NumberKind::Boolean => to_float(graph, name),
                };
                let shaped = graph.fresh("number");
                graph.node("Reshape", "", &[&floats, &one_column], &[&shaped], vec![]);
                numbers.push(shaped);
            }
            Encoding::TextCategories(texts) => {
                let known = Attribute::Strings("cats_strings", texts.clone());
                categories.push(one_hot(graph, name, known, texts.len()));
            }
            Encoding::WholeCategories(values) => {
                let known = Attribute::Ints("cats_int64s", values.clone());
                categories.push(one_hot(graph, name, known, values.len()));
            }
        }
    }
    let mut parts = Vec::new();
    if !numbers.is_empty() {
        let joined = concatenate(graph, &numbers);
        parts.push(impute(graph, model, joined));
    }
    parts.extend(categories);
    concatenate(graph, &parts)
}

fn to_float(graph: &mut Graph, name: &str) -> String {
    let floats = graph.fresh("floats");
    let to = Attribute::Int("to", i64::from(DataType::Float as i32));
    graph.node("Cast", "", &[name], &[&floats], vec![to]);
    floats
}

/// One column of zeros and ones a category; a value that is none of them has only zeros.
fn one_hot(graph: &mut Graph, name: &str, known: Attribute, count: usize) -> String {
    let encoded = graph.fresh("encoded");
    let zeros = Attribute::Int("zeros", 1);
    graph.node("OneHotEncoder", ML, &[name], &[&encoded], vec![known, zeros]);
    let shape = graph.constant_i64("shape", &[-1, count as i64]);
    let shaped = graph.fresh("categories");
    graph.node("Reshape", "", &[&encoded, &shape], &[&shaped], vec![]);
    shaped
}

fn concatenate(graph: &mut Graph, parts: &[String]) -> String {
    if let [only] = parts {
        return only.clone();
    }
    let joined = graph.fresh("joined");
    let names: Vec<&str> = parts.iter().map(String::as_str).collect();
    graph.node("Concat", "", &names, &[&joined], vec![Attribute::Int("axis", 1)]);
    joined
}

fn impute(graph: &mut Graph, model: &FittedModel, numbers: String) -> String {
    if !model.encoder.impute {
        return numbers;
    }
    let medians = model.encoder.numeric().map(|(_, _, median)| median).collect();
    let imputed = graph.fresh("imputed");
    let attributes = vec![
        Attribute::Floats("imputed_value_floats", medians),
        Attribute::Float("replaced_value_float", f32::NAN),
    ];
    graph.node("Imputer", ML, &[&numbers], &[&imputed], attributes);
    imputed
}
