//! Who may sign the certificates of clients (mTLS): the roots of a file, and nobody whom the system trusts. A
//! client that shows none is served without: whoever answers its requests decides what it may have.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::certificate::{CertificateError, certificates};

/// The authorities that sign clients' certificates.
#[derive(Clone)]
pub struct ClientAuthorities {
    roots: Vec<CertificateDer<'static>>,
    pub(crate) verifier: Arc<dyn ClientCertVerifier>,
}

impl ClientAuthorities {
    /// Reads their certificates (PEM, one behind the other).
    pub fn open(path: &Path) -> Result<Self, CertificateError> {
        let unusable =
            |reason: &dyn fmt::Display| CertificateError::not_pem(path, "authority", reason);
        let roots = certificates(path)?;
        let mut store = RootCertStore::empty();
        for root in &roots {
            store.add(root.clone()).map_err(|error| unusable(&error))?;
        }
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider)
            .allow_unauthenticated()
            .build()
            .map_err(|error| unusable(&error))?;
        Ok(Self { roots, verifier })
    }
}

impl fmt::Debug for ClientAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuthorities")
            .field("roots", &self.roots.len())
            .finish_non_exhaustive()
    }
}

impl PartialEq for ClientAuthorities {
    /// Whether both trust the same roots.
    fn eq(&self, other: &Self) -> bool {
        self.roots == other.roots
    }
}
