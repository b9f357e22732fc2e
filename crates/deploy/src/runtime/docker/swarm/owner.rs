//! Whose a service, network, volume or secret of a swarm is: labels, and names that no other deployment has.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::super::labels::{INSTANCE_LABEL, labels};
use crate::error::Result;
use crate::state::file::{read_json, replace_json};

/// The label: id of the deployment.
const DEPLOYMENT_LABEL: &str = "trainyard.deployment";

/// The file in a service's folder with the id of its deployment.
const FILE: &str = "swarm.json";

/// Characters of a service's name in names of the swarm, which have 63 at most.
const NAME_CHARS_MAX: usize = 20;

/// Characters of the id in names: enough to tell the deployments of a swarm apart.
const ID_CHARS: usize = 8;

/// A deployment among all that share a swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    id: String,
    service_root: PathBuf,
}

impl Owner {
    /// The one of a service's folder; `None` where it never had anything in a swarm.
    pub(super) fn read(service_root: &Path) -> Result<Option<Self>> {
        let id: Option<String> = read_json(&service_root.join(FILE))?;
        Ok(id.map(|id| Self { id, service_root: service_root.to_owned() }))
    }

    /// The one of a service's folder, which gets an id if it has none.
    pub(super) fn provide(service_root: &Path) -> Result<Self> {
        if let Some(owner) = Self::read(service_root)? {
            return Ok(owner);
        }
        let id = uuid::Uuid::new_v4().simple().to_string();
        replace_json(&service_root.join(FILE), &id)?;
        Ok(Self { id, service_root: service_root.to_owned() })
    }

    /// The name of what all its instances share: readable, and its own.
    pub(super) fn name(&self) -> String {
        let name = self.service_root.file_name().unwrap_or_default().to_string_lossy();
        let plain = |char: char| if char.is_ascii_alphanumeric() { char } else { '-' };
        let name: String = name.chars().take(NAME_CHARS_MAX).map(plain).collect();
        let id: String = self.id.chars().take(ID_CHARS).collect();
        format!("trainyard-{name}-{id}")
    }

    /// The name of an instance's service; a point is none of a name's characters there.
    pub(super) fn service_name(&self, instance: &str) -> String {
        format!("{}-{}", self.name(), instance.replace('.', "-"))
    }

    /// The filter for all that it has.
    pub(super) fn filters(&self) -> HashMap<String, Vec<String>> {
        [("label".to_owned(), vec![format!("{DEPLOYMENT_LABEL}={}", self.id)])].into()
    }

    /// The labels of all that it has.
    pub(super) fn labels(&self) -> HashMap<String, String> {
        let mut labels = labels(&self.service_root);
        labels.insert(DEPLOYMENT_LABEL.to_owned(), self.id.clone());
        labels
    }

    /// The labels of what one instance has.
    pub(super) fn labels_of(&self, instance: &str) -> HashMap<String, String> {
        let mut labels = self.labels();
        labels.insert(INSTANCE_LABEL.to_owned(), instance.to_owned());
        labels
    }

    /// A number of its own, by which it chooses ports that others are not likely to choose.
    pub(super) fn number(&self) -> u64 {
        let digits: String = self.id.chars().take(ID_CHARS).collect();
        u64::from_str_radix(&digits, 16).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_is_known_again_and_is_no_other() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [here, there] = [here.path().join("iris"), there.path().join("iris")];
        for root in [&here, &there] {
            std::fs::create_dir(root).unwrap();
            assert_eq!(Owner::read(root).unwrap(), None);
        }
        let (ours, theirs) = (Owner::provide(&here).unwrap(), Owner::provide(&there).unwrap());
        assert_eq!(Owner::read(&here).unwrap(), Some(ours.clone()));
        assert_eq!(Owner::provide(&here).unwrap(), ours);
        assert_ne!(ours.name(), theirs.name());
        assert_ne!(ours.filters(), theirs.filters());
        let name = ours.service_name("r7.2");
        assert!(name.starts_with("trainyard-iris-") && name.ends_with("-r7-2"), "{name}");
        assert_eq!(ours.labels_of("r7.2")[INSTANCE_LABEL], "r7.2");
    }

    #[test]
    fn a_long_name_still_has_room_for_a_release() {
        let owner =
            Owner { id: "0".repeat(32), service_root: format!("/s/{}", "ä_".repeat(99)).into() };
        let name = owner.service_name("r1234567.32");
        assert!(name.len() <= 63, "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{name}");
    }
}
