//! The certificate that answers a TLS-ALPN-01 challenge (RFC 8737): it signs itself, and has the digest of the
//! key authorisation in an extension.

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate for a name, and its key. `digest` is the SHA-256 of the key authorisation: 32 bytes.
pub(super) fn certificate(
    name: &str,
    digest: &[u8],
) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let secret = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok((certificate.der().clone(), secret.into()))
}
