//! Certificates that prove to a certificate authority who answers at a name (RFC 8737, `tls-alpn-01`).
//!
//! The authority connects and offers the protocol `acme-tls/1` and no other. It is shown a certificate made for
//! its challenge, and the connection ends with the handshake: nobody else ever sees that certificate.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// What the authority speaks.
pub(crate) const PROTOCOL: &[u8] = b"acme-tls/1";

/// The challenges that are answered now, by name.
#[derive(Default)]
pub struct TlsChallenges {
    by_name: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl fmt::Debug for TlsChallenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.by_name().len();
        f.debug_struct("TlsChallenges").field("count", &count).finish_non_exhaustive()
    }
}

impl TlsChallenges {
    /// Shows a certificate to the authority that asks for this name, until they are [cleared](Self::clear).
    /// An error says that the key cannot be used.
    pub fn show(
        &self,
        name: &str,
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), rustls::Error> {
        let key = ring::default_provider().key_provider.load_private_key(key)?;
        // Whether they go together is not asked: nobody but an authority understands what such a certificate says.
        let shown = CertifiedKey::new(vec![certificate], key);
        self.by_name().insert(name.to_ascii_lowercase(), Arc::new(shown));
        Ok(())
    }

    /// Shows none any more.
    pub fn clear(&self) {
        self.by_name().clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_name().is_empty()
    }

    fn by_name(&self) -> MutexGuard<'_, HashMap<String, Arc<CertifiedKey>>> {
        // Each change is one call, so a panic elsewhere is no harm.
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for TlsChallenges {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.to_ascii_lowercase();
        self.by_name().get(&name).cloned()
    }
}
