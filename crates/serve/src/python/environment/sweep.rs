//! What is removed: environments that nobody has used for long, and the longest unused ones when all together are too
//! large. One that a living process uses is never removed, nor one that is being made: both are locked.

use std::collections::HashSet;
use std::io::Result;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::build::WHEELS;
use super::cache::Cache;
use super::lock::{Hold, Lock};

/// How long an environment is kept that nobody uses: longer than between two releases of most models.
const UNUSED_MAX: Duration = Duration::from_hours(24 * 30);

/// Files that were counted already: those that several environments share count once.
type Counted = HashSet<(u64, u64)>;

/// Removes what is too old, what was left half-made, and what is too much beyond `bytes_max`, for which all files are
/// looked at. The index must be locked.
pub(super) fn sweep(cache: &Cache, bytes_max: u64) -> Result<()> {
    let now = SystemTime::now();
    let (_, folders) = cache.names()?;
    let mut whole = Vec::new();
    for name in folders {
        let is_whole = cache.entry(&name).is_some_and(|entry| entry.environment == name);
        if !is_whole && cache.adopt(&name)? {
            // From now on it is as old as any other: nobody knows who uses it.
            if let Some(lock) = Lock::try_take(&cache.lock(&name), Hold::Shared)? {
                lock.touch();
            }
        } else if !is_whole {
            remove(cache, &name, "it is half-made")?;
            continue;
        }
        let used = std::fs::metadata(cache.lock(&name)).and_then(|lock| lock.modified());
        whole.push((used.unwrap_or(SystemTime::UNIX_EPOCH), name));
    }
    // The last used first: they are kept.
    whole.sort();
    let (mut bytes, mut counted) = (0_u64, Counted::new());
    for (used, name) in whole.into_iter().rev() {
        let is_old = now.duration_since(used).is_ok_and(|age| age > UNUSED_MAX);
        if is_old && remove(cache, &name, "nobody has used it for long")? {
            continue;
        }
        let own = measure(&cache.place(&name), &mut counted);
        let is_too_much = bytes.saturating_add(own) > bytes_max;
        if is_too_much && remove(cache, &name, "all together are too large")? {
            continue;
        }
        bytes = bytes.saturating_add(own);
    }
    let wheels = cache.folder().join(WHEELS);
    if bytes.saturating_add(measure(&wheels, &mut counted)) > bytes_max {
        remove_wheels(cache, &wheels)?;
    }
    // Others asked for the same as one that is gone now.
    let (entered, _) = cache.names()?;
    for digest in entered {
        let is_left =
            cache.entry(&digest).is_none_or(|entry| cache.entry(&entry.environment).is_none());
        if is_left && let Some(lock) = Lock::try_take(&cache.lock(&digest), Hold::Alone)? {
            cache.forget(&digest)?;
            lock.remove();
        }
    }
    Ok(())
}

/// Removes an environment unless somebody has it; whether it did.
fn remove(cache: &Cache, name: &str, why: &str) -> Result<bool> {
    let Some(lock) = Lock::try_take(&cache.lock(name), Hold::Alone)? else { return Ok(false) };
    tracing::info!(path = %cache.place(name).display(), why, "removing a Python environment");
    cache.remove(name)?;
    lock.remove();
    Ok(true)
}

/// Removes what uv and pip have kept, unless they are at work. They bring it again.
fn remove_wheels(cache: &Cache, wheels: &Path) -> Result<()> {
    let Some(lock) = Lock::try_take(&cache.lock(WHEELS), Hold::Alone)? else { return Ok(()) };
    if wheels.is_dir() {
        tracing::info!(path = %wheels.display(), "removing downloaded packages");
        std::fs::remove_dir_all(wheels)?;
    }
    lock.remove();
    Ok(())
}

/// Bytes on the disk of what is below a folder and was not counted yet. What cannot be looked at counts nothing.
fn measure(folder: &Path, counted: &mut Counted) -> u64 {
    let (mut bytes, mut folders) = (0, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(found) = entry.metadata() else { continue };
            if counted.insert((found.dev(), found.ino())) {
                bytes += found.blocks() * 512;
            }
            if found.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::cache::Entry;
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    /// An environment of so many bytes that was used so many days ago.
    fn environment(cache: &Cache, digit: char, bytes: usize, days: u32) -> String {
        let name = digit.to_string().repeat(32);
        std::fs::create_dir_all(cache.place(&name).join("bin")).unwrap();
        std::fs::write(cache.python(&name), "").unwrap();
        std::fs::write(cache.place(&name).join("library"), vec![1; bytes]).unwrap();
        let entry = Entry { environment: name.clone(), holds: String::new() };
        cache.put(&name, &entry).unwrap();
        let lock = std::fs::File::create(cache.lock(&name)).unwrap();
        lock.set_modified(SystemTime::now() - DAY * days).unwrap();
        name
    }

    fn names(cache: &Cache) -> Vec<String> {
        let (entered, folders) = cache.names().unwrap();
        assert!(folders.iter().all(|folder| entered.contains(folder)), "{folders:?} {entered:?}");
        folders.into_iter().map(|name| name.get(..1).unwrap().to_owned()).collect()
    }

    #[test]
    fn what_is_old_or_too_much_goes_and_what_is_used_stays() {
        const MIB: u64 = 1 << 20;
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let old = environment(&cache, 'a', 1000, 40);
        let used = environment(&cache, 'b', 1000, 40);
        environment(&cache, 'c', 2 << 20, 3);
        environment(&cache, 'd', 2 << 20, 2);
        environment(&cache, 'e', 2 << 20, 1);
        // Another asked for what the old one has; one is half-made; what is none of ours is let alone.
        let other = "f".repeat(32);
        cache.put(&other, &Entry { environment: old, holds: String::new() }).unwrap();
        std::fs::create_dir_all(cache.place(&"0".repeat(32)).join("lib")).unwrap();
        std::fs::create_dir_all(cache.folder().join("notes")).unwrap();
        let lock = Lock::try_take(&cache.lock(&used), Hold::Shared).unwrap().unwrap();
        sweep(&cache, 100 * MIB).unwrap();
        assert_eq!(names(&cache), ["b", "c", "d", "e"]);
        assert!(cache.entry(&other).is_none() && cache.folder().join("notes").is_dir());
        // The longest unused one goes first, but for what is used.
        sweep(&cache, 5 * MIB).unwrap();
        assert_eq!(names(&cache), ["b", "d", "e"]);
        std::fs::create_dir_all(cache.folder().join(WHEELS)).unwrap();
        std::fs::write(cache.folder().join("wheels/w"), vec![1; 2 << 20]).unwrap();
        sweep(&cache, 5 * MIB).unwrap();
        assert!(!cache.folder().join(WHEELS).exists());
        assert_eq!(names(&cache), ["b", "d", "e"]);
        sweep(&cache, 1).unwrap();
        assert_eq!(names(&cache), ["b"]);
        drop(lock);
        sweep(&cache, 1).unwrap();
        assert!(names(&cache).is_empty());
    }

    #[test]
    fn what_servers_of_an_earlier_version_may_run_from_stays_for_as_long_as_what_is_unused() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let name = "a".repeat(32);
        std::fs::create_dir_all(cache.place(&name)).unwrap();
        std::fs::write(cache.place(&name).join(".trainyard-complete"), "mlflow\n").unwrap();
        // It was made long ago.
        let lock = std::fs::File::create(cache.lock(&name)).unwrap();
        lock.set_modified(SystemTime::now() - DAY * 40).unwrap();
        for _ in 0..2 {
            sweep(&cache, u64::MAX).unwrap();
            assert_eq!(names(&cache), ["a"]);
        }
        lock.set_modified(SystemTime::now() - DAY * 40).unwrap();
        sweep(&cache, u64::MAX).unwrap();
        assert!(names(&cache).is_empty() && !cache.place(&name).exists());
    }

    #[test]
    fn files_that_two_share_count_once() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let one = environment(&cache, 'a', 4 << 20, 2);
        let two = environment(&cache, 'b', 1, 1);
        std::fs::hard_link(cache.place(&one).join("library"), cache.place(&two).join("big"))
            .unwrap();
        sweep(&cache, 5 << 20).unwrap();
        assert_eq!(names(&cache), ["a", "b"]);
    }
}
