//! Why a request is refused: everything that is wrong with it, not only the first thing.

use std::fmt;

use serde::Serialize;
use trainyard_base::json::Kind;

/// One thing that does not fit the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Name of the column, or its position in an unnamed signature; none if the whole request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Row, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<usize>,
    /// The value as it was written, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Type by MLflow's name, such as `double`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What is wrong, as a sentence.
    pub problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(row) = self.row {
            write!(f, "row {row}: ")?;
        }
        f.write_str(&self.problem)
    }
}

/// Longest part of a value that is repeated in a message: enough to find it, short enough to log.
const VALUE_CHARS_MAX: usize = 60;

/// A value as it was written, cut to what fits a message.
pub(crate) fn shorten(value: &str) -> String {
    match value.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

/// A value of this kind, as a message names it: `string "x"`, `1.5`.
pub(crate) fn described(kind: Kind, value: &str) -> String {
    let what = match kind {
        Kind::Null | Kind::Number => "",
        Kind::Text => "string ",
        Kind::Boolean => "boolean ",
        Kind::Array => "list ",
        Kind::Object => "object ",
    };
    let shown = if value.is_empty() { "nothing".to_owned() } else { shorten(value) };
    format!("{what}{shown}")
}

/// At which step a request was refused, which decides the codes of MLflow's error body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The body is not of its format, or over a limit.
    Parse,
    /// A value cannot become what the signature says.
    Cast,
    /// Columns or shapes are not those of the signature.
    Schema,
    /// An inference param is not of its type.
    Params,
}

impl Step {
    /// `error_class` of the body.
    pub fn error_class(self) -> &'static str {
        match self {
            Self::Schema => "SCHEMA_ENFORCEMENT_FAILED",
            _ => "INVALID_PARAMETER_VALUE",
        }
    }

    /// `sqlstate` of the body.
    pub fn sqlstate(self) -> &'static str {
        match self {
            Self::Schema => "KAM01",
            _ => "KAM00",
        }
    }
}

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// Where it failed.
    pub step: Step,
    /// One sentence for people and for clients that look for MLflow's phrases.
    pub message: String,
    /// The first violations, in the order of the request.
    pub violations: Vec<Violation>,
    /// How many there were; more than `violations` holds when there were very many.
    pub violations_total: usize,
}

/// Longest message, and longest part of a violation: they repeat names of the request, and the
/// schema, which for a model without signature is the request's as well.
const MESSAGE_BYTES_MAX: usize = 8 << 10;
const PART_BYTES_MAX: usize = 1 << 10;

fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push('…');
    }
}

impl Rejection {
    /// The refusal with nothing in it that is longer than somebody reads.
    pub(crate) fn bounded(mut self) -> Self {
        cut(&mut self.message, MESSAGE_BYTES_MAX);
        for violation in &mut self.violations {
            cut(&mut violation.problem, PART_BYTES_MAX);
            let parts = [&mut violation.column, &mut violation.value, &mut violation.expected];
            for part in parts.into_iter().flatten() {
                cut(part, PART_BYTES_MAX);
            }
        }
        self
    }

    /// A refusal of a body that is not what it should be.
    pub(crate) fn invalid(error: &dyn fmt::Display) -> Self {
        Self::parse(format!("Invalid input. {error}"))
    }

    /// A refusal of the body as a whole.
    pub(crate) fn parse(message: impl Into<String>) -> Self {
        Self::whole(Step::Parse, message)
    }

    /// A refusal without single violations.
    pub(crate) fn whole(step: Step, message: impl Into<String>) -> Self {
        Self { step, message: message.into(), violations: Vec::new(), violations_total: 0 }
    }
}
