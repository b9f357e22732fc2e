//! Keeps the logs of a service from filling the disk. The gateway does it because it is what always runs.
//!
//! A log whose writers open it again is renamed. Whoever writes the output of a process goes on writing to the same
//! file, so that one is copied and emptied; lines written during the copy may be lost. Where there is no room for a copy,
//! its end is what is kept: a log that filled the disk must be emptied all the same.

use std::fs::OpenOptions;
use std::io::{Read, Result, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::state::folder::Folder;
use crate::state::supervisor;

/// A log is put aside beyond this size.
const BYTES_MAX: u64 = 32 << 20;

/// What is kept of a log for which there is no room: what happened last.
const END_BYTES: u64 = 1 << 20;

/// How often logs are looked at: at 10 MB/s they grow to ten times their size in between.
const INTERVAL: Duration = Duration::from_secs(30);

/// Runs until the gateway ends.
pub(super) async fn watch(folder: Folder) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let folder = folder.clone();
        let rotated = tokio::task::spawn_blocking(move || rotate(&folder, BYTES_MAX)).await;
        if let Err(error) = rotated {
            tracing::warn!(%error, "logs were not looked at");
        }
    }
}

/// Puts every log beyond the size aside, over the one put aside before.
fn rotate(folder: &Folder, max_bytes: u64) {
    for Log { path, is_reopened } in logs(folder) {
        if !std::fs::metadata(&path).is_ok_and(|file| file.len() > max_bytes) {
            continue;
        }
        let put = if is_reopened { std::fs::rename(&path, aside(&path)) } else { put_aside(&path) };
        if let Err(error) = put {
            tracing::warn!(%error, log = %path.display(), "a log cannot be put aside");
        }
    }
}

/// A log, and whether its writers look each time where it is.
struct Log {
    path: PathBuf,
    is_reopened: bool,
}

fn logs(folder: &Folder) -> Vec<Log> {
    let reopened = [folder.access_log(), supervisor::log_path(folder)];
    let mut outputs = vec![folder.gateway_log()];
    if let Ok(instances) = std::fs::read_dir(folder.instances()) {
        outputs.extend(instances.flatten().map(|instance| instance.path().join("output.log")));
    }
    let reopened = reopened.into_iter().map(|path| Log { path, is_reopened: true });
    reopened.chain(outputs.into_iter().map(|path| Log { path, is_reopened: false })).collect()
}

fn aside(log: &Path) -> PathBuf {
    let mut aside = log.as_os_str().to_owned();
    aside.push(".1");
    aside.into()
}

/// Copies a log and empties it.
fn put_aside(log: &Path) -> Result<()> {
    let Err(error) = std::fs::copy(log, aside(log)) else {
        return OpenOptions::new().write(true).open(log)?.set_len(0);
    };
    tracing::warn!(%error, log = %log.display(), "only the end of a log is kept");
    keep_end(log)
}

/// Empties a log first, and keeps its end where that can be.
fn keep_end(log: &Path) -> Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(log)?;
    let start = file.metadata()?.len().saturating_sub(END_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    Read::by_ref(&mut file).take(END_BYTES).read_to_end(&mut end)?;
    file.set_len(0)?;
    // The first line is cut, unless it is the first of the log.
    let cut = if start == 0 {
        0
    } else {
        end.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1)
    };
    std::fs::write(aside(log), end.get(cut..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_large_log_is_put_aside_and_its_writer_goes_on() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder { root: temporary.path().to_owned() };
        let instance = folder.instance("r1");
        std::fs::create_dir_all(&instance).unwrap();
        let path = instance.join("output.log");
        let mut writer = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        writer.write_all(b"0123456789").unwrap();
        rotate(&folder, 10);
        assert_eq!(std::fs::read(&path).unwrap(), b"0123456789");
        rotate(&folder, 9);
        writer.write_all(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read(instance.join("output.log.1")).unwrap(), b"0123456789");
    }

    #[test]
    fn a_log_that_is_opened_again_takes_no_room_for_a_copy() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder { root: temporary.path().to_owned() };
        std::fs::write(folder.access_log(), "a line\n").unwrap();
        let inode = std::fs::metadata(folder.access_log()).unwrap().ino();
        rotate(&folder, 1);
        assert!(!folder.access_log().exists());
        assert_eq!(std::fs::metadata(aside(&folder.access_log())).unwrap().ino(), inode);
    }

    #[test]
    fn a_log_for_which_there_is_no_room_is_emptied_and_its_end_kept() {
        let temporary = tempfile::tempdir().unwrap();
        let log = temporary.path().join("output.log");
        let lines = "a line of twenty byte\n".repeat(100_000);
        std::fs::write(&log, &lines).unwrap();
        keep_end(&log).unwrap();
        assert_eq!(std::fs::metadata(&log).unwrap().len(), 0);
        let end = std::fs::read_to_string(aside(&log)).unwrap();
        assert!(lines.ends_with(&end) && end.starts_with("a line"), "{}", end.len());
        assert!(end.len() > 1_000_000, "{}", end.len());
        // Not even that can be written.
        std::fs::remove_file(aside(&log)).unwrap();
        std::fs::create_dir(aside(&log)).unwrap();
        std::fs::write(&log, &lines).unwrap();
        put_aside(&log).unwrap_err();
        assert_eq!(std::fs::metadata(&log).unwrap().len(), 0, "it is emptied all the same");
    }
}
