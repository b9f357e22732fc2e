//! Traces as they travel, in the form of MLflow 3 and in the one before.

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use trainyard_mlflow::entities::{KeyValue, Trace, TraceInfo, TraceState};
use trainyard_mlflow::{Error, ErrorCode, EvaluationDatasets, Result, Scorers, Traces, Tracing};

use super::assessment_wire::{self, AssessmentWire, Entries, cut};
use super::error::ApiError;
use super::members::{duration, duration_text, map, member, text, time, time_text};
use super::state::ApiState;
use crate::error::invalid;
use crate::spans::stored;

/// Longest keys and values of metadata and tags of an answer, in characters, as upstream cuts them.
const METADATA_MAX: usize = 250;
const TAG_KEY_MAX: usize = 250;
const TAG_VALUE_MAX: usize = 4_096;

fn tracing(api: &ApiState) -> Result<&Tracing, ApiError> {
    api.tracking.tracing.as_ref().ok_or_else(|| {
        Error::api(ErrorCode::EndpointNotFound, "This server keeps no traces.").into()
    })
}

/// The traces of a server that keeps some.
pub(super) fn traces(api: &ApiState) -> Result<&dyn Traces, ApiError> {
    Ok(&*tracing(api)?.traces)
}

/// The evaluation datasets of a server that keeps some.
pub(super) fn datasets(api: &ApiState) -> Result<&dyn EvaluationDatasets, ApiError> {
    Ok(&*tracing(api)?.evaluation_datasets)
}

/// The scorers of a server that keeps some.
pub(super) fn scorers(api: &ApiState) -> Result<&dyn Scorers, ApiError> {
    Ok(&*tracing(api)?.scorers)
}

/// What a client tells of a trace.
pub(super) fn read(info: &Value) -> Result<TraceInfo> {
    let Some(trace_id) = text(info, "trace_id")? else {
        return invalid!("Missing value for required parameter 'trace.trace_info.trace_id'.");
    };
    let location = member(info, "trace_location").unwrap_or(&Value::Null);
    let experiment = member(location, "mlflow_experiment").unwrap_or(&Value::Null);
    let Some(experiment_id) = text(experiment, "experiment_id")? else {
        return invalid!("The location of trace '{trace_id}' is no MLflow experiment.");
    };
    let assessments = match member(info, "assessments") {
        Some(Value::Array(items)) => {
            items.iter().map(assessment_wire::read).collect::<Result<Vec<_>>>()?
        }
        _ => Vec::new(),
    };
    Ok(TraceInfo {
        trace_id,
        client_request_id: text(info, "client_request_id")?,
        experiment_id,
        request_preview: text(info, "request_preview")?,
        response_preview: text(info, "response_preview")?,
        request_time: time(info, "request_time")?.unwrap_or_default(),
        execution_duration: duration(info, "execution_duration")?,
        state: state(member(info, "state")),
        trace_metadata: map(info, "trace_metadata")?,
        tags: map(info, "tags")?,
        assessments,
    })
}

/// A state by its name or number.
pub(super) fn state(value: Option<&Value>) -> TraceState {
    match value {
        Some(Value::String(name)) => TraceState::of_name(name),
        Some(number) => match number.as_i64() {
            Some(1) => TraceState::Ok,
            Some(2) => TraceState::Error,
            Some(3) => TraceState::InProgress,
            _ => TraceState::Unspecified,
        },
        None => TraceState::Unspecified,
    }
}

/// A trace in an answer.
pub(super) struct InfoWire<'a>(pub(super) &'a TraceInfo);

impl<'a> From<&'a TraceInfo> for InfoWire<'a> {
    fn from(info: &'a TraceInfo) -> Self {
        Self(info)
    }
}

impl Serialize for InfoWire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let info = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("trace_id", &info.trace_id)?;
        if let Some(id) = &info.client_request_id {
            map.serialize_entry("client_request_id", id)?;
        }
        let location = json!({
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": { "experiment_id": info.experiment_id },
        });
        map.serialize_entry("trace_location", &location)?;
        map.serialize_entry("request_time", &time_text(info.request_time))?;
        if let Some(duration) = info.execution_duration {
            map.serialize_entry("execution_duration", &duration_text(duration))?;
        }
        map.serialize_entry("state", info.state.name())?;
        if !info.trace_metadata.is_empty() {
            let entries = Entries(&info.trace_metadata, METADATA_MAX, METADATA_MAX);
            map.serialize_entry("trace_metadata", &entries)?;
        }
        if !info.assessments.is_empty() {
            let all: Vec<AssessmentWire<'_>> =
                info.assessments.iter().map(AssessmentWire).collect();
            map.serialize_entry("assessments", &all)?;
        }
        if !info.tags.is_empty() {
            map.serialize_entry("tags", &Entries(&info.tags, TAG_KEY_MAX, TAG_VALUE_MAX))?;
        }
        if let Some(preview) = &info.request_preview {
            map.serialize_entry("request_preview", preview)?;
        }
        if let Some(preview) = &info.response_preview {
            map.serialize_entry("response_preview", preview)?;
        }
        map.end()
    }
}

/// A trace with its spans in an answer. Spans that cannot be read are left out, as nothing can be said of them.
pub(super) struct TraceWire<'a>(pub(super) &'a Trace);

impl Serialize for TraceWire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("trace_info", &InfoWire(&self.0.info))?;
        let spans: Vec<Box<RawValue>> =
            self.0.spans.iter().filter_map(|content| stored::wire(content)).collect();
        if !spans.is_empty() {
            map.serialize_entry("spans", &spans)?;
        }
        map.end()
    }
}

/// A trace in the form before MLflow 3.
pub(super) struct InfoV2Wire<'a>(pub(super) &'a TraceInfo);

impl<'a> From<&'a TraceInfo> for InfoV2Wire<'a> {
    fn from(info: &'a TraceInfo) -> Self {
        Self(info)
    }
}

impl Serialize for InfoV2Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let info = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("request_id", &info.trace_id)?;
        map.serialize_entry("experiment_id", &info.experiment_id)?;
        map.serialize_entry("timestamp_ms", &info.request_time)?;
        map.serialize_entry("execution_time_ms", &info.execution_duration.unwrap_or_default())?;
        let status = match info.state {
            TraceState::Unspecified => "TRACE_STATUS_UNSPECIFIED",
            state => state.name(),
        };
        map.serialize_entry("status", status)?;
        let listed = |entries: &[KeyValue], value_max: usize| -> Vec<Value> {
            let entry = |entry: &KeyValue| json!({ "key": cut(&entry.key, TAG_KEY_MAX), "value": cut(&entry.value, value_max) });
            entries.iter().map(entry).collect()
        };
        if !info.trace_metadata.is_empty() {
            let entries = listed(&info.trace_metadata, METADATA_MAX);
            map.serialize_entry("request_metadata", &entries)?;
        }
        if !info.tags.is_empty() {
            map.serialize_entry("tags", &listed(&info.tags, TAG_VALUE_MAX))?;
        }
        map.end()
    }
}
