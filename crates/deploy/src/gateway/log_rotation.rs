//! Keeps the logs of a service from filling the disk. The gateway does it because it is what always runs.
//!
//! Whoever writes a log goes on writing to the same file, so it is copied and emptied rather than
//! renamed; lines written during the copy may be lost.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::state::folder::Folder;
use crate::state::supervisor;

/// A log is put aside beyond this size.
const BYTES_MAX: u64 = 32 << 20;

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
    for log in logs(folder) {
        let is_large = std::fs::metadata(&log).is_ok_and(|file| file.len() > max_bytes);
        if is_large && let Err(error) = put_aside(&log) {
            tracing::warn!(%error, log = %log.display(), "a log cannot be put aside");
        }
    }
}

fn logs(folder: &Folder) -> Vec<PathBuf> {
    let mut logs = vec![folder.gateway_log(), folder.access_log(), supervisor::log_path(folder)];
    if let Ok(instances) = std::fs::read_dir(folder.instances()) {
        logs.extend(instances.flatten().map(|instance| instance.path().join("output.log")));
    }
    logs
}

fn put_aside(log: &Path) -> std::io::Result<()> {
    let mut aside = log.as_os_str().to_owned();
    aside.push(".1");
    std::fs::copy(log, PathBuf::from(aside))?;
    std::fs::OpenOptions::new().write(true).open(log)?.set_len(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_large_log_is_put_aside_and_its_writer_goes_on() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder { root: temporary.path().to_owned() };
        let instance = folder.instance("r1");
        std::fs::create_dir_all(&instance).unwrap();
        let path = instance.join("output.log");
        let mut writer = std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
        writer.write_all(b"0123456789").unwrap();
        rotate(&folder, 10);
        assert_eq!(std::fs::read(&path).unwrap(), b"0123456789");
        rotate(&folder, 9);
        writer.write_all(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read(instance.join("output.log.1")).unwrap(), b"0123456789");
    }
}
