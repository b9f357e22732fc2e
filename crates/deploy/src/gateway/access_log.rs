//! The access log: a line for each answer, written by a thread of its own so that a slow disk delays
//! nobody. When it cannot keep up, lines are left out and counted.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use http::Method;

use super::door::Caller;
use super::failure::Fault;
use crate::clock::now_ms;
use crate::error::{Error, Result};

/// Lines that wait for the disk: a second at full speed.
const QUEUED_LINES_MAX: usize = 16_384;

/// One answered request.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) peer: SocketAddr,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) took: Duration,
    /// Who is to blame where it is no good answer.
    pub(super) fault: Option<Fault>,
    pub(super) instance: Option<String>,
    pub(super) request_id: String,
    /// Who asked, where that is known.
    pub(super) caller: Option<Caller>,
}

/// The way to the writing thread.
#[derive(Debug)]
pub(super) struct AccessLog {
    sender: SyncSender<String>,
    /// Lines left out.
    pub(super) dropped: AtomicU64,
}

impl AccessLog {
    /// Appends to a file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = append(path).map_err(|source| Error::io("cannot open", path, source))?;
        let (sender, receiver) = sync_channel(QUEUED_LINES_MAX);
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn({
                let path = path.to_owned();
                move || write(file, &path, &receiver)
            })
            .map_err(|source| Error::io("cannot start the writer of", path, source))?;
        Ok(Self { sender, dropped: AtomicU64::new(0) })
    }

    /// Queues a line; never waits.
    pub(super) fn log(&self, entry: &Entry) {
        match self.sender.try_send(line(entry, now_ms())) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// JSON, because paths and ids are the clients' and may hold anything.
fn line(entry: &Entry, at_ms: u64) -> String {
    let (token, certificate) = match &entry.caller {
        Some(Caller::Token(name)) => (Some(&**name), None),
        Some(Caller::Certificate(subject)) => (None, Some(&**subject)),
        None => (None, None),
    };
    let mut line = serde_json::json!({
        "at_ms": at_ms,
        "peer": entry.peer.to_string(),
        "method": entry.method.as_str(),
        "path": entry.path,
        "status": entry.status,
        "fault": entry.fault.map(Fault::name),
        "ms": (entry.took.as_secs_f64() * 1e6).round() / 1e3,
        "instance": entry.instance,
        "request_id": entry.request_id,
        "token": token,
        "certificate": certificate,
    })
    .to_string();
    line.push('\n');
    line
}

fn append(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Whether the path still leads to this file. Log rotation moves it away, and expects another in its place.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(file), Ok(there)) = (file.metadata(), std::fs::metadata(path)) else { return false };
    (file.dev(), file.ino()) == (there.dev(), there.ino())
}

fn write(mut file: File, path: &Path, receiver: &Receiver<String>) {
    let mut buffer = String::new();
    while let Ok(first) = receiver.recv() {
        buffer.clear();
        buffer.push_str(&first);
        // What has piled up meanwhile goes in the same write.
        while buffer.len() < 1 << 16
            && let Ok(next) = receiver.try_recv()
        {
            buffer.push_str(&next);
        }
        if !is_at(&file, path) {
            match append(path) {
                Ok(new) => file = new,
                Err(error) => tracing::warn!(%error, "the access log cannot be begun anew"),
            }
        }
        if let Err(error) = file.write_all(buffer.as_bytes()) {
            tracing::warn!(%error, "lines of the access log are lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            peer: ([127, 0, 0, 1], 9).into(),
            method: Method::POST,
            path: "/a\"\n".to_owned(),
            status: 200,
            took: Duration::from_micros(1500),
            fault: None,
            instance: Some("r1".to_owned()),
            request_id: "x".to_owned(),
            caller: Some(Caller::Token("shop".into())),
        }
    }

    #[test]
    fn a_log_that_was_moved_away_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let log = AccessLog::open(&path).unwrap();
        let wait = || {
            let start = std::time::Instant::now();
            while std::fs::read_to_string(&path).unwrap_or_default().lines().count() == 0 {
                assert!(start.elapsed() < Duration::from_mins(1), "no line");
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        log.log(&entry());
        wait();
        std::fs::rename(&path, folder.path().join("access.log.1")).unwrap();
        log.log(&entry());
        wait();
        let before = std::fs::read_to_string(folder.path().join("access.log.1")).unwrap();
        assert_eq!(before.lines().count(), 1);
    }

    #[test]
    fn a_line_is_json_whatever_a_client_sends() {
        let line = line(&entry(), 7);
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((value["ms"].as_f64(), value["instance"].as_str()), (Some(1.5), Some("r1")));
        assert_eq!(value["path"], "/a\"\n");
        assert_eq!((value["token"].as_str(), value["certificate"].as_str()), (Some("shop"), None));
    }
}
