//! A file that only grows by whole requests: what is acknowledged is on the disk, what is not is not in it.
//!
//! A write that fails half-way (a full disk) would leave half a line, and the next fact, which is acknowledged,
//! would be glued to it and lost with it: the length is set back. A server that is killed while it writes
//! leaves half a line as well; the next one to start in the folder cuts it off. A lock on the file tells it
//! from one that a running server writes.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::private_files;

/// Bytes that are looked through at once for the end of the last whole line.
const BLOCK: u64 = 64 << 10;

/// The file of this process.
#[derive(Debug)]
pub(crate) struct FeedbackFile {
    dir: PathBuf,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Bytes that are acknowledged.
    length: u64,
    /// Whether there may be more in the file.
    is_torn: bool,
}

impl FeedbackFile {
    /// A file in this folder, made when there is something to write. Others of the folder are mended.
    pub(crate) fn new(dir: PathBuf) -> Self {
        mend_all(&dir);
        Self { dir, open: Mutex::default() }
    }

    /// Appends lines. They are on the disk when this returns, or not in the file.
    pub(crate) fn append(&self, lines: &[u8]) -> std::io::Result<()> {
        let mut current = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match &mut *current {
            Some(open) => open,
            none => none.insert(Open::create(&self.dir)?),
        };
        open.append(lines)
    }
}

impl Open {
    fn create(dir: &Path) -> std::io::Result<Self> {
        private_files::folder(dir)?;
        // The random part sets processes of other machines and containers apart.
        let random = uuid::Uuid::new_v4().simple().to_string();
        let path = dir.join(format!("feedback-{}-{random}.jsonl", std::process::id()));
        let file = private_files::file(&path)?;
        // Says that the file is in use. Some network disks have no locks, and mend nothing then.
        let _has_no_locks = file.try_lock();
        // The file itself must survive what its lines survive.
        File::open(dir)?.sync_all()?;
        Ok(Self { file, length: 0, is_torn: false })
    }

    fn append(&mut self, lines: &[u8]) -> std::io::Result<()> {
        if self.is_torn {
            self.set_back()?;
        }
        // Also while a panic unwinds: what is not known to be whole is set back first.
        self.is_torn = true;
        let written = self.file.write_all(lines).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.length += lines.len() as u64;
                self.is_torn = false;
                Ok(())
            }
            Err(error) => {
                if let Err(error) = self.set_back() {
                    tracing::error!(%error, "half a request stays in the feedback for now");
                }
                Err(error)
            }
        }
    }

    /// Takes back what is not acknowledged.
    fn set_back(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.sync_data()?;
        self.is_torn = false;
        Ok(())
    }
}

/// Mends the files that servers left which were killed.
fn mend_all(dir: &Path) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !name.starts_with("feedback-") || !name.ends_with(".jsonl") {
            continue;
        }
        match mend(&entry.path()) {
            Ok(0) => {}
            Ok(bytes) => {
                let path = entry.path();
                tracing::warn!(path = %path.display(), bytes, "a line that was never whole is cut off");
            }
            Err(error) => {
                tracing::warn!(path = %entry.path().display(), %error, "feedback is not mended");
            }
        }
    }
}

/// Cuts a file after its last whole line, unless a server writes it. Returns the bytes cut off.
fn mend(path: &Path) -> std::io::Result<u64> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    if file.try_lock().is_err() {
        return Ok(0);
    }
    let length = file.metadata()?.len();
    let whole = end_of_lines(&file, length)?;
    if whole < length {
        file.set_len(whole)?;
        file.sync_all()?;
    }
    Ok(length - whole)
}

/// Where the last line ends that has an end.
fn end_of_lines(file: &File, length: u64) -> std::io::Result<u64> {
    let mut end = length;
    let mut block = vec![0; BLOCK as usize];
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let part = block.get_mut(..(end - start) as usize).unwrap_or_default();
        file.read_exact_at(part, start)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn only_file(dir: &Path) -> PathBuf {
        let paths: Vec<_> =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(paths.len(), 1, "{paths:?}");
        paths[0].clone()
    }

    #[test]
    fn half_a_line_of_a_killed_server_is_cut_off_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let long = "x".repeat(3 * BLOCK as usize);
        for (name, text, expected) in [
            ("feedback-1-a.jsonl", "{\"a\":1}\n{\"a\":2}\n{\"a\"", "{\"a\":1}\n{\"a\":2}\n"),
            ("feedback-1-b.jsonl", "{\"a\":1}\n", "{\"a\":1}\n"),
            ("feedback-1-c.jsonl", "{\"a\"", ""),
            ("feedback-1-d.jsonl", "", ""),
            ("feedback-1-e.jsonl", &format!("{{}}\n{long}"), "{}\n"),
            ("notes.txt", "mine", "mine"),
        ] {
            std::fs::write(path(name), text).unwrap();
            drop(FeedbackFile::new(folder.path().to_owned()));
            assert_eq!(std::fs::read_to_string(path(name)).unwrap(), expected, "{name}");
        }
        // Half a line that a running server is about to complete is left alone.
        let file = File::create(path("feedback-1-f.jsonl")).unwrap();
        file.try_lock().unwrap();
        std::fs::write(path("feedback-1-f.jsonl"), "{\"a\"").unwrap();
        drop(FeedbackFile::new(folder.path().to_owned()));
        assert_eq!(std::fs::read_to_string(path("feedback-1-f.jsonl")).unwrap(), "{\"a\"");
    }

    #[test]
    fn what_was_written_half_is_taken_back_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("_feedback");
        let log = FeedbackFile::new(dir.clone());
        log.append(b"one\n").unwrap();
        let path = only_file(&dir);
        // As a write leaves it that failed, and could not be taken back either.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"ha").unwrap();
        log.open.lock().unwrap().as_mut().unwrap().is_torn = true;
        log.append(b"two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&dir)), (0o600, 0o700));
    }
}
