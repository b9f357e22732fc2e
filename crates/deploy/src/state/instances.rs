//! The folders of instances, `r1`, `r2` and so on: what was to be released, what was started, what it
//! printed. A number is never given twice. Further instances of a release have folders beside that of the first
//! (`r2.2`), which has what was to be released.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::file::{read_json, replace_json};
use super::folder::Folder;
use super::history::{HistoryEntry, Outcome};
use crate::error::{Error, Result};
use crate::release::ReleaseSpec;
use crate::replica_id::{release_of, replica_ids};
use crate::runtime::Instance;

/// Folders of old instances that are kept for their logs.
const KEPT: usize = 10;

/// Versions whose last release is kept for rollbacks, however often another one was tried since.
const RELEASES_KEPT: usize = 10;

impl Folder {
    /// A new id with its folder.
    pub(crate) fn new_instance(&self, spec: &ReleaseSpec) -> Result<String> {
        let highest = self.instance_numbers()?.into_iter().max();
        let finished = self.read_history()?.iter().filter_map(|entry| number(&entry.id)).max();
        let id = format!("r{}", highest.max(finished).unwrap_or(0) + 1);
        for id in replica_ids(&id, spec.replicas) {
            let path = self.instance(&id);
            std::fs::create_dir_all(&path)
                .map_err(|source| Error::io("cannot create", &path, source))?;
        }
        replace_json(&self.spec_file(&id), spec)?;
        Ok(id)
    }

    pub(crate) fn write_instance(&self, instance: &Instance) -> Result<()> {
        replace_json(&self.instance_file(&instance.id), instance)
    }

    /// An instance that was started; `None` where its start was not written down.
    pub(crate) fn read_instance(&self, id: &str) -> Result<Option<Instance>> {
        read_json(&self.instance_file(id))
    }

    /// All instances of a release that were started, in their order.
    pub(crate) fn read_replicas(&self, release: &str) -> Result<Vec<Instance>> {
        let replicas = self.read_spec(release)?.map_or(1, |spec| spec.replicas);
        let ids = replica_ids(release, replicas);
        ids.filter_map(|id| self.read_instance(&id).transpose()).collect()
    }

    /// What was to be released as this instance.
    pub(crate) fn read_spec(&self, id: &str) -> Result<Option<ReleaseSpec>> {
        read_json(&self.spec_file(id))
    }

    /// What was released as the instance that answers at this address: the newest that was started there.
    pub(crate) fn spec_at(&self, address: SocketAddr) -> Result<Option<ReleaseSpec>> {
        let mut numbers = self.instance_numbers()?;
        numbers.sort_unstable();
        for number in numbers.into_iter().rev() {
            let id = format!("r{number}");
            if self.read_replicas(&id)?.iter().any(|instance| instance.address == address) {
                return self.read_spec(&id);
            }
        }
        Ok(None)
    }

    /// What was to be released as any of the instances whose folders are there.
    pub(crate) fn read_specs(&self) -> Result<Vec<ReleaseSpec>> {
        let ids = self.instance_numbers()?.into_iter().map(|number| format!("r{number}"));
        ids.filter_map(|id| self.read_spec(&id).transpose()).collect()
    }

    /// Removes the folders of instances long gone, but for one and for the last releases of what served.
    pub(crate) fn forget_old_instances(&self, kept: Option<&str>) -> Result<()> {
        let history = self.read_history()?;
        let mut last: Vec<&HistoryEntry> = Vec::new();
        for entry in history.iter().rev().filter(|entry| entry.outcome == Outcome::Released) {
            if last.iter().all(|newer| newer.label != entry.label) && last.len() < RELEASES_KEPT {
                last.push(entry);
            }
        }
        let names = self.instance_names()?;
        let mut numbers = self.instance_numbers()?;
        numbers.sort_unstable();
        let old = numbers.len().saturating_sub(KEPT);
        for number in numbers.into_iter().take(old) {
            let id = format!("r{number}");
            if kept == Some(id.as_str()) || last.iter().any(|entry| entry.id == id) {
                continue;
            }
            // That of the first comes last: by it the others are found again.
            let further = names.iter().filter(|name| release_of(name) == id && **name != id);
            for name in further.chain([&id]) {
                let path = self.instance(name);
                std::fs::remove_dir_all(&path)
                    .map_err(|source| Error::io("cannot remove", &path, source))?;
            }
        }
        Ok(())
    }

    /// Releases that began and of whose end nothing is known, oldest first.
    pub(crate) fn unended(&self) -> Result<Vec<String>> {
        let history = self.read_history()?;
        let mut numbers = self.instance_numbers()?;
        numbers.sort_unstable();
        // What is older than the history was before it.
        let first = history.iter().filter_map(|entry| number(&entry.id)).min();
        let ids = numbers.into_iter().filter(|number| first.is_none_or(|first| *number >= first));
        let ids = ids.map(|number| format!("r{number}"));
        Ok(ids.filter(|id| history.iter().all(|entry| entry.id != *id)).collect())
    }

    /// Numbers of all releases.
    fn instance_numbers(&self) -> Result<Vec<u64>> {
        Ok(self.instance_names()?.iter().filter_map(|name| number(name)).collect())
    }

    fn instance_names(&self) -> Result<Vec<String>> {
        let folder = self.instances();
        let failed = |source| Error::io("cannot read", &folder, source);
        let mut names = Vec::new();
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(names),
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            names.push(name.to_string_lossy().into_owned());
        }
        Ok(names)
    }

    /// The instances of a release have one.
    fn spec_file(&self, id: &str) -> PathBuf {
        self.instance(release_of(id)).join("spec.json")
    }

    fn instance_file(&self, id: &str) -> PathBuf {
        self.instance(id).join("instance.json")
    }

    pub(super) fn restarts_file(&self, id: &str) -> PathBuf {
        self.instance(id).join("restarts.json")
    }
}

/// Where an instance's output is kept.
pub(crate) fn log_path(service_root: &Path, id: &str) -> PathBuf {
    service_root.join("instances").join(id).join("output.log")
}

/// The number in the id of a release.
fn number(id: &str) -> Option<u64> {
    id.strip_prefix('r')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{RuntimeKind, Workload};

    fn started(folder: &Folder, id: &str, port: u16) {
        let instance = Instance {
            id: id.to_owned(),
            address: ([127, 0, 0, 1], port).into(),
            runtime: RuntimeKind::Process,
            handle: "1".to_owned(),
            started: 1,
            log_path: log_path(&folder.root, id),
        };
        folder.write_instance(&instance).unwrap();
    }

    #[test]
    fn instances_of_a_release_are_found_and_forgotten_together() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(root.path()).unwrap();
        let mut spec = ReleaseSpec::new(Workload::process("/bin/true"));
        spec.replicas = 3;
        let id = folder.new_instance(&spec).unwrap();
        assert_eq!(id, "r1");
        assert_eq!(folder.read_replicas("r1").unwrap(), Vec::new());
        started(&folder, "r1", 1);
        // The deployer died before it wrote down the second.
        started(&folder, "r1.3", 3);
        let found = folder.read_replicas("r1").unwrap();
        assert_eq!(found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["r1", "r1.3"]);
        assert_eq!(folder.read_spec("r1.3").unwrap().unwrap(), spec);
        let third = folder.spec_at(([127, 0, 0, 1], 3).into()).unwrap();
        assert_eq!(third.map(|spec| spec.replicas), Some(3));
        spec.replicas = 1;
        for number in 2..=12 {
            assert_eq!(folder.new_instance(&spec).unwrap(), format!("r{number}"));
        }
        folder.forget_old_instances(None).unwrap();
        let mut left = folder.instance_names().unwrap();
        left.sort();
        assert_eq!(left.len(), KEPT, "{left:?}");
        assert!(left.iter().all(|name| release_of(name) != "r1"), "{left:?}");
    }
}
