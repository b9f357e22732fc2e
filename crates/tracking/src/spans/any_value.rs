//! Values of attributes: as JSON text with its members in their order, and in the JSON of protobuf.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::otlp::{AnyValue, ArrayValue, KeyValue, KeyValueList, Value};
use crate::store::python;

/// Appends a text as JSON, with what is beyond ASCII as it is.
pub(super) fn push_text(text: &str, out: &mut String) {
    // Of a text this cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Appends a value as Python's `json.dumps(value, ensure_ascii=False)` writes it.
pub(super) fn push(value: Option<&AnyValue>, out: &mut String) {
    let Some(value) = value.and_then(|value| value.value.as_ref()) else {
        out.push_str("null");
        return;
    };
    match value {
        Value::String(text) => push_text(text, out),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Double(number) if number.is_nan() => out.push_str("NaN"),
        Value::Double(number) if number.is_infinite() => {
            out.push_str(if *number > 0.0 { "Infinity" } else { "-Infinity" });
        }
        Value::Double(number) => out.push_str(&python::float(*number)),
        Value::Array(list) => {
            out.push('[');
            for (index, item) in list.values.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                push(Some(item), out);
            }
            out.push(']');
        }
        Value::Object(list) => push_object(&list.values, out),
        Value::Bytes(bytes) => push_text(&STANDARD.encode(bytes), out),
    }
}

/// Appends attributes as an object.
pub(super) fn push_object(attributes: &[KeyValue], out: &mut String) {
    out.push('{');
    for (index, attribute) in attributes.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        push_text(&attribute.key, out);
        out.push_str(": ");
        push(attribute.value.as_ref(), out);
    }
    out.push('}');
}

/// A value as JSON text.
pub(super) fn text(value: Option<&AnyValue>) -> String {
    let mut out = String::new();
    push(value, &mut out);
    out
}

/// Plain JSON, whose objects keep the order of their members.
#[derive(Debug)]
pub(super) struct Plain(pub(super) AnyValue);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct PlainVisitor;

fn plain(value: Value) -> Plain {
    Plain(AnyValue { value: Some(value) })
}

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain(AnyValue { value: None }))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Plain, E> {
        Ok(plain(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Plain, E> {
        Ok(plain(Value::Int(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Plain, E> {
        let int = i64::try_from(value).map(Value::Int);
        Ok(plain(int.unwrap_or(Value::Double(value as f64))))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Plain, E> {
        Ok(plain(Value::Double(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Plain, E> {
        Ok(plain(Value::String(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Plain, A::Error> {
        let mut values = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            values.push(item);
        }
        Ok(plain(Value::Array(ArrayValue { values })))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Plain, A::Error> {
        let mut values = Vec::new();
        while let Some((key, Plain(value))) = members.next_entry::<String, Plain>()? {
            values.push(KeyValue { key, value: Some(value) });
        }
        Ok(plain(Value::Object(KeyValueList { values })))
    }
}

/// A value in the JSON of protobuf: `{"int_value": 5}`.
pub(super) struct Wire<'a>(pub(super) &'a AnyValue);

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.0.value {
            None => {}
            Some(Value::String(text)) => map.serialize_entry("string_value", text)?,
            Some(Value::Bool(flag)) => map.serialize_entry("bool_value", flag)?,
            Some(Value::Int(number)) => map.serialize_entry("int_value", number)?,
            Some(Value::Double(number)) if number.is_finite() => {
                map.serialize_entry("double_value", number)?;
            }
            Some(Value::Double(number)) => {
                let name = match number {
                    number if number.is_nan() => "NaN",
                    number if *number > 0.0 => "Infinity",
                    _ => "-Infinity",
                };
                map.serialize_entry("double_value", name)?;
            }
            Some(Value::Array(list)) => map.serialize_entry("array_value", &Items(list))?,
            Some(Value::Object(list)) => map.serialize_entry("kvlist_value", &Members(list))?,
            Some(Value::Bytes(bytes)) => {
                map.serialize_entry("bytes_value", &STANDARD.encode(bytes))?;
            }
        }
        map.end()
    }
}

struct Items<'a>(&'a ArrayValue);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.0.values.is_empty() {
            let items: Vec<Wire<'_>> = self.0.values.iter().map(Wire).collect();
            map.serialize_entry("values", &items)?;
        }
        map.end()
    }
}

struct Members<'a>(&'a KeyValueList);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.0.values.is_empty() {
            let members: Vec<Entry<'_>> = self.0.values.iter().map(Entry).collect();
            map.serialize_entry("values", &members)?;
        }
        map.end()
    }
}

/// An attribute in the JSON of protobuf. One without a value has a key only.
pub(super) struct Entry<'a>(pub(super) &'a KeyValue);

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("key", &self.0.key)?;
        if let Some(value) = self.0.value.as_ref().filter(|value| value.value.is_some()) {
            map.serialize_entry("value", &Wire(value))?;
        }
        map.end()
    }
}
