//! Whose log it is, and where it lies.

use std::path::PathBuf;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::state::folder::Folder;
use crate::state::instances::log_path;
use crate::state::supervisor;
use crate::status::{instances_of, route_on_disk};

/// Whose log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogOf {
    /// The gateway's.
    Gateway,
    /// The supervisor's.
    Supervisor,
    /// An instance's, by its id.
    Instance(String),
}

impl FromStr for LogOf {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> std::result::Result<Self, Self::Err> {
        Ok(match name {
            "gateway" => Self::Gateway,
            "supervisor" => Self::Supervisor,
            id => Self::Instance(id.to_owned()),
        })
    }
}

impl LogOf {
    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Self::Gateway => "gateway",
            Self::Supervisor => "supervisor",
            Self::Instance(id) => id,
        }
    }

    /// The file that it is in, or will be.
    pub(super) fn path(&self, folder: &Folder) -> PathBuf {
        match self {
            Self::Gateway => folder.gateway_log(),
            Self::Supervisor => supervisor::log_path(folder),
            Self::Instance(id) => log_path(&folder.root, id),
        }
    }

    /// Refuses what has no log here.
    pub(super) fn check(&self, folder: &Folder) -> Result<()> {
        let known = known(folder)?;
        if known.iter().any(|known| known == self.name()) {
            return Ok(());
        }
        let hint = match self {
            Self::Supervisor => "none has kept it up yet: `trainyard up` does".to_owned(),
            Self::Gateway | Self::Instance(_) => format!("there are logs of {}", known.join(", ")),
        };
        Err(Error::NoLog { of: self.name().to_owned(), path: self.path(folder), hint })
    }
}

/// Everything that has a log, by name. Names are compared and never made paths of: an id comes from the command line.
fn known(folder: &Folder) -> Result<Vec<String>> {
    let path = folder.instances();
    let entries = std::fs::read_dir(&path)
        .map_err(|source| Error::io("cannot read", &path, source))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut known: Vec<String> = entries.collect();
    known.sort();
    for of in [LogOf::Gateway, LogOf::Supervisor] {
        if of.path(folder).is_file() {
            known.push(of.name().to_owned());
        }
    }
    Ok(known)
}

/// The instances that serve or, where the service is down, served last; none where nothing was released.
pub(super) fn serving(folder: &Folder) -> Result<Vec<LogOf>> {
    let release = match route_on_disk(folder)?.current {
        Some(current) => Some(current.id),
        None => folder.read_history()?.pop().map(|entry| entry.id),
    };
    let Some(release) = release else { return Ok(Vec::new()) };
    Ok(instances_of(folder, &release)?.into_iter().map(LogOf::Instance).collect())
}
