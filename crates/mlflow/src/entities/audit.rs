//! What the audit log says: who changed what, and where aliases pointed at a time.
//!
//! Upstream has nothing of the kind; these are Trainyard's own forms.

use serde::{Deserialize, Serialize};

/// One change. Its hash is over this form with an empty `hash`, so the order of the fields is part of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEvent {
    /// From 1, without gaps.
    pub id: i64,
    /// Milliseconds since the Unix epoch; never less than that of the event before.
    pub at: i64,
    /// What was done: `alias.set`, `run.delete`.
    pub action: String,
    /// To what: `model:Iris`, `experiment:3`, `run:5f0…`.
    pub subject: String,
    /// To which part of it: `alias:Production`, `version:3`, `tag:team`; empty for the whole.
    pub part: String,
    /// What was there, none if nothing was. Shortened if it is long, and without credentials.
    pub before: Option<String>,
    /// What is there now.
    pub after: Option<String>,
    /// Name of who did it; empty if nobody has to say.
    pub who: String,
    /// `user`, `token`, `anonymous`, or `local` for a program that opened the database itself.
    pub kind: String,
    /// Name of the token that was shown, never the token.
    pub token: Option<String>,
    /// Address of the other side of the connection.
    pub address: Option<String>,
    pub request_id: Option<String>,
    /// Hash of the event before; zeros for the first one.
    pub previous: String,
    /// SHA-256 in hex.
    pub hash: String,
}

/// An alias at a time: where it pointed, and the change that brought it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasAt {
    pub model: String,
    pub alias: String,
    pub version: String,
    /// When it came to point there.
    pub since: i64,
    /// Who moved it.
    pub who: String,
    #[serde(default)]
    pub token: Option<String>,
    #[serde(default)]
    pub request_id: Option<String>,
    /// Why, if a release says so on the version.
    #[serde(default)]
    pub reason: Option<String>,
    /// It pointed there already when that was first written down: it was moved before, or by a program that
    /// writes nothing down.
    #[serde(default)]
    pub is_found: bool,
    /// The event that says it.
    pub event: i64,
}

/// The aliases of the registry at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RegistryAt {
    /// Milliseconds since the Unix epoch.
    pub at: i64,
    /// Since when changes are known; none where none is.
    pub known_since: Option<i64>,
    pub aliases: Vec<AliasAt>,
}

impl RegistryAt {
    /// Whether changes of that time are known.
    pub fn is_known(&self) -> bool {
        self.known_since.is_some_and(|since| since <= self.at)
    }
}

/// That an alias is to move, and who agrees.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ApprovalRequest {
    pub model: String,
    pub alias: String,
    pub version: String,
    /// Who asked, and when and why.
    pub requester: String,
    pub requested_at: i64,
    #[serde(default)]
    pub reason: String,
    /// Approvals that the server asks for; 0 where it lets the alias move without.
    pub needed: i64,
    #[serde(default)]
    pub approvals: Vec<Approval>,
    /// Whether the model is a prompt; told in lists of what waits, where who may see and decide depends on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_prompt: bool,
}

impl ApprovalRequest {
    /// Whether somebody of this name could still agree: nobody does so twice, or with what they asked for.
    pub fn waits_for(&self, who: &str) -> bool {
        self.requester != who && self.approvals.iter().all(|approval| approval.who != who)
    }
}

/// One person's approval.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Approval {
    pub who: String,
    pub at: i64,
    #[serde(default)]
    pub reason: String,
}
