//! Signatures as the JSON text that `MLmodel` holds (`Schema.to_json`, `ParamSchema.to_json`).

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::python_json;
use super::signature::{ColSpec, DataType, ParamSpec, Schema, TensorSpec};
use crate::{Error, Result};

/// Deepest type: an array of objects of arrays is 3. Real signatures stay below 5.
const NESTING_MAX: usize = 32;
/// Widest schema. Models with more columns than this are given as one tensor.
const COLUMNS_MAX: usize = 100_000;
/// Longest JSON text of a schema: 100,000 columns with long names.
const JSON_BYTES_MAX: usize = 32 << 20;
/// Most dimensions of a tensor; numpy allows 64.
const DIMENSIONS_MAX: usize = 64;

impl Schema {
    /// Reads MLflow's JSON: a list of columns or of tensors.
    pub fn from_json(text: &str) -> Result<Self> {
        let entries = read_list(text)?;
        let tensors = entries.iter().filter(|entry| type_name(entry) == Some("tensor")).count();
        let schema = if tensors == 0 {
            Self::Columns(entries.iter().map(read_column).collect::<Result<_>>()?)
        } else if tensors == entries.len() {
            Self::Tensors(entries.iter().map(read_tensor).collect::<Result<_>>()?)
        } else {
            return Err(Error::schema("a schema holds columns or tensors, not both"));
        };
        schema.check()?;
        Ok(schema)
    }

    /// Writes MLflow's JSON, byte for byte as Python does.
    pub fn to_json(&self) -> Result<String> {
        match self {
            Self::Columns(columns) => python_json::to_string(columns),
            Self::Tensors(tensors) => python_json::to_string(tensors),
        }
    }
}

impl FromStr for Schema {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::from_json(text)
    }
}

impl ParamSpec {
    /// Reads MLflow's JSON: a list of params.
    pub fn list_from_json(text: &str) -> Result<Vec<Self>> {
        let params: Vec<Self> = read_list(text)?.iter().map(read_param).collect::<Result<_>>()?;
        let mut names: Vec<&str> = params.iter().map(|param| param.name.as_str()).collect();
        names.sort_unstable();
        for (name, next) in names.iter().zip(names.iter().skip(1)) {
            if name == next {
                return Err(Error::schema(format!("the param {name:?} is there twice")));
            }
        }
        Ok(params)
    }

    /// Writes MLflow's JSON, byte for byte as Python does.
    pub fn list_to_json(params: &[Self]) -> Result<String> {
        python_json::to_string(params)
    }
}

fn read_list(text: &str) -> Result<Vec<Value>> {
    if text.len() > JSON_BYTES_MAX {
        return Err(Error::schema(format!(
            "{} bytes of JSON, the limit is {JSON_BYTES_MAX}",
            text.len()
        )));
    }
    let value: Value =
        serde_json::from_str(text).map_err(|error| Error::schema(format!("not JSON: {error}")))?;
    let Value::Array(entries) = value else {
        return Err(Error::schema(format!("expected a JSON list, found {}", brief(&value))));
    };
    if entries.len() > COLUMNS_MAX {
        return Err(Error::schema(format!(
            "{} entries, the limit is {COLUMNS_MAX}",
            entries.len()
        )));
    }
    Ok(entries)
}

fn type_name(value: &Value) -> Option<&str> {
    value.get("type").and_then(Value::as_str)
}

fn read_column(value: &Value) -> Result<ColSpec> {
    let name = match value.get("name") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name.clone()),
        // Python writes the integer names of a DataFrame's default columns as numbers.
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(other) => {
            return Err(Error::schema(format!("a column's name is text, found {}", brief(other))));
        }
    };
    let data_type = read_type(value, 0).map_err(|error| match &name {
        Some(name) => Error::schema(format!("column {name:?}: {error}")),
        None => error,
    })?;
    Ok(ColSpec { name, data_type, required: read_required(value)? })
}

fn read_required(value: &Value) -> Result<bool> {
    match value.get("required") {
        None => Ok(true),
        Some(Value::Bool(required)) => Ok(*required),
        // Python's reader passes None on for arrays and objects that do not say.
        Some(Value::Null) => Ok(false),
        Some(other) => {
            Err(Error::schema(format!("\"required\" is true or false, found {}", brief(other))))
        }
    }
}

fn read_type(value: &Value, depth: usize) -> Result<DataType> {
    if depth > NESTING_MAX {
        return Err(Error::schema(format!("types are nested more than {NESTING_MAX} deep")));
    }
    let Some(name) = type_name(value) else {
        return Err(Error::schema(format!("no \"type\" in {}", brief(value))));
    };
    let part = |key: &str| {
        value.get(key).ok_or_else(|| Error::schema(format!("no {key:?} in {} type", brief(value))))
    };
    Ok(match name {
        "array" => DataType::Array(Box::new(read_type(part("items")?, depth + 1)?)),
        "map" => DataType::Map(Box::new(read_type(part("values")?, depth + 1)?)),
        "any" => DataType::Any,
        // A Spark ML vector is an array of doubles to everybody but Spark.
        "sparkml_vector" => DataType::Array(Box::new(DataType::Double)),
        "object" => {
            let Value::Object(properties) = part("properties")? else {
                return Err(Error::schema("\"properties\" of an object type is not an object"));
            };
            if properties.is_empty() {
                return Err(Error::schema("an object type needs at least one property"));
            }
            // Sorted by name, as upstream's constructor does.
            let sorted: BTreeMap<&String, &Value> = properties.iter().collect();
            let properties = sorted.into_iter().map(|(name, property)| {
                let kind = read_type(property, depth + 1)
                    .map_err(|error| Error::schema(format!("property {name:?}: {error}")))?;
                Ok((name.clone(), kind, read_required(property)?))
            });
            DataType::Object(properties.collect::<Result<_>>()?)
        }
        scalar => DataType::from_scalar_name(scalar).ok_or_else(|| {
            Error::schema(format!(
                "unknown type {scalar:?}; known are boolean, integer, long, float, double, \
                 string, binary, datetime, array, object, map, any, tensor"
            ))
        })?,
    })
}

fn read_tensor(value: &Value) -> Result<TensorSpec> {
    #[derive(Deserialize)]
    struct Entry {
        #[serde(default)]
        name: Option<String>,
        #[serde(rename = "tensor-spec")]
        tensor: Info,
    }
    #[derive(Deserialize)]
    struct Info {
        dtype: String,
        shape: Vec<i64>,
    }
    let entry = Entry::deserialize(value)
        .map_err(|error| Error::schema(format!("tensor {}: {error}", brief(value))))?;
    if entry.tensor.shape.len() > DIMENSIONS_MAX {
        return Err(Error::schema(format!(
            "a tensor has {} dimensions, the limit is {DIMENSIONS_MAX}",
            entry.tensor.shape.len()
        )));
    }
    if let Some(bad) = entry.tensor.shape.iter().find(|&&dimension| dimension < -1) {
        return Err(Error::schema(format!("a tensor has the dimension {bad}; -1 means any")));
    }
    Ok(TensorSpec { name: entry.name, dtype: entry.tensor.dtype, shape: entry.tensor.shape })
}

fn read_param(value: &Value) -> Result<ParamSpec> {
    let Some(name) = value.get("name").and_then(Value::as_str) else {
        return Err(Error::schema(format!("no \"name\" in param {}", brief(value))));
    };
    let within = |error: Error| Error::schema(format!("param {name:?}: {error}"));
    let Some(default) = value.get("default") else {
        return Err(within(Error::schema("no \"default\"")));
    };
    // Older versions wrote "dtype".
    let data_type = match (value.get("type"), value.get("dtype").and_then(Value::as_str)) {
        (None, Some(kind)) => DataType::from_scalar_name(kind)
            .ok_or_else(|| Error::schema(format!("unknown type {kind:?}"))),
        _ => read_type(value, 0),
    }
    .map_err(within)?;
    if matches!(data_type, DataType::Array(_) | DataType::Map(_) | DataType::Any | DataType::Binary)
    {
        return Err(within(Error::schema(format!("a param cannot be of type {data_type}"))));
    }
    let shape: Option<Vec<i64>> = match value.get("shape") {
        None | Some(Value::Null) => None,
        Some(shape) => Some(
            Vec::deserialize(shape)
                .map_err(|error| within(Error::schema(format!("shape: {error}"))))?,
        ),
    };
    if shape.as_deref().is_some_and(|shape| shape != [-1]) {
        return Err(within(Error::schema("the shape of a param is null or [-1]")));
    }
    Ok(ParamSpec { name: name.to_owned(), data_type, default: default.clone(), shape })
}

/// The value for a message, at most 80 characters of it.
fn brief(value: &Value) -> String {
    const SHOWN_MAX: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

impl Serialize for ColSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        write_type(&mut map, &self.data_type)?;
        if let Some(name) = &self.name {
            map.serialize_entry("name", name)?;
        }
        map.serialize_entry("required", &self.required)?;
        map.end()
    }
}

impl Serialize for TensorSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Info<'a> {
            dtype: &'a str,
            shape: &'a [i64],
        }
        let mut map = serializer.serialize_map(None)?;
        if let Some(name) = &self.name {
            map.serialize_entry("name", name)?;
        }
        map.serialize_entry("type", "tensor")?;
        map.serialize_entry("tensor-spec", &Info { dtype: &self.dtype, shape: &self.shape })?;
        map.end()
    }
}

impl Serialize for ParamSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("default", &self.default)?;
        map.serialize_entry("shape", &self.shape)?;
        write_type(&mut map, &self.data_type)?;
        map.end()
    }
}

/// The entries `type` and `items`, `properties` or `values` of a type.
fn write_type<M: SerializeMap>(map: &mut M, kind: &DataType) -> Result<(), M::Error> {
    match kind {
        DataType::Array(items) => {
            map.serialize_entry("type", "array")?;
            map.serialize_entry("items", &TypeOnly(items))
        }
        DataType::Map(values) => {
            map.serialize_entry("type", "map")?;
            map.serialize_entry("values", &TypeOnly(values))
        }
        DataType::Object(properties) => {
            map.serialize_entry("type", "object")?;
            map.serialize_entry("properties", &Properties(properties))
        }
        DataType::Any => map.serialize_entry("type", "any"),
        scalar => map.serialize_entry("type", scalar.scalar_name().unwrap_or_default()),
    }
}

struct TypeOnly<'a>(&'a DataType);

impl Serialize for TypeOnly<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        write_type(&mut map, self.0)?;
        map.end()
    }
}

struct Properties<'a>(&'a [(String, DataType, bool)]);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Property<'a>(&'a DataType, bool);
        impl Serialize for Property<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                write_type(&mut map, self.0)?;
                map.serialize_entry("required", &self.1)?;
                map.end()
            }
        }
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort_by(|left, right| left.0.cmp(&right.0));
        let mut map = serializer.serialize_map(Some(sorted.len()))?;
        for (name, kind, required) in sorted {
            map.serialize_entry(name, &Property(kind, *required))?;
        }
        map.end()
    }
}
