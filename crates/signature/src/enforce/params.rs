//! Inference params against their part of the signature.

use serde_json::{Map, Value};
use trainyard_base::json::{Kind, Reader};

use super::rejection::{Rejection, Step, Violation, shorten};
use super::request::{Result as Read, Stop};
use crate::model::{DataType, ParamSpec};

/// Bytes of one param: a list of stop words is long, a table is no param.
const PARAM_BYTES_MAX: usize = 1 << 20;

/// Reads the params of a request that the signature knows; others are read past.
pub(crate) fn read(specs: &[ParamSpec], reader: &mut Reader<'_>) -> Read<Value> {
    match reader.kind()? {
        Kind::Object => {}
        // Only its type is told.
        Kind::Array => {
            reader.skip()?;
            return Ok(Value::Array(Vec::new()));
        }
        Kind::Text => {
            reader.skip()?;
            return Ok(Value::String(String::new()));
        }
        _ => return Ok(reader.value()?),
    }
    let mut params = Map::new();
    let mut more = reader.object_start()?;
    while more {
        let key = reader.key()?;
        let start = reader.position();
        let length = reader.skip()?.len();
        if specs.iter().any(|spec| spec.name == key) {
            if length > PARAM_BYTES_MAX {
                let message = format!("the param '{key}' is larger than {PARAM_BYTES_MAX} bytes");
                return Err(Stop::Rejected(Rejection::whole(Step::Params, message)));
            }
            reader.seek(start);
            params.insert(key.into_owned(), reader.value()?);
        }
        more = reader.object_next()?;
    }
    Ok(Value::Object(params))
}

/// The params of a request with the defaults of those it does not give, in the order of the
/// signature. Unknown ones are ignored, as upstream does. Without specs there are none.
pub(crate) fn enforce(
    specs: &[ParamSpec],
    given: Option<Value>,
) -> Result<Map<String, Value>, Rejection> {
    let mut given = match given {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(given)) => given,
        Some(other) => {
            let kind = python_type(&other);
            let message = format!("Parameters must be a dictionary. Got type '{kind}'.");
            return Err(Rejection::whole(Step::Params, message));
        }
    };
    let mut params = Map::new();
    let mut violations = Vec::new();
    for spec in specs {
        let value = match given.remove(&spec.name) {
            None => spec.default.clone(),
            Some(value) => match check(spec, value) {
                Ok(value) => value,
                Err((value, problem)) => {
                    violations.push(Violation {
                        column: Some(spec.name.clone()),
                        row: None,
                        value: Some(shorten(&value.to_string())),
                        expected: Some(spec.data_type.to_string()),
                        problem,
                    });
                    continue;
                }
            },
        };
        params.insert(spec.name.clone(), value);
    }
    if violations.is_empty() {
        return Ok(params);
    }
    let listed: Vec<String> = violations
        .iter()
        .map(|v| format!("('{}', \"{}\")", v.column.as_deref().unwrap_or_default(), v.problem))
        .collect();
    Err(Rejection {
        step: Step::Params,
        message: format!("Invalid parameters found: {{{}}}", listed.join(", ")),
        violations_total: violations.len(),
        violations,
    })
}

type Checked = Result<Value, (Value, String)>;

fn check(spec: &ParamSpec, value: Value) -> Checked {
    // Upstream lets every param be null that is not a list.
    if value.is_null() && spec.shape.is_none() {
        return Ok(value);
    }
    let header = || {
        let shape = if spec.shape.is_some() { " (shape: (-1,))" } else { "" };
        format!(
            "'{}': {} (default: {}){shape}",
            spec.name,
            spec.data_type,
            python(&spec.default, false)
        )
    };
    let prefix = || format!("Failed to validate type and shape for {}, error: ", header());
    match (&spec.shape, value) {
        (None, Value::Array(items)) => {
            let value = Value::Array(items);
            let problem = format!(
                "{}Value must be a scalar for type `DataType.{}`, got `{value}`",
                prefix(),
                spec.data_type
            );
            Err((value, problem))
        }
        (None, value) => convert(&spec.data_type, value).map_err(|(value, problem)| {
            let problem = format!("{}{problem}", prefix());
            (value, problem)
        }),
        (Some(_), Value::Array(items)) => {
            let mut converted = Vec::with_capacity(items.len());
            for item in items {
                match convert(&spec.data_type, item) {
                    Ok(item) => converted.push(item),
                    Err((item, problem)) => return Err((item, format!("{}{problem}", prefix()))),
                }
            }
            Ok(Value::Array(converted))
        }
        (Some(_), value) => {
            let problem = format!(
                "Value must be a 1D array with shape (-1,) for param {}, received {} with ndim 0",
                header(),
                python_type(&value)
            );
            Err((value, problem))
        }
    }
}

/// What upstream converts: whole numbers to wider numbers, floats to doubles, text to dates.
fn convert(data_type: &DataType, value: Value) -> Checked {
    let fits = match (data_type, &value) {
        (DataType::Boolean, Value::Bool(_))
        | (DataType::String, Value::String(_))
        | (DataType::Float | DataType::Double, Value::Number(_))
        | (DataType::Any, _)
        | (DataType::Object(_) | DataType::Map(_), Value::Object(_))
        | (DataType::Array(_), Value::Array(_)) => true,
        (DataType::Integer, Value::Number(number)) => {
            number.as_i64().is_some_and(|value| i32::try_from(value).is_ok())
        }
        (DataType::Long, Value::Number(number)) => number.is_i64(),
        (DataType::Datetime, Value::String(text)) => {
            use super::datetime::{Datetime, parse};
            matches!(parse(text), Datetime::Nanoseconds(_))
        }
        _ => false,
    };
    if fits {
        return Ok(match (data_type, value) {
            (DataType::Float | DataType::Double, Value::Number(number)) => {
                number.as_f64().map_or(Value::Null, Value::from)
            }
            (_, value) => value,
        });
    }
    let kind = python_type(&value);
    let shown = match &value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let to = data_type.to_string();
    let problem = if *data_type == DataType::Datetime {
        format!("Failed to convert value `{shown}` from type `<class '{kind}'>` to `DataType.{to}`")
    } else {
        format!("Can not safely convert `<class '{kind}'>` to `DataType.{to}` for value `{shown}`")
    };
    Err((value, problem))
}

/// A value as Python prints it; `quoted` is for texts within lists.
fn python(value: &Value, quoted: bool) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) if quoted => format!("'{text}'"),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| python(item, true)).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}
