//! The states of a version on its way to users, as tags of the version say them.
//!
//! *Registered* (no tag) → *approved* (the gate passed; alias `Staging`) → *released* (alias `Production`) →
//! *replaced* (by another) or *rolled back* (found bad). One that was approved and is judged anew may be *refused*.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use trainyard_base::words::tags;
use trainyard_deploy::Cause;
use trainyard_mlflow::entities::{KeyValue, ModelVersion, Tag};

/// The tag that says the state. Beside it are `.by`, `.with`, `.at` and `.reason`.
const STATE: &str = tags::STATE;

/// The tag of a gate that passed or failed, which versions judged before there were states have alone.
const GATE: &str = tags::GATE;

/// Where a version is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The gate passed.
    Approved,
    /// The gate passed once, and refused it later.
    Refused,
    /// It is the one in production.
    Released,
    /// Another took its place.
    Replaced,
    /// It was in production and found bad.
    RolledBack,
}

impl State {
    const ALL: [Self; 5] =
        [Self::Approved, Self::Refused, Self::Released, Self::Replaced, Self::RolledBack];

    /// As the tag has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Released => "released",
            Self::Replaced => "replaced",
            Self::RolledBack => "rolled_back",
        }
    }

    /// The state of a version; none where nobody judged it.
    pub fn of(version: &ModelVersion) -> Option<Self> {
        let written = tag(version, STATE);
        let named = |name: &str| Self::ALL.into_iter().find(|state| state.name() == name);
        match (written.and_then(named), tag(version, GATE)) {
            // One that only another version of the program knows is no approval.
            (None, Some("passed")) if written.is_none() => Some(Self::Approved),
            // Whoever judged it last did not come to write the state.
            (Some(Self::Approved), Some("failed")) => Some(Self::Refused),
            (state, _) => state,
        }
    }

    /// Whether a version may be released without being judged anew: it was approved, or it is the one that
    /// serves. `serving` is the version that serves or served last, where that is known here.
    pub(crate) fn is_good(version: &ModelVersion, serving: Option<&str>) -> bool {
        let state = Self::of(version);
        let serves = match serving {
            Some(serving) => serving == version.version,
            // Brought up where nothing was released yet, as it serves elsewhere.
            None => state == Some(Self::Released),
        };
        serves || state == Some(Self::Approved)
    }
}

/// A tag's value.
pub(crate) fn tag<'a>(version: &'a ModelVersion, key: &str) -> Option<&'a str> {
    version.tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str())
}

/// A version's way from one state to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transition {
    pub(crate) model: String,
    pub(crate) version: String,
    pub(crate) state: State,
    /// In milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) actor: String,
    pub(crate) tool: String,
    pub(crate) reason: String,
}

impl Transition {
    /// A transition of now. `what` is the reason where the actor gave none.
    pub(crate) fn now(
        model: &str,
        version: &str,
        state: State,
        cause: &Cause,
        what: impl Into<String>,
    ) -> Self {
        Self {
            model: model.to_owned(),
            version: version.to_owned(),
            state,
            at_ms: Utc::now().timestamp_millis(),
            actor: cause.actor.clone(),
            tool: cause.tool.clone(),
            reason: cause.reason.clone().unwrap_or_else(|| what.into()),
        }
    }

    /// The tags that say it. The state comes last: whoever sees it sees the rest of it too.
    pub(crate) fn tags(&self) -> Vec<Tag> {
        let at = DateTime::from_timestamp_millis(self.at_ms).unwrap_or_default();
        let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let named = |part: &str, value: &str| KeyValue::new(format!("{STATE}.{part}"), value);
        vec![
            named("by", &self.actor),
            named("with", &self.tool),
            named("at", &at),
            named("reason", &self.reason),
            KeyValue::new(STATE, self.state.name()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(tags: Vec<Tag>) -> ModelVersion {
        ModelVersion { tags, ..ModelVersion::default() }
    }

    #[test]
    fn a_state_is_read_as_it_was_written() {
        for state in State::ALL {
            let transition = Transition::now("m", "3", state, &Cause::default(), "because");
            let version = version(transition.tags());
            assert_eq!(State::of(&version), Some(state));
            assert_eq!(tag(&version, "trainyard.state.reason"), Some("because"));
        }
        assert_eq!(State::of(&version(Vec::new())), None);
        assert_eq!(State::of(&version(vec![KeyValue::new(GATE, "failed")])), None);
        // Judged by a program that knew no states.
        let passed = || KeyValue::new(GATE, "passed");
        assert!(State::is_good(&version(vec![passed()]), Some("1")));
        // Or by one that knows others than this one.
        let newer = version(vec![KeyValue::new(STATE, "quarantined"), passed()]);
        assert!(!State::is_good(&newer, Some("1")));
    }

    #[test]
    fn only_what_is_approved_or_serves_is_not_judged_anew() {
        let in_state = |state: State, gate: &str| {
            let mut tags = Transition::now("m", "3", state, &Cause::default(), "").tags();
            tags.push(KeyValue::new(GATE, gate));
            ModelVersion { version: "3".to_owned(), ..version(tags) }
        };
        for state in State::ALL {
            let version = in_state(state, "passed");
            assert_eq!(State::is_good(&version, Some("4")), state == State::Approved, "{state:?}");
            assert!(State::is_good(&version, Some("3")), "{state:?}");
        }
        assert!(State::is_good(&in_state(State::Released, "passed"), None));
        assert!(!State::is_good(&in_state(State::Replaced, "passed"), None));
        // A refusal withdraws an approval, even where nobody wrote that down.
        let withdrawn = in_state(State::Approved, "failed");
        assert_eq!(State::of(&withdrawn), Some(State::Refused));
        assert!(!State::is_good(&withdrawn, None) && !State::is_good(&withdrawn, Some("4")));
    }
}
