//! The folder of a service: which file is where.
//!
//! ```text
//! <state_dir>/<name>/
//!   lock                   flock; who changes the service now
//!   journal.jsonl          every step of every release, appended and synced
//!   history.jsonl          one line per finished release
//!   pending.json           the release that is between its switch and its end
//!   gateway.json           where traffic goes (written by the gateway)
//!   gateway-settings.json  what the gateway is told (written by deployers)
//!   acme-challenges/       answers to who asks whether a name is this machine's
//!   gateway-mode.json      whether requests are paused or turned away
//!   gateway.sock           the gateway's control socket
//!   handover.sock          where a new gateway takes over from the running one
//!   access.log             a line for each request, where that is wanted
//!   gateway.lock           flock; the running gateway
//!   gateway.log            what the gateway says
//!   supervisor.lock        flock; whoever keeps the service up
//!   supervisor.json        what it says of itself, renewed as long as it lives
//!   supervisor.log         what it did and found
//!   tls/                   certificate by ACME and account with the authority (owner alone)
//!   instances/<id>/        spec.json (owner alone), instance.json, restarts.json, output.log
//!   instances/<id>.2/      the same of further instances of the release, without spec.json
//! ```

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::service::Service;

/// Paths of a service's files.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub(crate) root: PathBuf,
}

impl Folder {
    /// The folder of a service, made if it is not there, as an absolute path without links.
    pub(crate) fn create(service: &Service) -> Result<Self> {
        service.check_name()?;
        let root = service.state_dir.join(&service.name);
        std::fs::create_dir_all(root.join("instances"))
            .map_err(|source| Error::io("cannot create", &root, source))?;
        Self::at(&root)
    }

    /// The folder of a service that was deployed before.
    pub(crate) fn open(service: &Service) -> Result<Self> {
        service.check_name()?;
        let root = service.state_dir.join(&service.name);
        if !root.is_dir() {
            return Err(Self { root }.not_deployed(service));
        }
        Self::at(&root)
    }

    /// That nothing is deployed here.
    pub(crate) fn not_deployed(&self, service: &Service) -> Error {
        Error::NotDeployed { service: service.name.clone(), path: self.root.clone() }
    }

    /// A folder by its path.
    pub(crate) fn at(root: &Path) -> Result<Self> {
        let root =
            std::fs::canonicalize(root).map_err(|source| Error::io("cannot open", root, source))?;
        Ok(Self { root })
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join("journal.jsonl")
    }

    pub(crate) fn history(&self) -> PathBuf {
        self.root.join("history.jsonl")
    }

    pub(crate) fn pending(&self) -> PathBuf {
        self.root.join("pending.json")
    }

    pub(crate) fn gateway_state(&self) -> PathBuf {
        self.root.join("gateway.json")
    }

    pub(crate) fn gateway_settings(&self) -> PathBuf {
        self.root.join("gateway-settings.json")
    }

    pub(crate) fn acme_challenges(&self) -> PathBuf {
        self.root.join("acme-challenges")
    }

    pub(crate) fn gateway_socket(&self) -> PathBuf {
        self.root.join("gateway.sock")
    }

    pub(crate) fn gateway_mode(&self) -> PathBuf {
        self.root.join("gateway-mode.json")
    }

    pub(crate) fn handover_socket(&self) -> PathBuf {
        self.root.join("handover.sock")
    }

    pub(crate) fn access_log(&self) -> PathBuf {
        self.root.join("access.log")
    }

    pub(crate) fn gateway_lock(&self) -> PathBuf {
        self.root.join("gateway.lock")
    }

    pub(crate) fn gateway_log(&self) -> PathBuf {
        self.root.join("gateway.log")
    }

    pub(crate) fn supervisor_lock(&self) -> PathBuf {
        self.root.join("supervisor.lock")
    }

    pub(crate) fn supervisor_state(&self) -> PathBuf {
        self.root.join("supervisor.json")
    }

    pub(crate) fn instances(&self) -> PathBuf {
        self.root.join("instances")
    }

    pub(crate) fn instance(&self, id: &str) -> PathBuf {
        self.instances().join(id)
    }
}
