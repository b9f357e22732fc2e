//! Assessments as they travel.

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Value, json};
use trainyard_mlflow::entities::{
    Assessment, AssessmentError, AssessmentSource, AssessmentValue, KeyValue,
};
use trainyard_mlflow::{Error, Result};

use super::members::{map, member, text, time, time_text};
use crate::error::invalid;

/// Longest stack trace of an answer, in characters.
const STACK_TRACE_MAX: usize = 1_000;
const CUT: &str = "[Stack trace is truncated]\n...\n";
/// Longest name of an assessment: the size of its column.
const NAME_MAX: usize = 250;

/// What a client says of a trace.
pub(super) fn read(value: &Value) -> Result<Assessment> {
    let name = text(value, "assessment_name")?.unwrap_or_default();
    if name.chars().nth(NAME_MAX).is_some() {
        return invalid!("'assessment_name' exceeds the maximum length of {NAME_MAX} characters");
    }
    let said = said(value)?;
    let Some(said) = said else { return invalid!("Unknown assessment type: None") };
    Ok(Assessment {
        assessment_id: text(value, "assessment_id")?.unwrap_or_default(),
        trace_id: text(value, "trace_id")?.unwrap_or_default(),
        name,
        source: source(member(value, "source").unwrap_or(&Value::Null))?,
        value: said,
        create_time: time(value, "create_time")?.unwrap_or_default(),
        last_update_time: time(value, "last_update_time")?.unwrap_or_default(),
        span_id: text(value, "span_id")?,
        rationale: text(value, "rationale")?,
        metadata: map(value, "metadata")?,
        overrides: text(value, "overrides")?,
        valid: true,
    })
}

/// The value of what a client says; none if there is none.
pub(super) fn said(value: &Value) -> Result<Option<AssessmentValue>> {
    if let Some(expectation) = member(value, "expectation") {
        let serialized = member(expectation, "serialized_value");
        let plain = match serialized {
            Some(serialized) => {
                let json = text(serialized, "value")?.unwrap_or_default();
                serde_json::from_str(&json).map_err(|error| {
                    Error::invalid(format!("expectation.serialized_value is no JSON: {error}"))
                })?
            }
            None => doubles(member(expectation, "value").cloned().unwrap_or_default()),
        };
        return Ok(Some(AssessmentValue::Expectation(plain)));
    }
    if let Some(feedback) = member(value, "feedback") {
        let error = member(feedback, "error").map(|error| -> Result<AssessmentError> {
            Ok(AssessmentError {
                error_code: text(error, "error_code")?.unwrap_or_default(),
                error_message: text(error, "error_message")?,
                stack_trace: text(error, "stack_trace")?,
            })
        });
        return Ok(Some(AssessmentValue::Feedback {
            value: doubles(member(feedback, "value").cloned().unwrap_or_default()),
            error: error.transpose()?,
        }));
    }
    let Some(issue) = member(value, "issue") else { return Ok(None) };
    Ok(Some(AssessmentValue::Issue { issue_name: text(issue, "issue_name")? }))
}

fn source(value: &Value) -> Result<AssessmentSource> {
    let source_type = match member(value, "source_type") {
        None => "SOURCE_TYPE_UNSPECIFIED",
        Some(Value::String(name)) => match name.as_str() {
            "LLM_JUDGE" | "AI_JUDGE" => "LLM_JUDGE",
            "HUMAN" => "HUMAN",
            "CODE" => "CODE",
            _ => "SOURCE_TYPE_UNSPECIFIED",
        },
        Some(number) => match number.as_i64() {
            Some(1) => "HUMAN",
            Some(2) => "LLM_JUDGE",
            Some(3) => "CODE",
            _ => "SOURCE_TYPE_UNSPECIFIED",
        },
    };
    Ok(AssessmentSource {
        source_type: source_type.to_owned(),
        source_id: text(value, "source_id")?,
    })
}

/// Protobuf knows one kind of numbers.
fn doubles(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.into_iter().map(doubles).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(key, value)| (key, doubles(value))).collect()
        }
        value => value,
    }
}

/// An assessment in an answer.
pub(super) struct AssessmentWire<'a>(pub(super) &'a Assessment);

impl Serialize for AssessmentWire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Assessment { assessment_id, trace_id, name, source, value, .. } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("assessment_id", assessment_id)?;
        map.serialize_entry("assessment_name", name)?;
        map.serialize_entry("trace_id", trace_id)?;
        if let Some(span_id) = &self.0.span_id {
            map.serialize_entry("span_id", span_id)?;
        }
        let mut source_json = json!({ "source_type": source.source_type });
        if let Some(id) = &source.source_id {
            source_json["source_id"] = id.as_str().into();
        }
        map.serialize_entry("source", &source_json)?;
        map.serialize_entry("create_time", &time_text(self.0.create_time))?;
        map.serialize_entry("last_update_time", &time_text(self.0.last_update_time))?;
        match value {
            AssessmentValue::Feedback { value, error } => {
                let mut feedback = json!({ "value": value });
                if let Some(error) = error {
                    feedback["error"] = error_json(error);
                }
                map.serialize_entry("feedback", &feedback)?;
            }
            AssessmentValue::Expectation(value) => {
                map.serialize_entry("expectation", &expectation_json(value))?;
            }
            AssessmentValue::Issue { issue_name } => {
                let issue = issue_name
                    .as_ref()
                    .map_or_else(|| json!({}), |name| json!({ "issue_name": name }));
                map.serialize_entry("issue", &issue)?;
            }
        }
        if let Some(rationale) = &self.0.rationale {
            map.serialize_entry("rationale", rationale)?;
        }
        if !self.0.metadata.is_empty() {
            map.serialize_entry("metadata", &Entries(&self.0.metadata, usize::MAX, usize::MAX))?;
        }
        if let Some(overrides) = &self.0.overrides {
            map.serialize_entry("overrides", overrides)?;
        }
        map.serialize_entry("valid", &self.0.valid)?;
        map.end()
    }
}

fn error_json(error: &AssessmentError) -> Value {
    let mut json = json!({ "error_code": error.error_code });
    if let Some(message) = &error.error_message {
        json["error_message"] = message.as_str().into();
    }
    if let Some(stack) = &error.stack_trace {
        let count = stack.chars().count();
        json["stack_trace"] = if count > STACK_TRACE_MAX {
            let kept = STACK_TRACE_MAX - CUT.len();
            let end: String = stack.chars().skip(count - kept).collect();
            format!("{CUT}{end}").into()
        } else {
            stack.as_str().into()
        };
    }
    json
}

/// Only plain values travel as they are.
fn expectation_json(value: &Value) -> Value {
    if value.is_array() || value.is_object() {
        let text = crate::store::python::spaced_json(value).unwrap_or_default();
        return json!({
            "serialized_value": { "serialization_format": "JSON_FORMAT", "value": text }
        });
    }
    json!({ "value": value })
}

/// Keys and values as an object, each cut to so many characters.
pub(super) struct Entries<'a>(pub(super) &'a [KeyValue], pub(super) usize, pub(super) usize);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(entries, key_max, value_max) = self;
        let mut map = serializer.serialize_map(Some(entries.len()))?;
        for entry in *entries {
            map.serialize_entry(cut(&entry.key, *key_max), cut(&entry.value, *value_max))?;
        }
        map.end()
    }
}

/// The first characters of a text.
pub(super) fn cut(text: &str, characters: usize) -> &str {
    match text.char_indices().nth(characters) {
        Some((end, _character)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}
