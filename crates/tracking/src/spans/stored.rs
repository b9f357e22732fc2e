//! Spans as they are stored, by this program or by upstream: what answers and sums need of them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use super::any_value::{Entry, Plain};
use super::meaning::{COST, USAGE};
use super::otlp::{KeyValue, Value};

/// The attributes with the numbers of tokens and costs.
pub(crate) const NUMBERS: [&str; 2] = [USAGE, COST];

/// A stored span.
#[derive(Debug, serde::Deserialize)]
struct Stored {
    trace_id: String,
    span_id: String,
    #[serde(default)]
    parent_span_id: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    start_time_unix_nano: Option<u64>,
    #[serde(default)]
    end_time_unix_nano: Option<u64>,
    #[serde(default)]
    events: Vec<StoredEvent>,
    #[serde(default)]
    status: StoredStatus,
    #[serde(default)]
    attributes: Members,
    #[serde(default)]
    links: Vec<StoredLink>,
}

#[derive(Debug, serde::Deserialize)]
struct StoredEvent {
    #[serde(default)]
    name: String,
    #[serde(default)]
    time_unix_nano: Option<u64>,
    #[serde(default)]
    attributes: Option<Members>,
}

#[derive(Debug, Default, serde::Deserialize)]
struct StoredStatus {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
struct StoredLink {
    trace_id: String,
    span_id: String,
    #[serde(default)]
    attributes: Option<Members>,
}

/// The members of an object, in their order.
#[derive(Debug, Default)]
struct Members(Vec<KeyValue>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members, A::Error> {
        let mut values = Vec::new();
        while let Some((key, Plain(value))) = members.next_entry::<String, Plain>()? {
            values.push(KeyValue { key, value: Some(value) });
        }
        Ok(Members(values))
    }
}

/// A stored span in the JSON of protobuf; none if it is not what it should be.
pub(crate) fn wire(content: &str) -> Option<Box<RawValue>> {
    let mut stored: Stored = serde_json::from_str(content).ok()?;
    for attribute in &mut stored.attributes.0 {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
        let Some(Value::String(text)) = value else { continue };
        // Each attribute is a JSON text; what is none stays as it is.
        if let Ok(Plain(value)) = serde_json::from_str::<Plain>(text) {
            attribute.value = Some(value);
        }
    }
    serde_json::value::to_raw_value(&Wire(&stored)).ok()
}

/// The numbers of tokens and costs of a stored span.
pub(crate) fn numbers(content: &str) -> (Option<serde_json::Value>, Option<serde_json::Value>) {
    #[derive(serde::Deserialize)]
    struct Attributed {
        #[serde(default)]
        attributes: serde_json::Map<String, serde_json::Value>,
    }
    let Ok(Attributed { attributes }) = serde_json::from_str(content) else { return (None, None) };
    let object = |key: &str| {
        let value = match attributes.get(key)? {
            serde_json::Value::String(text) => serde_json::from_str(text).ok()?,
            value => value.clone(),
        };
        value.is_object().then_some(value)
    };
    (object(USAGE), object(COST))
}

struct Wire<'a>(&'a Stored);

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let span = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("trace_id", &span.trace_id)?;
        map.serialize_entry("span_id", &span.span_id)?;
        if let Some(parent) = span.parent_span_id.as_ref().filter(|parent| !parent.is_empty()) {
            map.serialize_entry("parent_span_id", parent)?;
        }
        map.serialize_entry("name", &span.name)?;
        if let Some(start) = span.start_time_unix_nano {
            map.serialize_entry("start_time_unix_nano", &start)?;
        }
        if let Some(end) = span.end_time_unix_nano.filter(|end| *end > 0) {
            map.serialize_entry("end_time_unix_nano", &end)?;
        }
        serialize_attributes(&mut map, &span.attributes)?;
        if !span.events.is_empty() {
            let events: Vec<WireEvent<'_>> = span.events.iter().map(WireEvent).collect();
            map.serialize_entry("events", &events)?;
        }
        if !span.links.is_empty() {
            let links: Vec<WireLink<'_>> = span.links.iter().filter_map(WireLink::of).collect();
            map.serialize_entry("links", &links)?;
        }
        map.serialize_entry("status", &WireStatus(&span.status))?;
        map.end()
    }
}

fn serialize_attributes<M: serde::ser::SerializeMap>(
    map: &mut M,
    attributes: &Members,
) -> Result<(), M::Error> {
    if attributes.0.is_empty() {
        return Ok(());
    }
    let entries: Vec<Entry<'_>> = attributes.0.iter().map(Entry).collect();
    map.serialize_entry("attributes", &entries)
}

struct WireEvent<'a>(&'a StoredEvent);

impl Serialize for WireEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(time) = self.0.time_unix_nano {
            map.serialize_entry("time_unix_nano", &time)?;
        }
        map.serialize_entry("name", &self.0.name)?;
        if let Some(attributes) = &self.0.attributes {
            serialize_attributes(&mut map, attributes)?;
        }
        map.end()
    }
}

/// A link, whose ids are base64 on the wire and hex digits where they are stored.
struct WireLink<'a> {
    trace_id: String,
    span_id: String,
    attributes: Option<&'a Members>,
}

impl<'a> WireLink<'a> {
    fn of(link: &'a StoredLink) -> Option<Self> {
        use base64::Engine as _;

        let encoded = |digits: &str| {
            let bytes = hex::decode(digits).ok()?;
            Some(base64::engine::general_purpose::STANDARD.encode(bytes))
        };
        let trace = link.trace_id.rsplit('/').next().unwrap_or_default();
        Some(Self {
            trace_id: encoded(trace.strip_prefix("tr-").unwrap_or(trace))?,
            span_id: encoded(&link.span_id)?,
            attributes: link.attributes.as_ref(),
        })
    }
}

impl Serialize for WireLink<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("trace_id", &self.trace_id)?;
        map.serialize_entry("span_id", &self.span_id)?;
        if let Some(attributes) = self.attributes {
            serialize_attributes(&mut map, attributes)?;
        }
        map.end()
    }
}

struct WireStatus<'a>(&'a StoredStatus);

impl Serialize for WireStatus<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(message) = self.0.message.as_ref().filter(|message| !message.is_empty()) {
            map.serialize_entry("message", message)?;
        }
        // One version of upstream stored the short names.
        let code = match self.0.code.as_str() {
            "OK" | "STATUS_CODE_OK" => Some("STATUS_CODE_OK"),
            "ERROR" | "STATUS_CODE_ERROR" => Some("STATUS_CODE_ERROR"),
            _ => None,
        };
        if let Some(code) = code {
            map.serialize_entry("code", code)?;
        }
        map.end()
    }
}
