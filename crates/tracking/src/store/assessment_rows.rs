//! Assessments as they lie in the tables: values, errors and metadata are JSON texts.

use serde_json::{Map, Value as Json, json};
use trainyard_mlflow::Error;
use trainyard_mlflow::entities::{
    Assessment, AssessmentError, AssessmentSource, AssessmentValue, KeyValue,
};

use super::database::{Connection, Row};
use super::python;
use crate::error::Result;

/// Columns that [`read`] expects, in its order.
pub(crate) const COLUMNS: &str = "a.trace_id, a.assessment_id, a.name, a.assessment_type, a.value, \
     a.error, a.created_timestamp, a.last_updated_timestamp, a.source_type, a.source_id, a.span_id, \
     a.rationale, a.overrides, a.valid, a.assessment_metadata";

/// An assessment.
pub(crate) fn read(row: &dyn Row) -> Result<Assessment> {
    let value = parsed(row.text(4)?);
    let value = match row.text(3)? {
        Some("expectation") => AssessmentValue::Expectation(value),
        Some("issue") => AssessmentValue::Issue {
            issue_name: value.get("issue_name").and_then(Json::as_str).map(str::to_owned),
        },
        _ => AssessmentValue::Feedback { value, error: row.text(5)?.map(error_of) },
    };
    Ok(Assessment {
        trace_id: row.need_text(0)?,
        assessment_id: row.need_text(1)?,
        name: row.need_text(2)?,
        value,
        create_time: row.need_int(6)?,
        last_update_time: row.need_int(7)?,
        source: AssessmentSource {
            source_type: row.text_or_empty(8)?,
            source_id: row.optional_text(9)?,
        },
        span_id: row.optional_text(10)?,
        rationale: row.optional_text(11)?,
        overrides: row.optional_text(12)?,
        valid: row.int(13)?.unwrap_or_default() != 0,
        metadata: row.text(14)?.map(metadata_of).unwrap_or_default(),
    })
}

/// A JSON text; null if it is none.
fn parsed(text: Option<&str>) -> Json {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn metadata_of(text: &str) -> Vec<KeyValue> {
    let Json::Object(members) = parsed(Some(text)) else { return Vec::new() };
    let text = |value: Json| match value {
        Json::String(text) => text,
        value => value.to_string(),
    };
    members.into_iter().map(|(key, value)| KeyValue::new(key, text(value))).collect()
}

fn error_of(text: &str) -> AssessmentError {
    let error = parsed(Some(text));
    let part = |name: &str| error.get(name).and_then(Json::as_str).map(str::to_owned);
    AssessmentError {
        error_code: part("error_code").unwrap_or_default(),
        error_message: part("error_message"),
        stack_trace: part("stack_trace"),
    }
}

/// What the table holds of a value: its type, its text, the text of its error, and what is summed up of it with
/// whether that is a number.
pub(super) struct Stored {
    pub(super) kind: &'static str,
    pub(super) value: String,
    pub(super) error: Option<String>,
    pub(super) aggregate: Option<f64>,
    pub(super) is_number: bool,
}

/// A value as the table holds it.
pub(super) fn stored(value: &AssessmentValue) -> Result<Stored> {
    let (kind, value, error) = match value {
        AssessmentValue::Feedback { value, error } => {
            let error = error.as_ref().map(|error| {
                dumped(&json!({
                    "error_code": error.error_code,
                    "error_message": error.error_message,
                    "stack_trace": error.stack_trace,
                }))
            });
            ("feedback", value.clone(), error.transpose()?)
        }
        AssessmentValue::Expectation(value) => ("expectation", value.clone(), None),
        AssessmentValue::Issue { issue_name } => {
            ("issue", json!({ "issue_name": issue_name }), None)
        }
    };
    let (aggregate, is_number) = match &value {
        Json::Bool(flag) => (Some(f64::from(u8::from(*flag))), false),
        Json::Number(number) => (number.as_f64(), true),
        Json::String(text) => match text.trim().to_lowercase().as_str() {
            "yes" => (Some(1.0), false),
            "no" => (Some(0.0), false),
            _ => (None, false),
        },
        _ => (None, false),
    };
    Ok(Stored { kind, value: dumped(&value)?, error, aggregate, is_number })
}

/// The text of metadata; none if there are none.
pub(super) fn metadata_text(metadata: &[KeyValue]) -> Result<Option<String>> {
    if metadata.is_empty() {
        return Ok(None);
    }
    let members: Map<String, Json> =
        metadata.iter().map(|entry| (entry.key.clone(), entry.value.clone().into())).collect();
    dumped(&Json::Object(members)).map(Some)
}

fn dumped(value: &Json) -> Result<String> {
    python::spaced_json(value)
        .map_err(|error| crate::Error::database(format!("no JSON text: {error}")))
}

/// Bytes of an answer that an assessment takes, about.
pub(crate) fn size(assessment: &Assessment) -> usize {
    let value = match &assessment.value {
        AssessmentValue::Feedback { value: Json::String(text), .. }
        | AssessmentValue::Expectation(Json::String(text)) => text.len(),
        AssessmentValue::Feedback { value, .. } | AssessmentValue::Expectation(value) => {
            value.to_string().len()
        }
        AssessmentValue::Issue { .. } => 0,
    };
    let rationale = assessment.rationale.as_ref().map_or(0, String::len);
    value + rationale + super::page::size(&assessment.metadata) + 512
}

/// An assessment of a trace.
pub(crate) fn get(
    connection: &mut dyn Connection,
    trace_id: &str,
    assessment_id: &str,
) -> Result<Assessment> {
    let sql = format!(
        "SELECT {COLUMNS} FROM assessments a WHERE a.trace_id = ?1 AND a.assessment_id = ?2"
    );
    let found = connection.first(&sql, &[trace_id.into(), assessment_id.into()], read)?;
    if let Some(found) = found {
        return Ok(found);
    }
    let trace = "SELECT 1 FROM trace_info WHERE request_id = ?1";
    let message = match connection.first(trace, &[trace_id.into()], |_row| Ok(()))? {
        None => format!("Trace with request_id '{trace_id}' not found"),
        Some(()) => not_found_text(trace_id, assessment_id),
    };
    Err(Error::not_found(message).into())
}

/// The sentence for an assessment that is not there.
pub(super) fn not_found_text(trace_id: &str, assessment_id: &str) -> String {
    format!("Assessment with ID '{assessment_id}' not found for trace '{trace_id}'")
}
