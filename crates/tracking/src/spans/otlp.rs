//! OpenTelemetry's messages of spans, with the field numbers of its published format
//! (`opentelemetry/proto/trace/v1/trace.proto`), and how its JSON form is read.
//!
//! Written by hand, so that no protobuf compiler is needed; fields that MLflow does not store are skipped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

/// What a program sends.
#[derive(Clone, PartialEq, ::prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, ::prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    pub(crate) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) scope_spans: Vec<ScopeSpans>,
}

/// The program.
#[derive(Clone, PartialEq, ::prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub(crate) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, ::prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    pub(crate) spans: Vec<Span>,
}

#[derive(Clone, PartialEq, ::prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Span {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    #[serde(deserialize_with = "hex_digits")]
    pub(crate) trace_id: Vec<u8>,
    /// 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    #[serde(rename = "spanId", deserialize_with = "hex_digits")]
    pub(crate) id: Vec<u8>,
    /// None of the root.
    #[prost(bytes = "vec", tag = "4")]
    #[serde(deserialize_with = "hex_digits")]
    pub(crate) parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(crate) name: String,
    #[prost(fixed64, tag = "7")]
    #[serde(deserialize_with = "whole")]
    pub(crate) start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    #[serde(deserialize_with = "whole")]
    pub(crate) end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    pub(crate) attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) events: Vec<Event>,
    #[prost(message, repeated, tag = "13")]
    pub(crate) links: Vec<Link>,
    #[prost(message, optional, tag = "15")]
    pub(crate) status: Option<Status>,
}

#[derive(Clone, PartialEq, ::prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Event {
    #[prost(fixed64, tag = "1")]
    #[serde(deserialize_with = "whole")]
    pub(crate) time_unix_nano: u64,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, ::prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Link {
    #[prost(bytes = "vec", tag = "1")]
    #[serde(deserialize_with = "hex_digits")]
    pub(crate) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    #[serde(deserialize_with = "hex_digits")]
    pub(crate) span_id: Vec<u8>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, ::prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Status {
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    /// 1 is OK, 2 is ERROR.
    #[prost(int32, tag = "3")]
    #[serde(deserialize_with = "status_code")]
    pub(crate) code: i32,
}

#[derive(Clone, PartialEq, ::prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) value: Option<AnyValue>,
}

/// A value of any type; none is null.
#[derive(Clone, PartialEq, ::prost::Message, Deserialize)]
#[serde(from = "JsonAnyValue")]
pub(crate) struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub(crate) value: Option<Value>,
}

#[derive(Clone, PartialEq, ::prost::Oneof)]
pub(crate) enum Value {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    Object(KeyValueList),
    #[prost(bytes = "vec", tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, ::prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    pub(crate) values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, ::prost::Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct KeyValueList {
    #[prost(message, repeated, tag = "1")]
    pub(crate) values: Vec<KeyValue>,
}

/// An [`AnyValue`] in JSON: an object with one of these.
#[derive(Default, Deserialize)]
#[serde(default)]
struct JsonAnyValue {
    #[serde(rename = "stringValue")]
    string: Option<String>,
    #[serde(rename = "boolValue")]
    bool: Option<bool>,
    #[serde(rename = "intValue")]
    int: Option<Json>,
    #[serde(rename = "doubleValue")]
    double: Option<Json>,
    #[serde(rename = "arrayValue")]
    array: Option<ArrayValue>,
    #[serde(rename = "kvlistValue")]
    object: Option<KeyValueList>,
    #[serde(rename = "bytesValue")]
    bytes: Option<String>,
}

impl From<JsonAnyValue> for AnyValue {
    fn from(json: JsonAnyValue) -> Self {
        let bytes = |text: String| STANDARD.decode(text).ok().map(Value::Bytes);
        let value = json
            .string
            .map(Value::String)
            .or(json.bool.map(Value::Bool))
            .or(json.int.as_ref().and_then(int).map(Value::Int))
            .or(json.double.as_ref().and_then(double).map(Value::Double))
            .or(json.array.map(Value::Array))
            .or(json.object.map(Value::Object))
            .or_else(|| json.bytes.and_then(bytes));
        Self { value }
    }
}

fn int(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn double(value: &Json) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// Ids are hex digits in this form.
fn hex_digits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    hex::decode(text).map_err(D::Error::custom)
}

/// A whole number, which may be a text.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = Json::deserialize(deserializer)?;
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.ok_or_else(|| D::Error::custom("a time is no whole number"))
}

/// The number or the name of a code.
fn status_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    Ok(match Json::deserialize(deserializer)? {
        Json::String(name) => match name.as_str() {
            "STATUS_CODE_OK" => 1,
            "STATUS_CODE_ERROR" => 2,
            _ => 0,
        },
        number => number.as_i64().and_then(|code| i32::try_from(code).ok()).unwrap_or_default(),
    })
}
