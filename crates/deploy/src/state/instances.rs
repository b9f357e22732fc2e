//! The folders of instances, `r1`, `r2` and so on: what was to be released, what was started, what it
//! printed. A number is never given twice.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::file::{read_json, replace_json};
use super::folder::Folder;
use super::history::{HistoryEntry, Outcome};
use crate::error::{Error, Result};
use crate::release::ReleaseSpec;
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
        let path = self.instance(&id);
        std::fs::create_dir_all(&path)
            .map_err(|source| Error::io("cannot create", &path, source))?;
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
            if self.read_instance(&id)?.is_some_and(|instance| instance.address == address) {
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
        let mut numbers = self.instance_numbers()?;
        numbers.sort_unstable();
        let old = numbers.len().saturating_sub(KEPT);
        for number in numbers.into_iter().take(old) {
            let id = format!("r{number}");
            if kept == Some(id.as_str()) || last.iter().any(|entry| entry.id == id) {
                continue;
            }
            let path = self.instance(&id);
            std::fs::remove_dir_all(&path)
                .map_err(|source| Error::io("cannot remove", &path, source))?;
        }
        Ok(())
    }

    fn instance_numbers(&self) -> Result<Vec<u64>> {
        let folder = self.instances();
        let failed = |source| Error::io("cannot read", &folder, source);
        let mut numbers = Vec::new();
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(numbers),
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            numbers.extend(number(&name.to_string_lossy()));
        }
        Ok(numbers)
    }

    fn spec_file(&self, id: &str) -> PathBuf {
        self.instance(id).join("spec.json")
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

/// The number in an instance's id.
fn number(id: &str) -> Option<u64> {
    id.strip_prefix('r')?.parse().ok()
}
