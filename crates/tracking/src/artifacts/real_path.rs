//! Where a path really leads: a symlink may lead anywhere, also to what is not there yet.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Symlinks followed one after the other: Linux' own limit.
const LINKS_MAX: usize = 40;

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
    }
}
