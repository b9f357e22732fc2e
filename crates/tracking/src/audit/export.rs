//! Copies of the audit log: files of lines of JSON, in a folder or an object store.
//!
//! A file holds the events that its name says and is never written again, so a bucket that lets nobody replace
//! objects takes them. The next export goes on where the last one ended, if the log does: what was copied is the
//! anchor that the log itself cannot give.

use std::path::PathBuf;

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutMode, PutOptions};
use trainyard_mlflow::entities::AuditEvent;
use trainyard_mlflow::{Audit, Error, Result, SearchAudit};
use trainyard_storage::Place;

use super::chain::{Anchor, Verified, Verifier, seal};

/// Events of a file at most: some megabytes.
const EVENTS_PER_FILE: usize = 10_000;
/// How the names of files begin and end; between are the first and the last event.
const BEGINNING: &str = "audit-";
const ENDING: &str = ".jsonl";
/// Largest file that is read again: one that was written here is far smaller.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    pub files: usize,
    pub events: usize,
    /// The last event that is there now, from whichever export.
    pub last: Option<Anchor>,
}

/// Events as lines, which is how their hashes are made.
pub fn lines(events: &[AuditEvent]) -> Result<String> {
    let mut text = String::new();
    for event in events {
        let line = serde_json::to_string(event)
            .map_err(|error| Error::internal(format!("an event is no JSON: {error}")))?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

/// Copies what is new in a log to a folder or object store.
///
/// # Errors
///
/// The log or the place cannot be read or written; or the log is another one than was copied before: it was
/// edited, or its database was put back from a backup.
pub async fn export(log: &dyn Audit, uri: &str) -> Result<Exported> {
    let place = trainyard_storage::open(uri).map_err(|error| Error::invalid(error.to_string()))?;
    let mut last = last_copied(&place).await?;
    if let Some(copied) = &last {
        check_same(log, copied).await?;
    }
    let mut exported = Exported::default();
    loop {
        let events = next_file(log, last.as_ref()).await?;
        let (Some(first), Some(end)) = (events.first(), events.last()) else { break };
        let name = format!("{BEGINNING}{:015}-{:015}{ENDING}", first.id, end.id);
        let path = place.path.clone().join(name);
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let put = place.store.put_opts(&path, lines(&events)?.into(), create).await;
        put.map_err(|error| failed(&place, error))?;
        exported.files += 1;
        exported.events += events.len();
        last = Some(Anchor { id: end.id, hash: end.hash.clone() });
    }
    exported.last = last;
    Ok(exported)
}

/// Events for one more file, whose chain is whole.
async fn next_file(log: &dyn Audit, last: Option<&Anchor>) -> Result<Vec<AuditEvent>> {
    let mut events: Vec<AuditEvent> = Vec::new();
    while events.len() < EVENTS_PER_FILE {
        let after = events.last().map(|event| event.id).or(last.map(|last| last.id));
        let found = log.events(SearchAudit { after, ..SearchAudit::default() }).await?;
        if found.is_empty() {
            break;
        }
        events.extend(found);
    }
    let mut previous = last.map(|last| last.hash.as_str());
    for event in &events {
        if previous.is_some_and(|hash| hash != event.previous) || seal(event) != event.hash {
            return Err(Error::invalid(format!(
                "event {} of the audit log is not what was written; `trainyard audit verify` says \
                 where it was edited",
                event.id
            )));
        }
        previous = Some(&event.hash);
    }
    Ok(events)
}

/// Holds the log against what was copied of it last.
async fn check_same(log: &dyn Audit, copied: &Anchor) -> Result<()> {
    let after = Some(copied.id.saturating_sub(1));
    let found = log.events(SearchAudit { after, max_results: Some(1), ..SearchAudit::default() });
    let found = found.await?;
    let is_same = match found.first() {
        Some(event) if event.id == copied.id => event.hash == copied.hash,
        // It went since; what is there next must follow on it.
        Some(event) => event.id == copied.id.saturating_add(1) && event.previous == copied.hash,
        None => false,
    };
    if is_same {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the audit log is not the one that was copied before: its event {} was {}. It was edited, or an \
         older database was put back; compare both, then export to another place",
        copied.id, copied.hash
    )))
}

/// The last event of the last file that is there.
async fn last_copied(place: &Place) -> Result<Option<Anchor>> {
    let listed = place.store.list(Some(&place.path)).try_collect::<Vec<_>>().await;
    let listed = match listed {
        Ok(listed) => listed,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(failed(place, error)),
    };
    let files = listed.into_iter().filter(|file| is_ours(&file.location));
    let Some(file) = files.max_by(|a, b| a.location.cmp(&b.location)) else { return Ok(None) };
    let path = file.location;
    if file.size > FILE_BYTES_MAX {
        return Err(Error::invalid(format!("{path} is too large to be a copy of the audit log")));
    }
    let found = place.store.get(&path).await.map_err(|error| failed(place, error))?;
    let bytes = found.bytes().await.map_err(|error| failed(place, error))?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().last().unwrap_or_default();
    let event = read(line).map_err(|what| Error::invalid(format!("{path}: {what}")))?;
    Ok(Some(Anchor { id: event.id, hash: event.hash }))
}

fn is_ours(path: &Path) -> bool {
    let name = path.filename().unwrap_or_default();
    name.starts_with(BEGINNING) && name.ends_with(ENDING)
}

/// The event of a line, which must be as it was written to the last byte.
fn read(line: &str) -> Result<AuditEvent, String> {
    let event: AuditEvent =
        serde_json::from_str(line).map_err(|error| format!("a line is no event: {error}"))?;
    let written = serde_json::to_string(&event).unwrap_or_default();
    if written != line {
        return Err(format!("the line of event {} is not as it was written", event.id));
    }
    Ok(event)
}

/// Looks at files of an export, in the order of their names.
pub fn verify_files(files: &[PathBuf], anchors: Vec<Anchor>) -> Result<Verified> {
    let mut files = files.to_vec();
    files.sort();
    let mut verifier = Verifier::new(anchors);
    for path in &files {
        let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        let ends = bytes.last().is_none_or(|byte| *byte == b'\n');
        // Bytes that are no text become others, which no line was made of.
        let text = String::from_utf8_lossy(&bytes);
        for line in text.split_terminator('\n') {
            match read(line) {
                Ok(event) => verifier.push(&event),
                Err(what) => {
                    let next = verifier.next();
                    verifier.fault(next, format!("{}: {what}", path.display()));
                }
            }
        }
        if !ends {
            let next = verifier.next();
            verifier.fault(next, format!("{} is cut off", path.display()));
        }
    }
    Ok(verifier.finish())
}

fn failed(place: &Place, error: object_store::Error) -> Error {
    Error::io(format!("{place:?}"), std::io::Error::other(error))
}
