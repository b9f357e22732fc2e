//! The tokens that a gateway knows: those of their file, which is read again when it changes, with what each of them
//! was used for.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use trainyard_base::rate::Meter;

use crate::error::Result;
use crate::tokens::{Entry, digest, read};

/// Bytes of a secret that is looked at: all of it is hashed.
const SECRET_BYTES_MAX: usize = 1024;

/// A token with its counts.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: Arc<str>,
    pub(super) entry: Entry,
    pub(super) meter: Option<Meter>,
    /// Requests that it let in.
    pub(super) used: AtomicU64,
}

/// What changes with a file: when it was written, its length, and which file it is.
type Stamp = (SystemTime, u64, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len(), about.ino()))
}

/// How a file was when it was last read, and whether nothing came of that.
#[derive(Debug, Default)]
struct LastRead {
    stamp: Option<Stamp>,
    has_failed: bool,
}

/// The tokens of a file.
#[derive(Debug)]
pub(in crate::gateway) struct Tokens {
    path: PathBuf,
    known: ArcSwap<Vec<Arc<Known>>>,
    /// Held while the file is read: of two readings at a time the older one might be the last.
    last_read: Mutex<LastRead>,
}

impl Tokens {
    /// Reads a file. Where it is the one of before, its tokens go on with their counts.
    pub(in crate::gateway) fn open(path: &Path, before: Option<&Arc<Self>>) -> Result<Arc<Self>> {
        if let Some(before) = before.filter(|before| before.path == path) {
            before.read_again()?;
            return Ok(Arc::clone(before));
        }
        let tokens =
            Self { path: path.to_owned(), known: ArcSwap::default(), last_read: Mutex::default() };
        tokens.read_again()?;
        Ok(Arc::new(tokens))
    }

    fn read_again(&self) -> Result<()> {
        self.read_as(&mut self.last_read())
    }

    fn last_read(&self) -> MutexGuard<'_, LastRead> {
        // Right after each statement.
        self.last_read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_as(&self, last: &mut LastRead) -> Result<()> {
        // Taken first: a change while the file is read is noticed the next time.
        *last = LastRead { stamp: stamp(&self.path), has_failed: true };
        let before = self.known.load();
        let keep = |entry: Entry| {
            let same = before.iter().find(|known| known.entry == entry);
            same.cloned().unwrap_or_else(|| {
                Arc::new(Known {
                    name: entry.name.as_str().into(),
                    meter: entry.rate.map(Meter::new),
                    entry,
                    used: AtomicU64::new(0),
                })
            })
        };
        let known: Vec<_> = read(&self.path)?.into_iter().map(keep).collect();
        self.known.store(Arc::new(known));
        last.has_failed = false;
        Ok(())
    }

    /// Reads the file if it has changed. What cannot be used leaves the tokens before, and is tried again: where only
    /// a descriptor was missing, who was taken out of the file must not stay in.
    pub(super) fn look(&self) {
        let mut last = self.last_read();
        let has_changed = last.stamp != stamp(&self.path);
        if !has_changed && !last.has_failed {
            return;
        }
        match self.read_as(&mut last) {
            Ok(()) => tracing::info!(file = %self.path.display(), "the tokens were read again"),
            Err(error) if has_changed => {
                tracing::warn!(%error, "the tokens before are still known");
            }
            // It was said.
            Err(_) => {}
        }
    }

    /// The token with this secret. All are compared, each in the same time, so that how long it takes says nothing.
    pub(super) fn find(&self, secret: &str) -> Option<Arc<Known>> {
        if secret.len() > SECRET_BYTES_MAX {
            return None;
        }
        let digest = digest(secret);
        let known = self.known.load();
        let found =
            known.iter().fold(
                None,
                |found, known| {
                    if known.entry.is_of(&digest) { Some(known) } else { found }
                },
            );
        found.cloned()
    }

    /// All of them.
    pub(super) fn all(&self) -> Arc<Vec<Arc<Known>>> {
        self.known.load_full()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::tokens::{add, revoke};

    #[test]
    fn a_file_that_changes_is_read_again_and_counts_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        for name in ["shop", "ci"] {
            add(&path, &Entry::new(name, &format!("secret of {name}")).unwrap()).unwrap();
        }
        let tokens = Tokens::open(&path, None).unwrap();
        tokens.find("secret of shop").unwrap().used.fetch_add(3, Ordering::Relaxed);
        assert!(tokens.find("secret of nobody").is_none() && tokens.find("").is_none());
        revoke(&path, "ci").unwrap();
        tokens.look();
        assert!(tokens.find("secret of ci").is_none());
        let again = Tokens::open(&path, Some(&tokens)).unwrap();
        assert_eq!(again.find("secret of shop").unwrap().used.load(Ordering::Relaxed), 3);
        std::fs::write(&path, "shop in words").unwrap();
        tokens.look();
        assert!(tokens.find("secret of shop").is_some());
        assert!(Tokens::open(&path, Some(&tokens)).is_err());
        std::fs::remove_file(&path).unwrap();
        tokens.look();
        assert!(tokens.find("secret of shop").is_some());
    }

    #[test]
    fn what_could_not_be_read_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        add(&path, &Entry::new("old", "secret").unwrap()).unwrap();
        let tokens = Tokens::open(&path, None).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, "x".repeat(text.len() + 1)).unwrap();
        tokens.look();
        assert_eq!(&*tokens.find("secret").unwrap().name, "old");
        // The same file in all that a look sees of it.
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::fs::write(&path, text.replace("old ", "new ") + "\n").unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(modified).unwrap();
        tokens.look();
        assert_eq!(&*tokens.find("secret").unwrap().name, "new");
    }
}
