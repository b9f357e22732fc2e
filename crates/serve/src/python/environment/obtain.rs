//! From what a model wants to an interpreter that has it: one that is there, or one that is made now.

use std::iter::successors;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use trainyard_base::TemporaryFolder;

use super::build::{self, Tool};
use super::cache::{Cache, DIGITS, Entry};
use super::contents;
use super::lock::{Hold, Lock};
use super::share::{self, Shared};
use super::sweep::sweep;
use super::tool::Workshop;
use super::wanted::Requirements;
use crate::options::PythonOptions;
use crate::python::variables::{self, Variables};

/// Installing scikit-learn and friends over a slow line takes minutes, not longer.
const MAKING_TIMEOUT: Duration = Duration::from_mins(20);

/// Environments of the same packages that are in use at the same time, each where its Python is.
const PYTHONS_MAX: usize = 4;

/// How often it is noted that an environment is in use: whoever is killed after months has used it yesterday, and it is
/// there at the next start.
const NOTED_EVERY: Duration = Duration::from_hours(24);

/// An environment that stays for as long as this value does.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) interpreter: PathBuf,
    lock: Arc<Lock>,
    noting: JoinHandle<()>,
}

impl Environment {
    fn new(interpreter: PathBuf, lock: Lock) -> Self {
        lock.touch();
        let lock = Arc::new(lock);
        // It is not held for the sake of the note.
        let held = Arc::downgrade(&lock);
        let noting = tokio::spawn(async move {
            loop {
                tokio::time::sleep(NOTED_EVERY).await;
                let Some(lock) = held.upgrade() else { return };
                lock.touch();
            }
        });
        Self { interpreter, lock, noting }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.noting.abort();
        self.lock.touch();
    }
}

/// The environment of a model. It is made unless it is there: then no tool is started and nothing is asked of the
/// network.
pub(crate) async fn environment(
    requirements: &Requirements,
    options: &PythonOptions,
) -> Result<Environment, String> {
    let folder = &options.cache_dir;
    let cache = Cache::open(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let tools = Tools { tool: Tool::Any, variables: variables::for_tools() };
    obtain(&cache, requirements, options.cache_bytes_max, &tools).await
}

/// With what environments are made.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) tool: Tool,
    pub(super) variables: Variables,
}

pub(super) async fn obtain(
    cache: &Cache,
    requirements: &Requirements,
    bytes_max: u64,
    tools: &Tools,
) -> Result<Environment, String> {
    let broken = |error: std::io::Error| format!("{}: {error}", cache.folder().display());
    let wanted = requirements.digest();
    let mut was_made = false;
    loop {
        let digest = name_of(cache, &wanted).map_err(broken)?;
        if let Some(environment) = existing(cache, &digest).await.map_err(broken)? {
            // Only when one has come: who starts without a network, after a month off or with a wrong clock, finds all that
            // was there.
            if was_made {
                tidy(cache, bytes_max).await;
            }
            return Ok(environment);
        }
        // Who waits for another that makes it, waits no longer than that: it is in use from then on.
        let is_made = || cache.whole(&digest).is_some();
        let lock = Lock::take_unless(&cache.lock(&digest), Hold::Alone, is_made).await;
        let Some(lock) = lock.map_err(broken)? else { continue };
        // Another may have made it, while this waited.
        if cache.whole(&digest).is_none() {
            make(cache, &digest, requirements, lock, tools).await?;
            was_made = true;
        }
    }
}

/// The name under which an environment is, or is to be made. One whose Python is not there may be in use in another
/// container, where it is: that one stays, and nobody waits for its end.
fn name_of(cache: &Cache, wanted: &str) -> std::io::Result<String> {
    let further = |name: &String| {
        let digest = hex::encode(Sha256::digest(name));
        digest.get(..DIGITS).map(str::to_owned)
    };
    let names: Vec<String> =
        successors(Some(wanted.to_owned()), further).take(PYTHONS_MAX).collect();
    if let Some(whole) = names.iter().find(|name| cache.whole(name).is_some()) {
        return Ok(whole.clone());
    }
    for name in &names {
        // One without an entry is being made, or will be.
        let is_free = cache.entry(name).is_none()
            || Lock::try_take(&cache.lock(name), Hold::Alone)?.is_some();
        if is_free {
            return Ok(name.clone());
        }
    }
    Ok(wanted.to_owned())
}

/// Removes what nobody uses. If others enter an environment at the moment, they do it when they have.
async fn tidy(cache: &Cache, bytes_max: u64) {
    let cache = cache.clone();
    let swept = blocking(move || match cache.try_index_lock()? {
        Some(_index) => sweep(&cache, bytes_max),
        None => Ok(()),
    });
    if let Err(error) = swept.await {
        tracing::warn!(%error, "Python environments that nobody uses could not be removed");
    }
}

/// The environment that was entered for a digest, if there is one.
async fn existing(cache: &Cache, digest: &str) -> std::io::Result<Option<Environment>> {
    let Some(entry) = cache.whole(digest) else { return Ok(None) };
    let lock = Lock::take(&cache.lock(&entry.environment), Hold::Shared).await?;
    // It may have been removed before it was locked.
    if cache.whole(digest).as_ref() != Some(&entry) {
        return Ok(None);
    }
    Ok(Some(Environment::new(cache.python(&entry.environment), lock)))
}

/// Makes the environment of a digest, whose lock is held alone.
async fn make(
    cache: &Cache,
    digest: &str,
    requirements: &Requirements,
    lock: Lock,
    tools: &Tools,
) -> Result<(), String> {
    let broken = |error: std::io::Error| format!("{}: {error}", cache.folder().display());
    let began = Instant::now();
    let folder = TemporaryFolder::create("environment").map_err(|error| error.to_string())?;
    let wheels = Lock::take(&cache.lock(build::WHEELS), Hold::Shared).await.map_err(broken)?;
    let mut variables = tools.variables.clone();
    for (name, folder) in build::wheel_folders(&variables, cache.folder()) {
        std::fs::create_dir_all(&folder).map_err(broken)?;
        variables.push((name, folder));
    }
    let remove = || {
        let (cache, digest) = (cache.clone(), digest.to_owned());
        blocking(move || cache.remove(&digest))
    };
    // What a killed server left.
    remove().await.map_err(broken)?;
    let place = cache.place(digest);
    let deadline = began + MAKING_TIMEOUT;
    let workshop = Workshop { folder: folder.path(), variables: &variables, lock: &lock, deadline };
    if let Err(reason) = build::build(&workshop, &tools.tool, requirements, &place).await {
        // Else it takes room until the next one is made.
        if remove().await.is_ok() {
            lock.remove();
        }
        return Err(reason);
    }
    drop(wheels);
    let entering = {
        let (cache, digest) = (cache.clone(), digest.to_owned());
        // Locked until it is done, whether or not somebody still waits for it.
        move || enter(&cache, &digest, &lock)
    };
    let (entry, shared) = blocking(entering).await.map_err(broken)?;
    tracing::info!(
        path = %cache.place(&entry.environment).display(),
        seconds = began.elapsed().as_secs(),
        shared_files = shared.files,
        freed_bytes = shared.bytes,
        "the Python environment is made"
    );
    Ok(())
}

/// Enters an environment that was made: itself, or one that holds the same and was there before.
fn enter(cache: &Cache, digest: &str, lock: &Lock) -> std::io::Result<(Entry, Shared)> {
    let place = cache.place(digest);
    let holds = contents::digest(&place)?;
    let _index = cache.index_lock()?;
    let (entered, _) = cache.names()?;
    let others: Vec<Entry> = entered
        .iter()
        .filter(|name| *name != digest)
        .filter_map(|name| cache.whole(name).filter(|entry| entry.environment == *name))
        .collect();
    if let Some(twin) = others.into_iter().find(|other| other.holds == holds) {
        cache.put(digest, &twin)?;
        std::fs::remove_dir_all(&place)?;
        return Ok((twin, Shared::default()));
    }
    let places = entered.iter().filter(|name| *name != digest).map(|name| cache.place(name));
    let shared = match share::donor(places, &place) {
        // What is not shared is there twice, and no worse.
        Some(donor) => share::share(&donor, &place).unwrap_or_else(|error| {
            tracing::debug!(%error, "files of Python environments are not shared");
            Shared::default()
        }),
        None => Shared::default(),
    };
    let entry = Entry { environment: digest.to_owned(), holds };
    lock.touch();
    cache.put(digest, &entry)?;
    Ok((entry, shared))
}

/// Work that waits for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_is_used_where_its_python_is_keeps_nobody_from_making_another() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let wanted = "a".repeat(DIGITS);
        let name = || name_of(&cache, &wanted).unwrap();
        assert_eq!(name(), wanted);
        // Made in a container with another Python.
        let make = |name: &str| {
            std::fs::create_dir_all(cache.place(name).join("bin")).unwrap();
            cache.put(name, &Entry { environment: name.to_owned(), holds: String::new() }).unwrap();
        };
        make(&wanted);
        assert_eq!(name(), wanted, "nobody uses it: it is made anew");
        let used = Lock::try_take(&cache.lock(&wanted), Hold::Shared).unwrap().unwrap();
        let other = name();
        assert!(other != wanted && other.len() == DIGITS, "{other}");
        make(&other);
        std::fs::write(cache.python(&other), "").unwrap();
        drop(used);
        assert_eq!(name(), other, "one that is there is made by nobody");
        std::fs::write(cache.python(&wanted), "").unwrap();
        assert_eq!(name(), wanted);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_used_for_months_was_used_yesterday() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let lock = Lock::try_take(&path, Hold::Shared).unwrap().unwrap();
        let environment = Environment::new(folder.path().join("bin/python"), lock);
        let file = File::open(&path).unwrap();
        let long_ago = SystemTime::now() - 40 * NOTED_EVERY;
        file.set_modified(long_ago).unwrap();
        tokio::time::sleep(NOTED_EVERY + Duration::from_secs(1)).await;
        assert!(file.metadata().unwrap().modified().unwrap() > long_ago + NOTED_EVERY);
        // The lock goes with the environment, at once.
        drop(environment);
        assert!(Lock::try_take(&path, Hold::Alone).unwrap().is_some());
    }
}
