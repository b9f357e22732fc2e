//! How often an instance was started again, and why last: beside what was started.

use serde::{Deserialize, Serialize};

use super::file::{read_json, replace_json};
use super::folder::Folder;
use crate::clock::now_ms;
use crate::error::Result;

/// How often an instance was started again since its release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Restarts {
    /// How often.
    pub count: u64,
    /// When last, in milliseconds since 1970.
    pub last_ms: u64,
    /// Why last (`signal 9`, `it is stopped`).
    pub last_cause: String,
}

impl Folder {
    /// How often an instance was started again; never, where nothing says so.
    pub(crate) fn read_restarts(&self, id: &str) -> Result<Restarts> {
        Ok(read_json(&self.restarts_file(id))?.unwrap_or_default())
    }

    /// Counts a restart of an instance.
    pub(crate) fn count_restart(&self, id: &str, cause: &str) -> Result<()> {
        // What cannot be read was cut by a full disk; the count begins anew.
        let before = self.read_restarts(id).unwrap_or_default();
        let count = before.count.saturating_add(1);
        let restarts = Restarts { count, last_ms: now_ms(), last_cause: cause.to_owned() };
        replace_json(&self.restarts_file(id), &restarts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_counted_with_their_last_cause() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(root.path()).unwrap();
        std::fs::create_dir_all(folder.instance("r1")).unwrap();
        assert_eq!(folder.read_restarts("r1").unwrap(), Restarts::default());
        folder.count_restart("r1", "signal 9").unwrap();
        folder.count_restart("r1", "it is stopped").unwrap();
        let restarts = folder.read_restarts("r1").unwrap();
        assert_eq!((restarts.count, restarts.last_cause.as_str()), (2, "it is stopped"));
        assert!(restarts.last_ms > 0);
        // A file that was cut.
        std::fs::write(folder.restarts_file("r1"), "{").unwrap();
        folder.count_restart("r1", "signal 11").unwrap();
        assert_eq!(folder.read_restarts("r1").unwrap().count, 1);
    }
}
