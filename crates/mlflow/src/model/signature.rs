//! Model signatures: what goes in, what comes out (`mlflow.types.schema`).

/// Inputs, outputs and inference params of a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Signature {
    pub inputs: Option<Schema>,
    pub outputs: Option<Schema>,
    pub params: Option<Vec<ParamSpec>>,
}

/// Either all columns or all tensors.
#[derive(Debug, Clone, PartialEq)]
pub enum Schema {
    Columns(Vec<ColSpec>),
    Tensors(Vec<TensorSpec>),
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColSpec {
    /// None in an unnamed schema (then all are).
    pub name: Option<String>,
    pub data_type: DataType,
    pub required: bool,
}

/// Column types by MLflow's names.
#[derive(Debug, Clone, PartialEq)]
pub enum DataType {
    Boolean,
    /// 32-bit.
    Integer,
    /// 64-bit.
    Long,
    /// 32-bit.
    Float,
    /// 64-bit.
    Double,
    String,
    Binary,
    Datetime,
    Array(Box<DataType>),
    /// Properties in order: name, type, required.
    Object(Vec<(String, DataType, bool)>),
    /// Keys are strings.
    Map(Box<DataType>),
    Any,
}

/// One tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    pub name: Option<String>,
    /// numpy's name: `float64`, `int64`, `str`, `object`, …
    pub dtype: String,
    /// -1 for a free dimension.
    pub shape: Vec<i64>,
}

/// One inference param with its default.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSpec {
    pub name: String,
    pub data_type: DataType,
    /// JSON, checked against `data_type`.
    pub default: serde_json::Value,
    /// None for a scalar, `[-1]` for a list.
    pub shape: Option<Vec<i64>>,
}
