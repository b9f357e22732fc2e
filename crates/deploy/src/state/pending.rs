//! A release between its switch and its end: what a deployer that is killed there leaves to the next one.

use serde::{Deserialize, Serialize};

use super::file::{read_json, replace_json};
use super::folder::Folder;
use crate::error::{Error, Result};
use crate::release::GoneBack;

/// Written before the switch, removed when traffic and what is known of it agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// The new instance.
    pub(crate) green: String,
    /// The one that served before.
    pub(crate) blue: Option<String>,
    /// When its release began, in milliseconds since 1970.
    pub(crate) since_ms: u64,
    /// What was found of green before the switch.
    #[serde(default)]
    pub(crate) verdicts: Vec<String>,
    /// Whether it was made known that green is the one from now on.
    #[serde(default)]
    pub(crate) committed: bool,
    /// Why a deployer sent traffic back; none where it did not, or the gateway did.
    #[serde(default)]
    pub(crate) gone_back: Option<GoneBack>,
}

impl Folder {
    /// The release that is between its switch and its end, if there is one.
    pub(crate) fn read_pending(&self) -> Result<Option<Pending>> {
        read_json(&self.pending())
    }

    pub(crate) fn write_pending(&self, pending: &Pending) -> Result<()> {
        replace_json(&self.pending(), pending)
    }

    /// Traffic and what is known of it agree.
    pub(crate) fn clear_pending(&self) -> Result<()> {
        let path = self.pending();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("cannot remove", &path, error))
            }
            _ => Ok(()),
        }
    }
}
