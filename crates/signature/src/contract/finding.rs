//! One difference between two signatures.

use std::fmt;

use serde::Serialize;

use super::effect::Effect;
use crate::enforce::shape_text;
use crate::model::{ColSpec, ParamSpec, TensorSpec};

/// What a difference is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Input,
    Output,
    Param,
}

impl Part {
    fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Param => "param",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub part: Part,
    /// The column, tensor or param; none where the difference is in all of them.
    pub name: Option<String>,
    /// Production's, as text; none where it has none.
    pub before: Option<String>,
    /// The candidate's, likewise.
    pub after: Option<String>,
    pub effect: Effect,
    /// What becomes of clients, and why.
    pub reason: String,
}

impl Finding {
    /// A difference of one column, tensor or param.
    pub(super) fn of(part: Part, name: &str, effect: Effect, reason: impl Into<String>) -> Self {
        let name = Some(name.to_owned());
        Self { part, name, before: None, after: None, effect, reason: reason.into() }
    }

    /// A difference of the part as a whole.
    pub(super) fn whole(part: Part, effect: Effect, reason: impl Into<String>) -> Self {
        Self { part, name: None, before: None, after: None, effect, reason: reason.into() }
    }

    #[must_use]
    pub(super) fn before(mut self, text: impl Into<String>) -> Self {
        self.before = Some(text.into());
        self
    }

    #[must_use]
    pub(super) fn after(mut self, text: impl Into<String>) -> Self {
        self.after = Some(text.into());
        self
    }
}

/// `input "age" (long, required → string, required): values that are no string are refused`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} {name:?}", self.part.word())?,
            None => write!(f, "{}s", self.part.word())?,
        }
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, " ({before} → {after})")?,
            (Some(before), None) => write!(f, " ({before}, removed)")?,
            (None, Some(after)) => write!(f, " (new: {after})")?,
            (None, None) => {}
        }
        write!(f, ": {}", self.reason)
    }
}

/// `double, required`
pub(super) fn column_text(column: &ColSpec) -> String {
    let need = if column.required { "required" } else { "optional" };
    format!("{}, {need}", column.data_type)
}

/// `float64 (-1, 4)`
pub(super) fn tensor_text(tensor: &TensorSpec) -> String {
    format!("{} {}", tensor.dtype, shape_text(&tensor.shape))
}

/// `double` or `double list`
pub(super) fn param_text(param: &ParamSpec) -> String {
    let list = if param.shape.is_some() { " list" } else { "" };
    format!("{}{list}", param.data_type)
}
