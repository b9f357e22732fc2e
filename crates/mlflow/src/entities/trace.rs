//! Traces of what an application did: what is known of each, its spans, and what people and judges say of it.

use serde_json::Value;

use super::KeyValue;

/// What became of what was traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TraceState {
    #[default]
    Unspecified,
    Ok,
    Error,
    InProgress,
}

impl TraceState {
    /// Its name on the wire and in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "STATE_UNSPECIFIED",
            Self::Ok => "OK",
            Self::Error => "ERROR",
            Self::InProgress => "IN_PROGRESS",
        }
    }

    /// The state of that name; what nobody knows is unspecified.
    pub fn of_name(name: &str) -> Self {
        match name {
            "OK" => Self::Ok,
            "ERROR" => Self::Error,
            "IN_PROGRESS" => Self::InProgress,
            _ => Self::Unspecified,
        }
    }
}

/// What is known of a trace, without its spans.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TraceInfo {
    /// `tr-` and 32 hex digits; older clients' are 32 hex digits.
    pub trace_id: String,
    pub client_request_id: Option<String>,
    pub experiment_id: String,
    pub request_preview: Option<String>,
    pub response_preview: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub request_time: i64,
    /// Milliseconds; none while it is in progress.
    pub execution_duration: Option<i64>,
    pub state: TraceState,
    pub trace_metadata: Vec<KeyValue>,
    pub tags: Vec<KeyValue>,
    pub assessments: Vec<Assessment>,
}

/// A trace with its spans.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    pub info: TraceInfo,
    /// The JSON text of each span as MLflow stores it, the root first, then by their beginning.
    pub spans: Vec<String>,
}

/// Who or what assessed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AssessmentSource {
    /// `HUMAN`, `LLM_JUDGE`, `CODE`.
    pub source_type: String,
    pub source_id: Option<String>,
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AssessmentError {
    pub error_code: String,
    pub error_message: Option<String>,
    pub stack_trace: Option<String>,
}

/// What an assessment says.
#[derive(Debug, Clone, PartialEq)]
pub enum AssessmentValue {
    Feedback {
        value: Value,
        error: Option<AssessmentError>,
    },
    Expectation(Value),
    /// Names an issue, whose id is the name of the assessment.
    Issue {
        issue_name: Option<String>,
    },
}

/// What a person, a judge or a program says of a trace or one of its spans.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// Made up by the store if it is empty.
    pub assessment_id: String,
    pub trace_id: String,
    pub name: String,
    pub source: AssessmentSource,
    pub value: AssessmentValue,
    /// Milliseconds since the Unix epoch; now if 0.
    pub create_time: i64,
    /// Milliseconds since the Unix epoch; now if 0.
    pub last_update_time: i64,
    pub span_id: Option<String>,
    pub rationale: Option<String>,
    pub metadata: Vec<KeyValue>,
    /// The assessment that this one replaces.
    pub overrides: Option<String>,
    /// Whether nothing replaced it.
    pub valid: bool,
}

/// A span that is to be stored, with what is known of its trace by it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Span {
    /// `tr-` and 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// None of the root.
    pub parent_id: Option<String>,
    pub name: String,
    /// `LLM`, `CHAIN` …
    pub span_type: Option<String>,
    /// `OK`, `ERROR` or `UNSET`.
    pub status: &'static str,
    /// Nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// Nanoseconds since the Unix epoch; none while it is in progress.
    pub end_ns: Option<i64>,
    /// Its JSON text as MLflow stores it.
    pub content: String,
    /// Tokens that it and those below used, by kind.
    pub usage: Option<Value>,
    /// What they cost, by kind.
    pub cost: Option<Value>,
    pub model_name: Option<String>,
    pub model_provider: Option<String>,
    pub session_id: Option<String>,
    pub user_id: Option<String>,
    /// JSON texts, of the root.
    pub inputs: Option<String>,
    /// JSON texts, of the root.
    pub outputs: Option<String>,
    /// Tags of its trace, which the root carries.
    pub trace_tags: Vec<KeyValue>,
    /// What describes the program that made it.
    pub resource: Vec<KeyValue>,
}
