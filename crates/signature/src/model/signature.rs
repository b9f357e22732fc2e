//! Model signatures: what goes in, what comes out (`mlflow.types.schema`).

use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType as ArrowType, Field, Fields, Schema as ArrowSchema, TimeUnit};

use crate::{Error, Result};

/// Inputs, outputs and inference params of a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Signature {
    pub inputs: Option<Schema>,
    pub outputs: Option<Schema>,
    pub params: Option<Vec<ParamSpec>>,
}

impl Signature {
    /// Arrow's schema of the inputs (see [`Schema::arrow_schema`]); none if they are not declared.
    pub fn input_arrow_schema(&self) -> Option<ArrowSchema> {
        self.inputs.as_ref().map(Schema::arrow_schema)
    }

    /// Arrow's schema of the outputs; none if they are not declared.
    pub fn output_arrow_schema(&self) -> Option<ArrowSchema> {
        self.outputs.as_ref().map(Schema::arrow_schema)
    }
}

/// Either all columns or all tensors.
#[derive(Debug, Clone, PartialEq)]
pub enum Schema {
    Columns(Vec<ColSpec>),
    Tensors(Vec<TensorSpec>),
}

impl Schema {
    /// Number of columns or tensors.
    pub fn len(&self) -> usize {
        match self {
            Self::Columns(columns) => columns.len(),
            Self::Tensors(tensors) => tensors.len(),
        }
    }

    /// Whether there is nothing in it, which MLflow does not allow ([`Schema::check`]).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the columns or tensors have names (all have or none has).
    pub fn is_named(&self) -> bool {
        match self {
            Self::Columns(columns) => columns.iter().all(|column| column.name.is_some()),
            Self::Tensors(tensors) => tensors.iter().all(|tensor| tensor.name.is_some()),
        }
    }

    /// Names in order; what has no name goes by its position: `0`, `1`, ….
    pub fn names(&self) -> Vec<String> {
        let name = |(position, name): (usize, &Option<String>)| {
            name.clone().unwrap_or_else(|| position.to_string())
        };
        match self {
            Self::Columns(columns) => {
                columns.iter().map(|column| &column.name).enumerate().map(name).collect()
            }
            Self::Tensors(tensors) => {
                tensors.iter().map(|tensor| &tensor.name).enumerate().map(name).collect()
            }
        }
    }

    /// The columns, if this is a schema of columns.
    pub fn columns(&self) -> Option<&[ColSpec]> {
        match self {
            Self::Columns(columns) => Some(columns),
            Self::Tensors(_) => None,
        }
    }

    /// The tensors, if this is a schema of tensors.
    pub fn tensors(&self) -> Option<&[TensorSpec]> {
        match self {
            Self::Columns(_) => None,
            Self::Tensors(tensors) => Some(tensors),
        }
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&ColSpec> {
        self.columns()?.iter().find(|column| column.name.as_deref() == Some(name))
    }

    /// Arrow's schema: one field a column ([`ColSpec::arrow_field`]) or tensor
    /// ([`TensorSpec::arrow_field`]), under [`Schema::names`].
    pub fn arrow_schema(&self) -> ArrowSchema {
        let names = self.names();
        let fields: Vec<Field> = match self {
            Self::Columns(columns) => {
                columns.iter().zip(&names).map(|(column, name)| column.arrow_field(name)).collect()
            }
            Self::Tensors(tensors) => {
                tensors.iter().zip(&names).map(|(tensor, name)| tensor.arrow_field(name)).collect()
            }
        };
        ArrowSchema::new(fields)
    }

    /// MLflow's own rules: not empty, all named or none, several tensors only with names, optional
    /// columns only with names; and no name twice, which it leaves open.
    pub fn check(&self) -> Result<()> {
        if self.is_empty() {
            return Err(Error::schema("a schema needs at least one column or tensor"));
        }
        let named = match self {
            Self::Columns(columns) => columns.iter().filter(|column| column.name.is_some()).count(),
            Self::Tensors(tensors) => tensors.iter().filter(|tensor| tensor.name.is_some()).count(),
        };
        if named != 0 && named != self.len() {
            return Err(Error::schema(format!(
                "a schema has names for all of its {} inputs or for none, this one has {named}",
                self.len()
            )));
        }
        match self {
            Self::Tensors(tensors) if named == 0 && tensors.len() > 1 => {
                return Err(Error::schema("several tensors in one schema need names"));
            }
            Self::Columns(columns)
                if named == 0 && columns.iter().any(|column| !column.required) =>
            {
                return Err(Error::schema("a column without a name cannot be optional"));
            }
            _ => {}
        }
        let mut names = self.names();
        names.sort_unstable();
        for (name, next) in names.iter().zip(names.iter().skip(1)) {
            if name == next {
                return Err(Error::schema(format!("a schema has the name {name:?} twice")));
            }
        }
        Ok(())
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColSpec {
    /// None in an unnamed schema (then all are).
    pub name: Option<String>,
    pub data_type: DataType,
    pub required: bool,
}

impl ColSpec {
    /// A required column with a name.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self { name: Some(name.into()), data_type, required: true }
    }

    /// The same column, optional: values may be missing and so may the whole column.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// A required column without a name.
    pub fn unnamed(data_type: DataType) -> Self {
        Self { name: None, data_type, required: true }
    }

    /// See [`DataType::arrow_type`].
    pub fn arrow_type(&self) -> ArrowType {
        self.data_type.arrow_type()
    }

    /// Arrow's field under `name`; an optional column is nullable.
    pub fn arrow_field(&self, name: &str) -> Field {
        Field::new(name, self.arrow_type(), !self.required)
    }
}

/// In the metadata of a field of a request: its texts are the JSON of values of any type
/// ([`DataType::is_json_text`]), and no texts of their own.
pub const JSON_TEXT: &str = "trainyard.json";

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

impl DataType {
    /// MLflow's name of a scalar type; none for arrays, objects, maps and any.
    pub fn scalar_name(&self) -> Option<&'static str> {
        Some(match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::String => "string",
            Self::Binary => "binary",
            Self::Datetime => "datetime",
            Self::Array(_) | Self::Object(_) | Self::Map(_) | Self::Any => return None,
        })
    }

    /// The scalar type of that name.
    pub fn from_scalar_name(name: &str) -> Option<Self> {
        Some(match name {
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "long" => Self::Long,
            "float" => Self::Float,
            "double" => Self::Double,
            "string" => Self::String,
            "binary" => Self::Binary,
            "datetime" => Self::Datetime,
            _ => return None,
        })
    }

    /// Arrow's type for the same values. Datetimes are nanoseconds without a time zone, as in
    /// pandas; `any` is UTF-8 that holds the value's JSON text, because Arrow has no such type.
    pub fn arrow_type(&self) -> ArrowType {
        match self {
            Self::Boolean => ArrowType::Boolean,
            Self::Integer => ArrowType::Int32,
            Self::Long => ArrowType::Int64,
            Self::Float => ArrowType::Float32,
            Self::Double => ArrowType::Float64,
            Self::String | Self::Any => ArrowType::Utf8,
            Self::Binary => ArrowType::Binary,
            Self::Datetime => ArrowType::Timestamp(TimeUnit::Nanosecond, None),
            Self::Array(items) => {
                ArrowType::List(Arc::new(Field::new("item", items.arrow_type(), true)))
            }
            Self::Object(properties) => ArrowType::Struct(
                properties
                    .iter()
                    .map(|(name, kind, required)| Field::new(name, kind.arrow_type(), !required))
                    .collect(),
            ),
            Self::Map(values) => {
                let entry = Fields::from(vec![
                    Field::new("keys", ArrowType::Utf8, false),
                    Field::new("values", values.arrow_type(), true),
                ]);
                let entries = Field::new("entries", ArrowType::Struct(entry), false);
                ArrowType::Map(Arc::new(entries), false)
            }
        }
    }

    /// Whether Arrow holds these values, or what lists of them hold, as JSON text.
    pub fn is_json_text(&self) -> bool {
        match self {
            Self::Any => true,
            Self::Array(items) => items.is_json_text(),
            _ => false,
        }
    }

    /// Whether values of this type are numbers.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Self::Integer | Self::Long | Self::Float | Self::Double)
    }
}

/// As Python shows the type: `double`, `Array(long)`, `{x: long (required)}`, `Map(str -> double)`.
impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Array(items) => write!(f, "Array({items})"),
            Self::Object(properties) => {
                f.write_str("{")?;
                for (position, (name, kind, required)) in properties.iter().enumerate() {
                    let separator = if position == 0 { "" } else { ", " };
                    let required = if *required { "required" } else { "optional" };
                    write!(f, "{separator}{name}: {kind} ({required})")?;
                }
                f.write_str("}")
            }
            Self::Map(values) => write!(f, "Map(str -> {values})"),
            Self::Any => f.write_str("Any"),
            scalar => f.write_str(scalar.scalar_name().unwrap_or_default()),
        }
    }
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

impl TensorSpec {
    /// A tensor without a name: `TensorSpec::unnamed("float64", [-1, 3])`.
    pub fn unnamed(dtype: impl Into<String>, shape: impl Into<Vec<i64>>) -> Self {
        Self { name: None, dtype: dtype.into(), shape: shape.into() }
    }

    /// Arrow's type of one element; none for numpy types that have none (`object`, `complex128`).
    pub fn element_type(&self) -> Option<ArrowType> {
        Some(match self.dtype.as_str() {
            "bool" => ArrowType::Boolean,
            "int8" => ArrowType::Int8,
            "int16" => ArrowType::Int16,
            "int32" => ArrowType::Int32,
            "int64" => ArrowType::Int64,
            "uint8" => ArrowType::UInt8,
            "uint16" => ArrowType::UInt16,
            "uint32" => ArrowType::UInt32,
            "uint64" => ArrowType::UInt64,
            "float16" => ArrowType::Float16,
            "float32" => ArrowType::Float32,
            "float64" => ArrowType::Float64,
            "str" => ArrowType::Utf8,
            "bytes" => ArrowType::Binary,
            "datetime64[ns]" => ArrowType::Timestamp(TimeUnit::Nanosecond, None),
            _ => return None,
        })
    }

    /// Arrow's field under `name`, one value a row of the first dimension: further dimensions are
    /// lists, of fixed size where the shape says so. Elements without an Arrow type are JSON text.
    pub fn arrow_field(&self, name: &str) -> Field {
        let mut kind = self.element_type().unwrap_or(ArrowType::Utf8);
        for &dimension in self.shape.iter().skip(1).rev() {
            let item = Arc::new(Field::new("item", kind, false));
            kind = match i32::try_from(dimension) {
                Ok(size) if size >= 0 => ArrowType::FixedSizeList(item, size),
                _ => ArrowType::List(item),
            };
        }
        Field::new(name, kind, false)
    }

    /// Values a row if all dimensions but the first are fixed (1 for a vector).
    pub fn row_width(&self) -> Option<usize> {
        self.shape.iter().skip(1).try_fold(1_usize, |width, &dimension| {
            width.checked_mul(usize::try_from(dimension).ok()?)
        })
    }
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
