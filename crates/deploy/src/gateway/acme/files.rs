//! Where the account, the certificate and the memory of attempts are, below the service's folder.
//!
//! ```text
//! tls/acme.pem       key and chain of the certificate, in one file: there are never halves of two
//! tls/account.json   the account with the authority, with its key
//! tls/acme.json      what was attempted when
//! ```
//!
//! All are the owner's alone.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use trainyard_net::Certificate;

use crate::error::{Error, Result};
use crate::state::folder::Folder;

/// The files.
#[derive(Debug, Clone)]
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    /// Those of a service; their folder is made.
    pub(super) fn of(service: &Folder) -> Result<Self> {
        let folder = service.root.join("tls");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|source| Error::io("cannot create", &folder, source))?;
        Ok(Self { folder })
    }

    pub(super) fn pem(&self) -> PathBuf {
        self.folder.join("acme.pem")
    }

    pub(super) fn account(&self) -> PathBuf {
        self.folder.join("account.json")
    }

    pub(super) fn attempts(&self) -> PathBuf {
        self.folder.join("acme.json")
    }
}

/// The certificate of a service, which is read again when it is renewed. Until the first one is there, no
/// handshake succeeds.
pub(crate) fn certificate(service: &Folder) -> Result<Arc<Certificate>> {
    let pem = Files::of(service)?.pem();
    Ok(Certificate::awaited(&pem, &pem))
}
