//! Whether there is room for one more model before it is loaded, not after.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// Bytes in memory for each byte of a model's files: compressed trees grow, and while a file is
/// parsed its text and its values are there together. What a loaded model takes is less.
const FACTOR: u64 = 3;

/// Refuses a model folder for which there is no room.
pub(crate) fn check(folder: &Path, available: Option<u64>) -> Result<()> {
    let Some(available) = available else { return Ok(()) };
    let needed = folder_bytes(folder, 0)
        .map_err(|source| Error::Io { path: folder.to_owned(), source })?
        .saturating_mul(FACTOR);
    if needed > available {
        return Err(Error::Memory { needed, available });
    }
    Ok(())
}

/// Folders within folders; a model's are two or three deep.
const DEPTH_MAX: usize = 32;

fn folder_bytes(folder: &Path, depth: usize) -> std::io::Result<u64> {
    let mut bytes = 0_u64;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_file() {
            bytes = bytes.saturating_add(metadata.len());
        } else if metadata.is_dir() && depth < DEPTH_MAX {
            bytes = bytes.saturating_add(folder_bytes(&entry.path(), depth + 1)?);
        }
    }
    Ok(bytes)
}

/// Bytes that this process can still take: of the machine, of its control group, and of the limit
/// it was given. None where nothing says.
pub(crate) fn available(limit: Option<u64>) -> Option<u64> {
    let own = limit.map(|limit| limit.saturating_sub(resident().unwrap_or(0)));
    [machine(), group(Path::new("/sys/fs/cgroup")), own].into_iter().flatten().min()
}

fn machine() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

fn resident() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// The value of a line such as `MemAvailable:  1234 kB`.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What the control group leaves, by either version of its files. Pages of files that nobody has
/// used for a while count as used there, but are given up first.
fn group(root: &Path) -> Option<u64> {
    let number = |file: &str| fs::read_to_string(root.join(file)).ok()?.trim().parse::<u64>().ok();
    let idle_pages = |file: &str| {
        let text = fs::read_to_string(root.join(file)).ok()?;
        text.lines().find_map(|line| line.strip_prefix("inactive_file "))?.trim().parse().ok()
    };
    let (limit, used, idle): (u64, u64, Option<u64>) = match number("memory.max") {
        Some(limit) => (limit, number("memory.current")?, idle_pages("memory.stat")),
        None => (
            number("memory/memory.limit_in_bytes")?,
            number("memory/memory.usage_in_bytes")?,
            idle_pages("memory/memory.stat"),
        ),
    };
    Some(limit.saturating_sub(used.saturating_sub(idle.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_control_groups_are_read() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(group(root.path()), None);
        let write = |file: &str, text: &str| fs::write(root.path().join(file), text).unwrap();
        fs::create_dir(root.path().join("memory")).unwrap();
        write("memory/memory.limit_in_bytes", "1000\n");
        write("memory/memory.usage_in_bytes", "900\n");
        write("memory/memory.stat", "cache 5\ninactive_file 100\n");
        assert_eq!(group(root.path()), Some(200));
        write("memory.max", "max\n");
        assert_eq!(group(root.path()), Some(200), "no limit of version 2");
        write("memory.max", "5000\n");
        write("memory.current", "1000\n");
        assert_eq!(group(root.path()), Some(4000));
    }

    #[test]
    fn a_model_without_room_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(folder.path().join("data/model"), vec![0; 1000]).unwrap();
        assert!(check(folder.path(), None).is_ok());
        assert!(check(folder.path(), Some(3000)).is_ok());
        let error = check(folder.path(), Some(2999)).unwrap_err().to_string();
        assert!(error.contains("3000") && error.contains("2999"), "{error}");
        assert!(available(None).is_some_and(|bytes| bytes > 1 << 20));
        assert_eq!(available(Some(0)), Some(0));
    }
}
