//! JSON bodies of MLflow's scoring protocol and of `/predict`: which form the data has, and the params.

use serde_json::Value;
use trainyard_base::json::{Kind, Reader};

use crate::enforce::protocol::Protocol;
use crate::enforce::request::{Request, Result, refuse};
use crate::enforce::{names, params};
use crate::model::ParamSpec;

/// The keys that hold the data in MLflow's protocol, in the order upstream prints them.
pub(crate) const FORMATS: [&str; 4] =
    ["dataframe_records", "inputs", "instances", "dataframe_split"];

/// What upstream says first when there is not exactly one of [`FORMATS`].
const EXACTLY_ONE: &str = "The input must be a JSON dictionary with exactly one of the input \
                           fields {'dataframe_records', 'inputs', 'instances', 'dataframe_split'}.";

/// Reads the body and returns the params it gives.
pub(crate) fn read(
    request: &mut Request<'_>,
    reader: &mut Reader<'_>,
    protocol: Protocol,
    specs: &[ParamSpec],
) -> Result<Option<Value>> {
    let kind = reader.kind()?;
    match (protocol, kind) {
        (_, Kind::Object) => {}
        (Protocol::Predict, Kind::Array) => {
            read_list(request, reader)?;
            return Ok(None);
        }
        (_, Kind::Array) => {
            reader.skip()?;
            return refuse(format!("Invalid input. {EXACTLY_ONE} Received a list."));
        }
        (_, other) => {
            let whole = other == Kind::Number && !reader.clone().skip()?.contains(['.', 'e', 'E']);
            let name = if whole { "int" } else { other.python() };
            return refuse(format!(
                "Invalid input. {EXACTLY_ONE} Received unexpected input type '<class '{name}'>'."
            ));
        }
    }
    let start = reader.position();
    let mut params = None;
    let mut formats: Vec<&'static str> = Vec::new();
    let mut bare_columns = false;
    let mut more = reader.object_start()?;
    while more {
        let key = reader.key()?;
        let is_column = protocol == Protocol::Predict
            && request.plan.named
            && request.plan.lookup(&key, 0).is_some();
        match FORMATS.iter().find(|format| **format == key) {
            Some(format) if !is_column => {
                formats.push(format);
                if formats.len() == 1 {
                    read_format(request, reader, format, protocol)?;
                } else {
                    reader.skip()?;
                }
            }
            _ if is_column => {
                bare_columns = true;
                request.column(&key, reader)?;
            }
            _ if key == "params" => params = Some(params::read(specs, reader)?),
            _ if protocol == Protocol::Predict && key == "data" && formats.is_empty() => {
                // A split without its key around it: read the whole object as one.
                reader.seek(start);
                request.split(reader)?;
                return Ok(params);
            }
            _ if protocol == Protocol::Predict => {
                request.note_extra(&key);
                reader.skip()?;
            }
            _ => {
                reader.skip()?;
            }
        }
        more = reader.object_next()?;
    }
    if formats.len() == 1 && !bare_columns {
        return Ok(params);
    }
    if protocol == Protocol::Predict && formats.is_empty() {
        request.columns_end()?;
        return Ok(params);
    }
    refuse(format!(
        "{EXACTLY_ONE} Received dictionary with input fields: {}.",
        names::list_text(&formats)
    ))
}

fn read_format(
    request: &mut Request<'_>,
    reader: &mut Reader<'_>,
    format: &str,
    protocol: Protocol,
) -> Result<()> {
    match format {
        "dataframe_split" => request.split(reader),
        "dataframe_records" => request.records(reader),
        _ => {
            request.frame = false;
            request.context.base64 = protocol == Protocol::Predict;
            match reader.kind()? {
                Kind::Array => read_list(request, reader),
                Kind::Object if !request.plan.named => {
                    reader.skip()?;
                    refuse(
                        "Invalid input. Failed to parse input data. This model contains an \
                         un-named  model signature which expects a single n-dimensional array or \
                         a single value as input, however, an input of type <class 'dict'> was \
                         found.",
                    )
                }
                Kind::Object => {
                    let mut more = reader.object_start()?;
                    while more {
                        let key = reader.key()?;
                        request.column(&key, reader)?;
                        more = reader.object_next()?;
                    }
                    request.columns_end()
                }
                _ => request.array(reader),
            }
        }
    }
}

/// A list: of records when its first element is one, else of values without names.
fn read_list(request: &mut Request<'_>, reader: &mut Reader<'_>) -> Result<()> {
    let mut ahead = reader.clone();
    if ahead.array_start()? && ahead.kind()? == Kind::Object {
        return request.records(reader);
    }
    request.array(reader)
}
