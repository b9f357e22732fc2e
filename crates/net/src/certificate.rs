//! A certificate and its key, from files that are read again when they change: renewed certificates are put in
//! place by programs that know nothing of who uses them.

use std::fmt;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Time between two looks at the files: as often as anybody renews, and not for each connection of a flood.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Bytes of a file: chains have some ten thousand.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why files are no certificate and key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} holds no {what} in PEM form: {reason}", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// `certificate`, `private key without a password`, `authority`.
        what: &'static str,
        /// What was found instead.
        reason: String,
    },
    /// The two do not go together, or are of a kind that is not known.
    #[error("the key in {} does not go with the certificate in {}: {reason}", key.display(), certificate.display())]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What the TLS library says.
        reason: rustls::Error,
    },
}

impl CertificateError {
    pub(crate) fn not_pem(path: &Path, what: &'static str, reason: &dyn fmt::Display) -> Self {
        Self::NotPem { path: path.to_owned(), what, reason: reason.to_string() }
    }
}

/// The certificate that clients are shown, if there is one. Connections keep the one that they began with.
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: ArcSwapOption<CertifiedKey>,
    looked: Mutex<Looked>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Certificate");
        shown.field("chain", &self.chain).field("key", &self.key);
        shown.finish_non_exhaustive()
    }
}

/// When the files were looked at, what they were, and whether they could not be read so.
struct Looked {
    at: Instant,
    files: [Option<Stamp>; 2],
    has_failed: bool,
}

/// What changes with a file: when it was written, its length, and which file it is.
type Stamp = (SystemTime, u64, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len(), about.ino()))
}

impl Certificate {
    /// Reads a certificate (with those between it and its root behind it) and its key.
    pub fn open(certificate: &Path, key: &Path) -> Result<Arc<Self>, CertificateError> {
        let opened = Self::unread(certificate, key);
        opened.current.store(Some(Arc::new(read(certificate, key)?)));
        Ok(Arc::new(opened))
    }

    /// The same, where the files may come later: until they do, every handshake is refused.
    pub fn awaited(certificate: &Path, key: &Path) -> Arc<Self> {
        let awaited = Self::unread(certificate, key);
        match read(certificate, key) {
            Ok(current) => awaited.current.store(Some(Arc::new(current))),
            Err(error) => {
                awaited.looked().has_failed = true;
                tracing::warn!(%error, "there is no certificate yet: no handshake succeeds");
            }
        }
        Arc::new(awaited)
    }

    /// Its files as they are now, which are to be read next: a change in the meantime is noticed later.
    fn unread(certificate: &Path, key: &Path) -> Self {
        let files = [stamp(certificate), stamp(key)];
        let looked = Looked { at: Instant::now(), files, has_failed: false };
        Self {
            chain: certificate.to_owned(),
            key: key.to_owned(),
            current: ArcSwapOption::empty(),
            looked: Mutex::new(looked),
        }
    }

    /// Reads the files now. What cannot be used leaves the certificate before in its place.
    pub fn reload(&self) -> Result<(), CertificateError> {
        // Held while they are read: of two readings at a time the older one might be the last.
        let mut looked = self.looked();
        let files = [stamp(&self.chain), stamp(&self.key)];
        *looked = Looked { at: Instant::now(), files, has_failed: true };
        let current = read(&self.chain, &self.key)?;
        self.current.store(Some(Arc::new(current)));
        looked.has_failed = false;
        tracing::info!(certificate = %self.chain.display(), "the certificate was read again");
        Ok(())
    }

    /// Reads the files if they have changed, at most once in a while. Of the two, one is written before the other:
    /// until they go together the certificate before is shown. What could not be read is tried again, as only a
    /// descriptor may have been missing, or a right.
    pub(crate) fn look(&self) {
        let (has_changed, is_again) = {
            let mut looked = self.looked();
            let is_early = looked.at.elapsed() < LOOK_EVERY;
            // Who has nothing to show looks each time.
            if is_early && self.current.load().is_some() {
                return;
            }
            if !is_early {
                looked.at = Instant::now();
            }
            let has_changed = looked.files != [stamp(&self.chain), stamp(&self.key)];
            (has_changed, looked.has_failed && !is_early)
        };
        if !has_changed && !is_again {
            return;
        }
        // Of the same files it is said once.
        if let Err(error) = self.reload()
            && has_changed
        {
            tracing::warn!(%error, "the certificate before is still shown");
        }
    }

    fn looked(&self) -> MutexGuard<'_, Looked> {
        // Replaced as a whole, so a panic elsewhere is no harm.
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let chain = certificates(certificate)?;
    let secret = PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|error| {
        CertificateError::not_pem(key, "private key without a password", &error)
    })?;
    CertifiedKey::from_der(chain, secret, &ring::default_provider()).map_err(|reason| {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        CertificateError::Unusable { certificate, key, reason }
    })
}

/// All certificates of a file; one at least.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let none = |reason: &dyn fmt::Display| CertificateError::not_pem(path, "certificate", reason);
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes(path)?).collect();
    let found = found.map_err(|error| none(&error))?;
    if found.is_empty() { Err(none(&"there is none")) } else { Ok(found) }
}

fn bytes(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let io = |source| CertificateError::Io { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_none_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        let told = || Certificate::open(&certificate, &key).unwrap_err().to_string();
        assert!(told().contains("c.pem: No such file"), "{}", told());
        std::fs::write(&certificate, "no certificate").unwrap();
        assert!(told().ends_with("c.pem holds no certificate in PEM form: there is none"));
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&certificate, pem).unwrap();
        std::fs::write(&key, pem).unwrap();
        assert!(told().contains("k.pem holds no private key without a password"), "{}", told());
    }

    #[test]
    fn what_could_not_be_read_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = trainyard_testkit::certificate::certificate(folder.path(), "shown");
        let secret = std::fs::read(&key).unwrap();
        std::fs::write(&key, vec![b'x'; secret.len()]).unwrap();
        let modified = std::fs::metadata(&key).unwrap().modified().unwrap();
        let awaited = Certificate::awaited(&chain, &key);
        // The same file in all that a look sees of it.
        std::fs::write(&key, &secret).unwrap();
        let file = std::fs::File::options().write(true).open(&key).unwrap();
        file.set_modified(modified).unwrap();
        let start = Instant::now();
        while awaited.current.load().is_none() {
            assert!(start.elapsed() < Duration::from_mins(5), "it is not read again");
            std::thread::sleep(Duration::from_millis(20));
            awaited.look();
        }
    }
}
