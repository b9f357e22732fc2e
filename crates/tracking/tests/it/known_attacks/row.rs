//! A row of the list.

use crate::attack::Target;
use crate::http::Answer;

pub(super) const API: &str = "/api/2.0/mlflow";
pub(super) const FILES: &str = "/api/2.0/mlflow-artifacts";

/// One idea: its name, and how it is tried. The answers are then looked at, and all around the server.
pub(super) struct Attack {
    pub(super) id: &'static str,
    pub(super) idea: &'static str,
    pub(super) attempt: fn(&Target) -> Vec<Answer>,
}
