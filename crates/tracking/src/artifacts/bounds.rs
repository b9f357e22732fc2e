//! What files of this machine must be inside of. A symlink may lead anywhere, so no name is taken at its word.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::allowed_roots::Reach;
use super::real_path::real_path;

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
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_lead_out_of_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        symlink("../../new", root.join("a/b/climbs")).unwrap();
        let bounds = Bounds { root: root.join("a"), reach: None };
        assert!(bounds.hold(&root.join("a/b/new")));
        assert!(!bounds.hold(&root.join("a/b/climbs")));
    }
}
