//! The chain: each event has the hash of the one before it, and its own over all of its fields.
//!
//! The hash is SHA-256 over the event as one line of JSON, its fields in their order, without spaces and with an
//! empty `hash`: what an export has, so that a few lines of any language can check it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use trainyard_mlflow::entities::{AliasAt, AuditEvent};
use trainyard_mlflow::{AUDIT_EVENTS_MAX, Audit, Error, ErrorCode, Result, SearchAudit};

/// Subject of events about the log itself.
pub(crate) const LOG: &str = "audit";
/// The first event.
pub(crate) const BEGIN: &str = "audit.begin";
/// Which event was the last to go: the part is its id, the value a [`Checkpoint`].
pub(crate) const CHECKPOINT: &str = "audit.checkpoint";
/// What the first event has for the hash of the one before it.
pub(crate) const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Faults that are listed: where one event was edited there are one or two, and a log that was replaced has
/// nothing else.
pub const FAULTS_MAX: usize = 100;

/// The hash of an event; its own is not looked at.
pub(crate) fn seal(event: &AuditEvent) -> String {
    let bare = AuditEvent { hash: String::new(), ..event.clone() };
    // Texts and numbers always have a JSON form.
    let line = serde_json::to_vec(&bare).unwrap_or_default();
    hex::encode(Sha256::digest(&line))
}

/// What a checkpoint keeps of the events that went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The last event that went, and its hash.
    pub through: i64,
    pub hash: String,
    /// Where aliases pointed then.
    pub aliases: Vec<AliasAt>,
}

impl Checkpoint {
    /// That of an event, if it is one.
    pub(crate) fn of(event: &AuditEvent) -> Option<Self> {
        let value = event.after.as_deref().filter(|_| event.action == CHECKPOINT)?;
        serde_json::from_str(value).ok()
    }
}

/// An event and its hash as they were seen once: `1234:9f86d0…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    pub id: i64,
    pub hash: String,
}

/// An anchor that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no event with its hash; write what `trainyard audit verify` printed, with all 64 digits"
)]
pub struct NotAnchor(String);

impl FromStr for Anchor {
    type Err = NotAnchor;

    fn from_str(text: &str) -> Result<Self, NotAnchor> {
        let read = || {
            let (id, hash) = text.trim().split_once(':')?;
            let is_hash =
                hash.len() == NO_HASH.len() && hash.bytes().all(|b| b.is_ascii_hexdigit());
            let id = id.parse().ok().filter(|_| is_hash)?;
            Some(Self { id, hash: hash.to_ascii_lowercase() })
        };
        read().ok_or_else(|| NotAnchor(text.to_owned()))
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id, self.hash)
    }
}

/// Where the log is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The event, or the one that should be there.
    pub id: i64,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}: {}", self.id, self.what)
    }
}

/// What a look at a whole log found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    pub events: u64,
    /// The first event that is there: 1 unless older ones went.
    pub first: Option<i64>,
    /// The last one, to be kept elsewhere.
    pub last: Option<Anchor>,
    /// The first [`FAULTS_MAX`] of them.
    pub faults: Vec<Fault>,
}

/// Looks at events in their order.
#[derive(Debug, Default)]
pub struct Verifier {
    seen: Verified,
    last_at: i64,
    /// What the first event says of the one before it, while no checkpoint has said the same.
    unexplained: Option<Anchor>,
    anchors: Vec<Anchor>,
}

impl Verifier {
    /// One that also wants these events to be as they were.
    pub fn new(anchors: Vec<Anchor>) -> Self {
        Self { anchors, ..Self::default() }
    }

    /// The next event.
    pub fn push(&mut self, event: &AuditEvent) {
        let id = event.id;
        match self.seen.last.take() {
            None => {
                self.seen.first = Some(id);
                if id != 1 || event.previous != NO_HASH {
                    self.unexplained =
                        Some(Anchor { id: id.saturating_sub(1), hash: event.previous.clone() });
                }
            }
            Some(last) => {
                let next = last.id.saturating_add(1);
                if id != next {
                    self.fault(next, format!("the next event that is there is {id}"));
                }
                if event.previous != last.hash {
                    self.fault(id, "it does not follow on the event before it".to_owned());
                }
                if event.at < self.last_at {
                    self.fault(id, "it is older than the event before it".to_owned());
                }
            }
        }
        if seal(event) != event.hash {
            self.fault(id, "it is not what its hash was made of".to_owned());
        }
        let is_explained = matches!(
            (&self.unexplained, Checkpoint::of(event)),
            (Some(gone), Some(checkpoint))
                if gone.id == checkpoint.through && gone.hash == checkpoint.hash
        );
        if is_explained {
            self.unexplained = None;
        }
        let seen_before: Vec<Anchor> = self.anchors.extract_if(.., |a| a.id == id).collect();
        if seen_before.iter().any(|anchor| anchor.hash != event.hash) {
            self.fault(id, "it is another one than it was when its hash was kept".to_owned());
        }
        self.last_at = event.at;
        self.seen.events += 1;
        self.seen.last = Some(Anchor { id, hash: event.hash.clone() });
    }

    /// What cannot be read at all.
    pub fn fault(&mut self, id: i64, what: String) {
        if self.seen.faults.len() < FAULTS_MAX {
            self.seen.faults.push(Fault { id, what });
        }
    }

    /// The event behind the last that was seen.
    pub(super) fn next(&self) -> i64 {
        self.seen.last.as_ref().map_or(1, |last| last.id.saturating_add(1))
    }

    /// When no event is left.
    pub fn finish(mut self) -> Verified {
        if let Some(gone) = self.unexplained.take() {
            let what = "no checkpoint says that this event and those before it went".to_owned();
            self.fault(gone.id, what);
        }
        let first = self.seen.first.unwrap_or(1);
        for anchor in std::mem::take(&mut self.anchors) {
            // What a checkpoint let go is not looked for.
            if anchor.id >= first {
                self.fault(anchor.id, "its hash was kept, and it is not there".to_owned());
            }
        }
        self.seen
    }
}

/// Looks at a whole log, wherever it is.
///
/// # Errors
///
/// The log cannot be asked. An event that is there and cannot be read is a fault.
pub async fn verify(log: &dyn Audit, anchors: Vec<Anchor>) -> Result<Verified> {
    let mut verifier = Verifier::new(anchors);
    let mut after = None;
    loop {
        let search = SearchAudit { after, ..SearchAudit::default() };
        let events = match log.events(search).await {
            Ok(events) => events,
            // Nothing was learnt of the log.
            Err(error) if !is_unreadable(&error) => return Err(error),
            Err(error) => {
                let next = verifier.next();
                verifier.fault(next, format!("it or one behind it cannot be read: {error}"));
                return Ok(verifier.finish());
            }
        };
        for event in &events {
            verifier.push(event);
        }
        let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
        match events.last() {
            Some(last) if count >= AUDIT_EVENTS_MAX && after < Some(last.id) => {
                after = Some(last.id);
            }
            _ => return Ok(verifier.finish()),
        }
    }
}

/// Whether the database was asked and found something that is no event.
fn is_unreadable(error: &Error) -> bool {
    matches!(
        error,
        Error::Store { code: ErrorCode::InternalError, .. }
            | Error::Api { code: ErrorCode::InternalError, .. }
    )
}
