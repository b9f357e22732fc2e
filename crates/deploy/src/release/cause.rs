//! Why a service changes, and who wants it to: kept with the instance, and told by the history.

use serde::{Deserialize, Serialize};

/// What a change is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something is brought to users.
    #[default]
    Release,
    /// What served before serves again.
    Rollback,
}

/// Who changes a service, with what, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cause {
    /// What the change is.
    pub kind: Kind,
    /// Who; empty where nobody knows.
    pub actor: String,
    /// The program, with its version.
    pub tool: String,
    /// Why, in the actor's words; none if they said nothing.
    pub reason: Option<String>,
}
