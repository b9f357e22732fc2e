//! How a service is, as its host saw it last.

use serde::{Deserialize, Serialize};

use super::release_answer::ReleaseAnswer;
use super::traffic::Traffic;

/// What was not heard of for so long, in milliseconds, is not known any more: three records may be late or lost.
pub const SILENT_AFTER_MS: i64 = 3 * 60_000;

/// Characters of a tag that every MLflow server keeps whole are 8,000.
const TAG_CHARS_MAX: usize = 7_500;

/// Who recorded it, by which it is known whether more is to be heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Teller {
    /// `up`, each minute.
    Up,
    /// `run --watch`, each minute; it starts nothing again.
    Watch,
    /// A command that changed it, once.
    #[default]
    #[serde(other)]
    Command,
}

/// What is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// What should serve does.
    Serving,
    /// Clients are served, but not by all instances that should.
    Degraded,
    /// Clients are not served although they should be.
    Down,
    /// Nothing serves, as somebody wished.
    Stopped,
    /// Nothing was ever released.
    NeverReleased,
    /// Nobody can tell, or a later version of the program does.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Whether requests come in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayMode {
    /// They are passed on.
    Open,
    /// They wait.
    Paused,
    /// They are answered with 503.
    Maintenance,
    /// There is no gateway to ask.
    #[default]
    #[serde(other)]
    Unknown,
}

/// What an instance is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceRole {
    /// Requests go to it.
    Current,
    /// It gets copies of the requests, or a share of them.
    Candidate,
    /// It is kept warm.
    Standby,
    /// A release in progress brings it up, or an interrupted one left it.
    #[default]
    #[serde(other)]
    Other,
}

/// An instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceRecord {
    /// Its id (`r3`, `r3.2`).
    pub id: String,
    /// What it is for.
    pub role: InstanceRole,
    /// The version that it serves; empty when unknown.
    pub version: String,
    /// Whether it answered that it is well.
    pub is_well: bool,
    /// Why not (`signal 9`, `503: model is loading`).
    pub trouble: Option<String>,
    /// It gets no requests while others are well.
    pub is_out: bool,
    /// For how long it has run, in milliseconds.
    pub up_ms: Option<u64>,
    /// Bytes of memory that it holds.
    pub memory_bytes: Option<u64>,
    /// How often it was started again.
    pub restarts: u64,
    /// When last, in milliseconds since 1970.
    pub restarted_ms: Option<i64>,
    /// Why last.
    pub restart_cause: String,
    /// What the gateway saw of it in the last minute.
    pub minute: Option<Traffic>,
}

/// A new version beside the one that users have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CandidateRecord {
    /// Its version; empty when unknown.
    pub version: String,
    /// Share of the requests that it gets, 0 to 1; none where it gets copies.
    pub share: Option<f64>,
    /// Requests that the new version answered, or should have, and those with an error, in this step of a canary.
    pub green: Option<[u64; 2]>,
    /// The same of the version that users have.
    pub blue: Option<[u64; 2]>,
}

/// Answers of two versions to the same requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CopiesRecord {
    /// Requests that both versions got.
    pub pairs: u64,
    /// Those that the new version alone failed at.
    pub green_failed: u64,
    /// Those that the other alone failed at.
    pub blue_failed: u64,
    /// Those whose predictions could be compared.
    pub compared: u64,
    /// Those of them that differ.
    pub differing: u64,
    /// How long the new version's answers took in the mean, in microseconds.
    pub green_us: u64,
    /// The same of the other's.
    pub blue_us: u64,
}

/// A service as its host saw it at a moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceRecord {
    /// When, in milliseconds since 1970 by the host's clock.
    pub at_ms: i64,
    /// Who recorded it.
    pub by: Teller,
    /// Which process recorded it: a few digits of its own, by which two hosts that write one record notice each other.
    pub writer: String,
    /// The host's name.
    pub host: String,
    /// Where clients on that host find it.
    pub url: Option<String>,
    /// What is.
    pub state: ServiceState,
    /// Why clients are not served as they should be.
    pub outage: Option<String>,
    /// Whether requests come in.
    pub mode: GatewayMode,
    /// Since when it is kept up by the same process, in milliseconds since 1970; none where nobody does.
    pub kept_up_since_ms: Option<i64>,
    /// Since when the gateway runs, likewise.
    pub gateway_since_ms: Option<i64>,
    /// Open connections of clients.
    pub connections: u64,
    /// Who changes it now (`release`).
    pub busy: Option<String>,
    /// What went through in the last minute; none where no gateway could be asked.
    pub minute: Option<Traffic>,
    /// The serving ones first.
    pub instances: Vec<InstanceRecord>,
    /// Instances that had no room.
    pub more_instances: usize,
    /// The new version of a release that goes on.
    pub candidate: Option<CandidateRecord>,
    /// How answers of two versions compare, while there are two.
    pub copies: Option<CopiesRecord>,
    /// Why the gateway went back by itself, until the next release.
    pub went_back: Option<String>,
    /// Whether whoever recorded it does what is asked on its page ([`ServiceWish`](super::ServiceWish)).
    pub takes_wishes: bool,
    /// What became of what was asked there last.
    pub wish: Option<WishAnswer>,
    /// Whether it does the releases that are asked for on pages ([`ReleaseWish`](super::ReleaseWish)).
    pub takes_releases: bool,
    /// The version that users have, or had last; what a release may still take back does not count.
    pub serves: Option<String>,
    /// The version that a rollback would bring back now.
    pub returns_to: Option<String>,
    /// What became of the release that was asked for last.
    pub release: Option<ReleaseAnswer>,
}

impl ServiceRecord {
    /// As the value of a tag: instances that have no room are counted alone.
    pub fn tag(&self) -> String {
        let mut record = self.clone();
        loop {
            // Texts and numbers alone: this cannot fail.
            let json = serde_json::to_string(&record).unwrap_or_default();
            if json.chars().count() <= TAG_CHARS_MAX || record.instances.pop().is_none() {
                return json;
            }
            record.more_instances += 1;
        }
    }

    /// What a tag says; none where that is no record.
    pub fn read(tag: &str) -> Option<Self> {
        serde_json::from_str(tag).ok()
    }
}

/// What became of what was asked last, as the host says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WishAnswer {
    /// Which one.
    pub id: String,
    /// Why it was not done; none where it was.
    pub error: Option<String>,
}

/// One line of at most so many characters, for the texts of a record.
pub fn cut(text: &str, characters: usize) -> String {
    let visible = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    visible.take(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_always_fits() {
        let long = "\u{1f980}\"\\".repeat(50);
        let instance = |number: usize| InstanceRecord {
            id: format!("r1.{number}"),
            role: InstanceRole::Current,
            trouble: Some(long.clone()),
            restart_cause: long.clone(),
            minute: Some(Traffic { requests: u64::MAX, ..Traffic::default() }),
            ..InstanceRecord::default()
        };
        let mut record = ServiceRecord {
            at_ms: 5,
            by: Teller::Up,
            state: ServiceState::Degraded,
            mode: GatewayMode::Open,
            outage: Some(long.clone()),
            instances: vec![instance(0)],
            candidate: Some(CandidateRecord { share: Some(0.25), ..CandidateRecord::default() }),
            copies: Some(CopiesRecord { pairs: 7, ..CopiesRecord::default() }),
            ..ServiceRecord::default()
        };
        assert_eq!(ServiceRecord::read(&record.tag()).as_ref(), Some(&record));
        record.instances = (0..100).map(instance).collect();
        let tag = record.tag();
        assert!(tag.chars().count() <= TAG_CHARS_MAX);
        let read = ServiceRecord::read(&tag).unwrap();
        assert!(read.instances.len() > 5 && read.instances.len() + read.more_instances == 100);
    }

    #[test]
    fn what_is_not_known_is_unknown() {
        let later = "{\"state\":\"levitating\",\"mode\":\"ajar\",\"by\":\"oracle\",\"more\":{},\
                     \"instances\":[{\"role\":\"muse\"}]}";
        let record = ServiceRecord::read(later).unwrap();
        assert_eq!((record.state, record.mode), (ServiceState::Unknown, GatewayMode::Unknown));
        assert_eq!((record.by, record.instances[0].role), (Teller::Command, InstanceRole::Other));
        assert_eq!(ServiceRecord::read("{}").unwrap(), ServiceRecord::default());
        for wrong in ["", "{\"at_ms\":\"now\"}", "null"] {
            assert_eq!(ServiceRecord::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn texts_are_one_line() {
        assert_eq!(cut(" a\nb\u{1b}[2J ", 100), "a b [2J");
        assert_eq!(cut("\u{e4}\u{f6}\u{fc}", 2), "\u{e4}\u{f6}");
    }
}
