//! What lies in one folder of a disk or a bucket.
//!
//! How large a folder is, is decided by whoever filled it. So few are listed at a time, what is found is
//! counted, and a listing ends when its client hangs up.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use object_store::path::Path as StorePath;
use tokio::sync::OwnedSemaphorePermit;
use trainyard_mlflow::entities::FileInfo;
use trainyard_mlflow::{Error, ErrorCode, Result};

use super::allowed_roots::Reach;
use super::bounds::Bounds;
use super::error::{is_nowhere, storage};
use super::location::{Location, local_path};
use super::memory::{Held, Memory};
use super::path::{ArtifactPath, with_controls};
use crate::error::invalid;

/// Most entries of one folder that are listed: an answer of some 10 MB.
const ENTRIES_MAX: usize = 100_000;
/// What an entry takes beside its path, and what the allocator adds.
const ENTRY_BYTES: usize = 128;

/// Files and folders directly in `place`, which `path` names, in the order of their names.
pub(super) async fn list(
    location: &Location,
    place: &StorePath,
    path: &ArtifactPath,
    memory: &Memory,
) -> Result<Vec<FileInfo>> {
    // Gone with this call, when nobody waits for it any more.
    let caller = Arc::new(());
    let mut listing = Listing::begin(path, memory, &caller).await?;
    let mut entries = if location.is_local() {
        let folder = local_path(place);
        // The turn goes along: until the disk is done, others wait, whether the client does or not.
        let listed =
            location.on_disk(move |bounds| in_folder(&bounds, &folder, &mut listing)).await?;
        listed.unwrap_or_else(|| Ok(Vec::new()))?
    } else {
        in_bucket(location, place, &mut listing).await?
    };
    for entry in &mut entries {
        if path.is_root() {
            entry.path = with_controls(&entry.path);
        } else {
            entry.path = with_controls(&format!("{path}/{}", entry.path));
        }
    }
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// Files and folders directly in a folder, with names only; none if it is not one. Left out are what
/// leads out of the bounds, and what is neither: reading a pipe would never end.
fn in_folder(bounds: &Bounds, folder: &Path, listing: &mut Listing) -> Result<Vec<FileInfo>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_nowhere(error.kind()) => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(folder, error)),
    };
    let real = folder.canonicalize().map_err(|error| Error::io(folder, error))?;
    let private: Vec<PathBuf> = bounds.reach.iter().flat_map(Reach::private_files).collect();
    let mut found = Vec::new();
    for entry in entries {
        listing.check_awaited()?;
        let entry = entry.map_err(|error| Error::io(folder, error))?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !is_unfinished(name)) else { continue };
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let hidden = private.contains(&real.join(name));
        if hidden || is_link && !bounds.hold(&entry.path()) {
            continue;
        }
        // What is gone by now, and links to nothing, are not there.
        let Ok(metadata) = std::fs::metadata(entry.path()) else { continue };
        let is_dir = metadata.is_dir();
        if !is_dir && !metadata.is_file() {
            continue;
        }
        let file_size = (!is_dir).then(|| i64::try_from(metadata.len()).unwrap_or(i64::MAX));
        listing.add(name)?;
        found.push(FileInfo { path: name.to_owned(), is_dir, file_size });
    }
    Ok(found)
}

/// Uploads in the making are called `name#1`.
fn is_unfinished(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, number)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

async fn in_bucket(
    location: &Location,
    place: &StorePath,
    listing: &mut Listing,
) -> Result<Vec<FileInfo>> {
    let listed = location.store.list_with_delimiter(Some(place)).await;
    let listed = listed.map_err(|error| storage(place, &error))?;
    let directories = listed.common_prefixes.iter().map(|folder| (folder, None::<u64>));
    let files = listed.objects.iter().map(|object| (&object.location, Some(object.size)));
    let mut entries = Vec::new();
    for (found, size) in directories.chain(files) {
        let name = found.filename().unwrap_or_default();
        listing.add(name)?;
        entries.push(FileInfo {
            path: name.to_owned(),
            is_dir: size.is_none(),
            file_size: size.and_then(|size| i64::try_from(size).ok()),
        });
    }
    Ok(entries)
}

/// One listing: whether it may go on.
#[derive(Debug)]
struct Listing {
    _turn: OwnedSemaphorePermit,
    held: Held,
    caller: Weak<()>,
    /// Bytes of what is put before each name.
    prefix: usize,
    entries: usize,
    bytes: usize,
}

impl Listing {
    async fn begin(path: &ArtifactPath, memory: &Memory, caller: &Arc<()>) -> Result<Self> {
        Ok(Self {
            _turn: memory.turn_to_list().await?,
            held: memory.hold()?,
            caller: Arc::downgrade(caller),
            prefix: path.as_str().len(),
            entries: 0,
            bytes: 0,
        })
    }

    /// Refuses to go on when nobody waits for it.
    fn check_awaited(&self) -> Result<()> {
        if self.caller.strong_count() > 0 {
            return Ok(());
        }
        Err(Error::api(ErrorCode::TemporarilyUnavailable, "nobody waits for the listing any more"))
    }

    /// Counts one more entry.
    fn add(&mut self, name: &str) -> Result<()> {
        self.entries += 1;
        if self.entries > ENTRIES_MAX {
            return invalid!("the folder has more than {ENTRIES_MAX} entries and cannot be listed");
        }
        self.bytes += ENTRY_BYTES + self.prefix + name.len();
        self.held.resize(self.bytes as u64)
    }
}

#[cfg(test)]
mod tests {
    use trainyard_base::Budget;

    use super::*;

    #[tokio::test]
    async fn a_listing_ends_at_its_limits() {
        let budget = Budget::new(64 << 20);
        let memory = Memory::new(Arc::clone(&budget));
        let path = ArtifactPath::parse("a/b").unwrap();
        let caller = Arc::new(());
        let mut listing = Listing::begin(&path, &memory, &caller).await.unwrap();
        for _entry in 0..ENTRIES_MAX {
            listing.add("f").unwrap();
        }
        assert!(budget.used() > 10 << 20);
        assert_eq!(listing.add("f").unwrap_err().code(), ErrorCode::InvalidParameterValue);
        listing.check_awaited().unwrap();
        drop(caller);
        listing.check_awaited().unwrap_err();
        drop(listing);
        assert_eq!(budget.used(), 0);
    }
}
