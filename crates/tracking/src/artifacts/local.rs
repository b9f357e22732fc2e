//! Folders of this machine: what really lies in them. A symlink may lead anywhere, and a name may be that of
//! a pipe or a device, so neither is taken at its word.

use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use trainyard_mlflow::entities::FileInfo;
use trainyard_mlflow::{Error, Result};

use super::listing::Listing;
use super::reach::Reach;

/// Symlinks followed one after the other: Linux' own limit.
const LINKS_MAX: usize = 40;

/// What files must be inside of.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub(super) root: PathBuf,
    /// All roots of who answers others; none for who may go wherever this one is.
    pub(super) reach: Option<Reach>,
}

impl Bounds {
    /// Whether a path, with all symlinks followed, is inside. It may not be there yet.
    pub(super) fn hold(&self, path: &Path) -> bool {
        real_path(path).is_some_and(|real| self.hold_real(&real))
    }

    /// The same for a path without symlinks.
    fn hold_real(&self, real: &Path) -> bool {
        match &self.reach {
            Some(reach) => reach.holds(real),
            None => real_path(&self.root).is_some_and(|root| real.starts_with(root)),
        }
    }

    /// Whether an opened file is inside, and not what somebody put in its place after it was checked.
    #[cfg(target_os = "linux")]
    pub(super) fn hold_open(&self, file: &File) -> bool {
        use std::os::fd::AsRawFd as _;
        let real = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        real.is_ok_and(|real| self.hold_real(&real))
    }

    /// Other systems do not tell where an opened file lies.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn hold_open(&self, _file: &File) -> bool {
        true
    }

    /// Files and folders directly in a folder, with names only; none if it is not one. Left out are what
    /// leads out of the bounds, and what is neither: reading a pipe would never end.
    pub(super) fn list(&self, folder: &Path, listing: &mut Listing) -> Result<Vec<FileInfo>> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if is_nowhere(error.kind()) => return Ok(Vec::new()),
            Err(error) => return Err(Error::io(folder, error)),
        };
        let real = folder.canonicalize().map_err(|error| Error::io(folder, error))?;
        let private: Vec<PathBuf> = self.reach.iter().flat_map(Reach::private_files).collect();
        let mut found = Vec::new();
        for entry in entries {
            listing.check_awaited()?;
            let entry = entry.map_err(|error| Error::io(folder, error))?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !is_unfinished(name)) else { continue };
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            let hidden = private.contains(&real.join(name));
            if hidden || is_link && !self.hold(&entry.path()) {
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
}

/// Nothing can be at this path: it leads through a file, or a name in it is too long for the disk.
pub(super) fn is_nowhere(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename)
}

/// Uploads in the making are called `name#1`.
fn is_unfinished(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, number)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The path with all symlinks followed, also of a file that is not there yet; none if it cannot be told.
pub(crate) fn real_path(path: &Path) -> Option<PathBuf> {
    follow(path, LINKS_MAX)
}

fn follow(path: &Path, links: usize) -> Option<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return Some(real);
    }
    let name: &OsStr = path.file_name()?;
    let parent = follow(path.parent()?, links)?;
    match path.read_link() {
        // A link to nothing does not canonicalize, yet writing through it would follow it.
        Ok(target) => follow(&parent.join(target), links.checked_sub(1)?),
        Err(_not_a_link) => Some(parent.join(name)),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_to_nothing_are_followed_to_where_it_would_be() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        symlink("../../new", root.join("a/b/climbs")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink("missing/../../x", root.join("odd")).unwrap();
        assert_eq!(real_path(&root.join("a/b/climbs")).unwrap(), root.join("new"));
        assert_eq!(real_path(&root.join("a/none/x")).unwrap(), root.join("a/none/x"));
        assert_eq!(real_path(&root.join("loop")), None);
        assert_eq!(real_path(&root.join("odd")), None);
        let bounds = Bounds { root: root.join("a"), reach: None };
        assert!(bounds.hold(&root.join("a/b/new")));
        assert!(!bounds.hold(&root.join("a/b/climbs")));
    }
}
