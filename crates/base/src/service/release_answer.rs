//! What becomes of a release that is asked for on a page, as the host of the service says it.

use serde::{Deserialize, Serialize};

/// What is to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseKind {
    /// A version is brought to users, as `deploy --version` does it.
    Release,
    /// One that served before serves again, as `deploy rollback --to` does it.
    Rollback,
    /// A version goes through the gate, as `promote --version` does it.
    Promote,
    /// What a later version of the program knows.
    #[default]
    #[serde(other)]
    Unknown,
}

impl ReleaseKind {
    /// The alias that moves by it: whoever may not move that may not ask for it.
    pub fn alias(self) -> Option<&'static str> {
        match self {
            Self::Release | Self::Rollback => Some("Production"),
            Self::Promote => Some("Staging"),
            Self::Unknown => None,
        }
    }
}

/// How far the host is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseState {
    /// It does it.
    Doing,
    /// It did.
    Done,
    /// It did not begin, as something is against it.
    Refused,
    /// It began, and users have what they had.
    Failed,
    /// Nobody knows, or a later version of the program does.
    #[default]
    #[serde(other)]
    Unknown,
}

/// What became of what was asked for last, as the host says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReleaseAnswer {
    /// Which one.
    pub id: String,
    /// What was asked.
    pub what: ReleaseKind,
    /// With which version.
    pub version: String,
    /// Who asked; empty where nobody has to say who they are.
    pub by: String,
    /// When the host took it and when it was through with it, in milliseconds since 1970 by its clock.
    pub taken_ms: i64,
    pub ended_ms: Option<i64>,
    /// How far it is.
    pub state: ReleaseState,
    /// What is done now, or why it came as it did.
    pub said: String,
}

impl ReleaseAnswer {
    /// How it ended.
    #[must_use]
    pub fn ended(self, state: ReleaseState, said: impl Into<String>, now_ms: i64) -> Self {
        Self { state, said: said.into(), ended_ms: Some(now_ms), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_a_later_program_is_unknown() {
        let answer: ReleaseAnswer =
            serde_json::from_str("{\"what\":\"levitate\",\"state\":\"above\",\"more\":1}").unwrap();
        assert_eq!((answer.what, answer.state), (ReleaseKind::Unknown, ReleaseState::Unknown));
        assert_eq!(answer.what.alias(), None);
        let ended = answer.ended(ReleaseState::Done, "well", 9);
        assert_eq!((ended.ended_ms, ended.said.as_str()), (Some(9), "well"));
    }
}
