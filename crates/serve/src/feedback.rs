//! What turned out to be true: `POST /feedback`, joined to predictions by request id.
//!
//! Feedback is rare and late, and must not be lost once it is acknowledged. So it is appended, as
//! JSON lines, to a file of this process in `_feedback/` below the prediction log, where readers of
//! the Parquet segments do not stumble over it.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectStoreExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::options::{LogOptions, LogStore};

/// Facts in one request: a day's worth of a small service.
const FACTS_MAX: usize = 100_000;

/// What was true of one row of one request.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fact {
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

/// Where feedback goes.
#[derive(Debug)]
pub(crate) enum FeedbackLog {
    /// A file of this process, made when the first feedback comes.
    Folder(Arc<FeedbackFile>),
    /// An object a request: objects cannot be appended to.
    Store(LogStore),
}

#[derive(Debug)]
pub(crate) struct FeedbackFile {
    dir: PathBuf,
    file: Mutex<Option<File>>,
}

/// Below the prediction log. Readers of Parquet folders pass over names that begin with `_`.
const FOLDER: &str = "_feedback";

impl FeedbackLog {
    /// Feedback beside the prediction log.
    pub(crate) fn new(log: &LogOptions) -> Self {
        match &log.store {
            Some(store) => Self::Store(store.clone()),
            None => Self::Folder(Arc::new(FeedbackFile {
                dir: log.dir.join(FOLDER),
                file: Mutex::default(),
            })),
        }
    }

    /// Appends facts; they are on the disk, or in the store, when this returns.
    pub(crate) async fn append(&self, facts: &[Fact], time: i64) -> std::io::Result<()> {
        let mut lines = Vec::new();
        for fact in facts {
            serde_json::to_writer(&mut lines, &Line { fact, time })?;
            lines.push(b'\n');
        }
        match self {
            Self::Folder(file) => {
                let file = Arc::clone(file);
                let append = move || file.append(&lines);
                tokio::task::spawn_blocking(append).await.map_err(std::io::Error::other)?
            }
            Self::Store(store) => {
                let random = uuid::Uuid::new_v4().simple();
                let name = format!("feedback-{time:013}-{random}.jsonl");
                let path = store.path.clone().join(FOLDER).join(name);
                let put = store.store.put(&path, lines.into()).await;
                put.map(drop).map_err(std::io::Error::other)
            }
        }
    }
}

impl FeedbackFile {
    fn append(&self, lines: &[u8]) -> std::io::Result<()> {
        // A panic of another request cannot leave half a line: a request writes all at once.
        let mut slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &mut *slot {
            Some(file) => file,
            none => none.insert(create(&self.dir)?),
        };
        file.write_all(lines)?;
        file.sync_data()
    }
}

fn create(dir: &Path) -> std::io::Result<File> {
    std::fs::create_dir_all(dir)?;
    // The random part sets processes of other machines and containers apart.
    let random = uuid::Uuid::new_v4().simple().to_string();
    let path = dir.join(format!("feedback-{}-{random}.jsonl", std::process::id()));
    OpenOptions::new().create_new(true).append(true).open(path)
}

/// Reads one fact or a list of them; says what is wrong.
pub(crate) fn parse(body: &[u8]) -> Result<Vec<Fact>, String> {
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
    facts.iter().try_for_each(check)?;
    Ok(facts)
}

/// Refuses what could never be joined. A truth that is null is one that stayed unknown.
fn check(fact: &Fact) -> Result<(), String> {
    if fact.request_id.trim().is_empty() {
        return Err("request_id is empty; it is the x-request-id of the answer".to_owned());
    }
    if fact.actual.is_array() || fact.actual.is_object() {
        return Err(format!("what was true is one value, not {}", fact.actual));
    }
    Ok(())
}
