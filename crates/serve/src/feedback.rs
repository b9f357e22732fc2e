//! What turned out to be true: `POST /feedback`, joined to predictions by request id.
//!
//! Feedback is rare and late, and must not be lost once it is acknowledged. So it is appended, as
//! JSON lines, to a file of this process in `_feedback/` below the prediction log
//! ([`crate::feedback_file`]), where readers of the Parquet segments do not stumble over it.

use std::sync::Arc;

use object_store::ObjectStoreExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::disk_quota::{DiskQuota, Full};
use crate::feedback_file::FeedbackFile;
use crate::options::{LogOptions, LogStore};

/// Bytes of a request: some ten thousand facts, as many as a small service answers in a day.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;

/// Facts in one request.
const FACTS_MAX: usize = 20_000;

/// Bytes of a request id; the server gives none that is longer.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Bytes of what was true: a label or a number, perhaps a sentence.
const ACTUAL_BYTES_MAX: usize = 4096;

/// What was true of one row of one request.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Fact {
    /// `x-request-id` of the answer.
    request_id: String,
    /// Row of the request, from 0.
    #[serde(default)]
    row: u64,
    /// The true label or value.
    actual: Value,
}

#[derive(Debug, Serialize)]
struct Line<'f> {
    #[serde(flatten)]
    fact: &'f Fact,
    /// Milliseconds since the Unix epoch.
    time: i64,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Body {
    One(Fact),
    Many(Vec<Fact>),
}

/// Facts of one request as they are kept: all of them or none.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) facts: usize,
    time: i64,
    pub(crate) text: Vec<u8>,
}

/// Why facts are not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    #[error(transparent)]
    Full(#[from] Full),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Where feedback goes.
#[derive(Debug)]
pub(crate) enum FeedbackLog {
    /// A file of this process, made when the first feedback comes.
    Folder { file: Arc<FeedbackFile>, quota: Arc<DiskQuota> },
    /// An object a request: objects cannot be appended to.
    Store(LogStore),
}

/// Below the prediction log. Readers of Parquet folders pass over names that begin with `_`.
pub(crate) const FOLDER: &str = "_feedback";

impl FeedbackLog {
    /// Feedback beside the prediction log. Files of servers that were killed are mended.
    pub(crate) fn new(log: &LogOptions, quota: Arc<DiskQuota>) -> Self {
        if let Some(store) = &log.store {
            return Self::Store(store.clone());
        }
        Self::Folder { file: Arc::new(FeedbackFile::new(log.dir.join(FOLDER))), quota }
    }

    /// Appends facts; they are on the disk, or in the store, when this returns, or none of them is.
    pub(crate) async fn append(&self, lines: Lines) -> Result<(), NotKept> {
        let Lines { time, text, .. } = lines;
        match self {
            Self::Folder { file, quota } => {
                let (file, quota) = (Arc::clone(file), Arc::clone(quota));
                let append = move || {
                    quota.take(text.len() as u64)?;
                    Ok(file.append(&text)?)
                };
                tokio::task::spawn_blocking(append).await.map_err(std::io::Error::other)?
            }
            Self::Store(store) => {
                let random = uuid::Uuid::new_v4().simple();
                let name = format!("feedback-{time:013}-{random}.jsonl");
                let path = store.path.clone().join(FOLDER).join(name);
                let put = store.store.put(&path, text.into()).await;
                put.map_err(std::io::Error::other)?;
                Ok(())
            }
        }
    }
}

/// Reads one fact or a list of them, to be kept under this time; says what is wrong.
pub(crate) fn lines(body: &[u8], time: i64) -> Result<Lines, String> {
    const FORM: &str =
        "feedback is {\"request_id\": \"…\", \"row\": 0, \"actual\": …} or a list of these";
    let facts = match serde_json::from_slice(body) {
        Ok(Body::One(fact)) => vec![fact],
        Ok(Body::Many(facts)) => facts,
        Err(_error) => return Err(FORM.to_owned()),
    };
    if facts.is_empty() || facts.len() > FACTS_MAX {
        return Err(format!("{} facts; send 1 to {FACTS_MAX}", facts.len()));
    }
    let mut text = Vec::new();
    for fact in &facts {
        check(fact)?;
        serde_json::to_writer(&mut text, &Line { fact, time })
            .map_err(|error| error.to_string())?;
        text.push(b'\n');
    }
    Ok(Lines { facts: facts.len(), time, text })
}

/// Refuses what could never be joined. A truth that is null is one that stayed unknown.
fn check(fact: &Fact) -> Result<(), String> {
    if fact.request_id.trim().is_empty() {
        return Err("request_id is empty; it is the x-request-id of the answer".to_owned());
    }
    if fact.request_id.len() > REQUEST_ID_BYTES_MAX {
        return Err(format!("a request_id has at most {REQUEST_ID_BYTES_MAX} bytes"));
    }
    match &fact.actual {
        Value::Array(_) => Err("what was true is one value, not a list".to_owned()),
        Value::Object(_) => Err("what was true is one value, not an object".to_owned()),
        Value::String(text) if text.len() > ACTUAL_BYTES_MAX => {
            Err(format!("what was true has at most {ACTUAL_BYTES_MAX} bytes"))
        }
        _ => Ok(()),
    }
}
