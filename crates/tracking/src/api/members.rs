//! Members of JSON objects that clients spell in either way, and the times of protobuf's JSON.

use chrono::{DateTime, SecondsFormat};
use serde_json::Value;
use trainyard_mlflow::Error;
use trainyard_mlflow::entities::KeyValue;

use crate::error::invalid;

type Result<T> = std::result::Result<T, Error>;

/// A member by its snake_case name, also if it is spelt in camelCase; none if it is null.
pub(super) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let camel = || {
        let mut camel = String::with_capacity(name.len());
        for part in name.split('_') {
            let mut characters = part.chars();
            match characters.next() {
                Some(first) if !camel.is_empty() => camel.push(first.to_ascii_uppercase()),
                Some(first) => camel.push(first),
                None => {}
            }
            camel.push_str(characters.as_str());
        }
        camel
    };
    value.get(name).or_else(|| value.get(camel())).filter(|value| !value.is_null())
}

/// A text; none if it is empty or not there.
pub(super) fn text(value: &Value, name: &str) -> Result<Option<String>> {
    match member(value, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(other) => invalid!("{name} must be a text, got {other}"),
    }
}

/// A map of texts.
pub(super) fn map(value: &Value, name: &str) -> Result<Vec<KeyValue>> {
    let entries = match member(value, name) {
        None => return Ok(Vec::new()),
        Some(Value::Object(entries)) => entries,
        Some(other) => return invalid!("{name} must be an object of texts, got {other}"),
    };
    let entry = |(key, value): (&String, &Value)| match value {
        Value::String(text) => Ok(KeyValue::new(key.clone(), text.clone())),
        other => invalid!("{name}.{key} must be a text, got {other}"),
    };
    entries.iter().map(entry).collect()
}

/// A time (`2024-01-02T03:04:05.678Z`), in milliseconds since the Unix epoch.
pub(super) fn time(value: &Value, name: &str) -> Result<Option<i64>> {
    let Some(text) = text(value, name)? else { return Ok(None) };
    match DateTime::parse_from_rfc3339(&text) {
        Ok(time) => Ok(Some(time.timestamp_millis())),
        Err(error) => {
            invalid!("{name} must be a time as 2024-01-02T03:04:05Z, got '{text}': {error}")
        }
    }
}

/// A duration (`1.250s`), in milliseconds.
pub(super) fn duration(value: &Value, name: &str) -> Result<Option<i64>> {
    /// What protobuf's durations have at most, in seconds: ten thousand years.
    const SECONDS_MAX: f64 = 315_576_000_000.0;
    let Some(text) = text(value, name)? else { return Ok(None) };
    let seconds = text.strip_suffix('s').and_then(|seconds| seconds.parse::<f64>().ok());
    match seconds.filter(|seconds| seconds.abs() <= SECONDS_MAX) {
        Some(seconds) => Ok(Some((seconds * 1000.0).round() as i64)),
        None => invalid!("{name} must be a duration as 1.250s, got '{text}'"),
    }
}

/// A time as protobuf's JSON has it.
pub(super) fn time_text(millis: i64) -> String {
    let format = if millis % 1000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
    let time = DateTime::from_timestamp_millis(millis);
    time.map_or_else(
        || "1970-01-01T00:00:00Z".to_owned(),
        |time| time.to_rfc3339_opts(format, true),
    )
}

/// A duration as protobuf's JSON has it.
pub(super) fn duration_text(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let (seconds, rest) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
    if rest == 0 { format!("{sign}{seconds}s") } else { format!("{sign}{seconds}.{rest:03}s") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_go_there_and_back() {
        for (text, millis) in [
            ("2024-01-02T03:04:05Z", 1_704_164_645_000),
            ("2024-01-02T03:04:05.678Z", 1_704_164_645_678),
        ] {
            assert_eq!(time(&json!({"requestTime": text}), "request_time").unwrap(), Some(millis));
            assert_eq!(time_text(millis), text);
        }
        for (text, millis) in [("1s", 1_000), ("1.250s", 1_250), ("-0.500s", -500), ("0s", 0)] {
            assert_eq!(duration(&json!({"d": text}), "d").unwrap(), Some(millis));
            assert_eq!(duration_text(millis), text);
        }
        for bad in ["1", "xs", "1e300s"] {
            duration(&json!({"d": bad}), "d").unwrap_err();
        }
        time(&json!({"d": "yesterday"}), "d").unwrap_err();
    }

    #[test]
    fn members_are_found_in_either_spelling() {
        let value = json!({"traceMetadata": {"a": "b"}, "tags": {"n": 5}, "text": ""});
        assert_eq!(map(&value, "trace_metadata").unwrap(), [KeyValue::new("a", "b")]);
        map(&value, "tags").unwrap_err();
        assert_eq!(text(&value, "text").unwrap(), None);
    }
}
