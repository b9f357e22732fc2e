//! Builds an ONNX graph: nodes, constants, and names that do not collide with column names.

use std::collections::BTreeSet;

use trainyard_models::onnx::proto::attribute_proto::AttributeType;
use trainyard_models::onnx::proto::tensor_proto::DataType;
use trainyard_models::onnx::proto::tensor_shape_proto::{Dimension, dimension};
use trainyard_models::onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// Domain of the classical operators.
pub(super) const ML: &str = "ai.onnx.ml";
/// Versions that every ONNX runtime since 2022 knows.
const OPSET: i64 = 15;
const OPSET_ML: i64 = 3;
const IR_VERSION: i64 = 8;

/// A named attribute of a node.
pub(super) enum Attribute {
    Int(&'static str, i64),
    Float(&'static str, f32),
    Text(&'static str, &'static str),
    Ints(&'static str, Vec<i64>),
    Floats(&'static str, Vec<f32>),
    Strings(&'static str, Vec<String>),
}

/// A graph in the making.
#[derive(Default)]
pub(super) struct Graph {
    proto: GraphProto,
    names: BTreeSet<String>,
}

impl Graph {
    pub(super) fn declare_input(&mut self, name: &str, data_type: DataType, shape: &[Option<i64>]) {
        self.names.insert(name.to_owned());
        self.proto.input.push(value_info(name, data_type, shape));
    }

    pub(super) fn declare_output(
        &mut self,
        name: &str,
        data_type: DataType,
        shape: &[Option<i64>],
    ) {
        self.proto.output.push(value_info(name, data_type, shape));
    }

    /// A name for an output: the one wanted, with underscores if a column has it.
    pub(super) fn output_name(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        while !self.names.insert(name.clone()) {
            name.push('_');
        }
        name
    }

    /// A name for a value inside the graph.
    pub(super) fn fresh(&mut self, kind: &str) -> String {
        let mut number = self.proto.node.len() + self.proto.initializer.len();
        loop {
            let name = format!("{kind}:{number}");
            if self.names.insert(name.clone()) {
                return name;
            }
            number += 1;
        }
    }

    pub(super) fn constant_i64(&mut self, kind: &str, values: &[i64]) -> String {
        let name = self.fresh(kind);
        self.proto.initializer.push(TensorProto {
            dims: vec![values.len() as i64],
            data_type: DataType::Int64 as i32,
            int64_data: values.to_vec(),
            name: name.clone(),
            ..TensorProto::default()
        });
        name
    }

    pub(super) fn node(
        &mut self,
        operator: &str,
        domain: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: Vec<Attribute>,
    ) {
        let number = self.proto.node.len();
        self.proto.node.push(NodeProto {
            input: inputs.iter().map(ToString::to_string).collect(),
            output: outputs.iter().map(ToString::to_string).collect(),
            name: format!("{operator}_{number}"),
            op_type: operator.to_owned(),
            attribute: attributes.into_iter().map(attribute).collect(),
            domain: domain.to_owned(),
            ..NodeProto::default()
        });
    }

    pub(super) fn into_model(mut self) -> ModelProto {
        "model".clone_into(&mut self.proto.name);
        let opset =
            |domain: &str, version| OperatorSetIdProto { domain: domain.to_owned(), version };
        ModelProto {
            ir_version: IR_VERSION,
            opset_import: vec![opset("", OPSET), opset(ML, OPSET_ML)],
            producer_name: "trainyard".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(self.proto),
            ..ModelProto::default()
        }
    }
}

fn value_info(name: &str, data_type: DataType, shape: &[Option<i64>]) -> ValueInfoProto {
    let dim = shape
        .iter()
        .map(|size| Dimension { value: size.map(dimension::Value::DimValue) })
        .collect();
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(type_proto::Tensor {
                elem_type: data_type as i32,
                shape: Some(TensorShapeProto { dim }),
            })),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

fn attribute(attribute: Attribute) -> AttributeProto {
    let mut proto = AttributeProto::default();
    let (name, kind) = match attribute {
        Attribute::Int(name, value) => {
            proto.i = value;
            (name, AttributeType::Int)
        }
        Attribute::Float(name, value) => {
            proto.f = value;
            (name, AttributeType::Float)
        }
        Attribute::Text(name, value) => {
            proto.s = value.as_bytes().to_vec();
            (name, AttributeType::String)
        }
        Attribute::Ints(name, values) => {
            proto.ints = values;
            (name, AttributeType::Ints)
        }
        Attribute::Floats(name, values) => {
            proto.floats = values;
            (name, AttributeType::Floats)
        }
        Attribute::Strings(name, values) => {
            proto.strings = values.into_iter().map(String::into_bytes).collect();
            (name, AttributeType::Strings)
        }
    };
    name.clone_into(&mut proto.name);
    proto.r#type = kind as i32;
    proto
}
