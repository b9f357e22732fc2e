//! The certificate that is on the disk: for which names, of whom, until when, and when the next one is due.

use instant_acme::CertificateIdentifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;

use super::files::Files;
use super::settings::AcmeSettings;
use crate::gateway::random;

/// How the first line of the file begins, which says of whom the certificate is. Readers of PEM leave it out.
const ISSUED: &str = "# issued by ";

/// A certificate that can be shown.
#[derive(Debug, Clone)]
pub(super) struct Installed {
    names: Vec<String>,
    /// Directory of the authority.
    directory: String,
    begins_ms: u64,
    pub(super) ends_ms: u64,
    /// By which the authority knows it.
    pub(super) id: Option<CertificateIdentifier<'static>>,
    /// Chance that stays the same for this certificate.
    pub(super) chance: u64,
}

/// The text of the file: key and chain in PEM form, of this authority.
pub(super) fn text(directory: &str, pem: &str) -> String {
    format!("{ISSUED}{directory}\n{pem}")
}

impl Installed {
    /// What is on the disk, if it can be shown.
    pub(super) fn read(files: &Files) -> Option<Self> {
        let path = files.pem();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%error, file = %path.display(), "the certificate cannot be read");
                return None;
            }
        };
        match Self::parse(&bytes) {
            Ok(installed) => Some(installed),
            Err(reason) => {
                tracing::warn!(reason, file = %path.display(), "the certificate cannot be used");
                None
            }
        }
    }

    /// A file's bytes; an error says why they cannot be shown.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
        let chain = chain.map_err(|error| error.to_string())?;
        let key = PrivateKeyDer::from_pem_slice(bytes).map_err(|error| error.to_string())?;
        let leaf = chain.first().cloned().ok_or("there is no certificate in it")?;
        CertifiedKey::from_der(chain, key, &ring::default_provider())
            .map_err(|error| error.to_string())?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&leaf).map_err(|error| error.to_string())?;
        let names = parsed.subject_alternative_name().map_err(|error| error.to_string())?;
        let names = names.iter().flat_map(|names| &names.value.general_names);
        let names = names.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        });
        let milliseconds = |seconds: i64| u64::try_from(seconds).unwrap_or_default() * 1000;
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let first = String::from_utf8_lossy(first);
        Ok(Self {
            names: names.collect(),
            directory: first.strip_prefix(ISSUED).unwrap_or_default().to_owned(),
            begins_ms: milliseconds(parsed.validity().not_before.timestamp()),
            ends_ms: milliseconds(parsed.validity().not_after.timestamp()),
            id: CertificateIdentifier::try_from(&leaf).ok(),
            chance: random::hash(0, &leaf),
        })
    }

    /// Whether it is what these settings want.
    pub(super) fn is_of(&self, settings: &AcmeSettings) -> bool {
        self.directory == settings.directory
            && settings.names().iter().all(|name| self.names.contains(name))
    }

    /// For how long it is good in all.
    pub(super) fn lifetime_ms(&self) -> u64 {
        self.ends_ms.saturating_sub(self.begins_ms)
    }

    /// When the next one is due: with a third of its time left, or a little more, so that not all certificates
    /// that were issued in one hour come again in one.
    pub(super) fn due_ms(&self) -> u64 {
        let lifetime = self.lifetime_ms();
        let early = self.chance % (lifetime / 30 + 1);
        self.ends_ms.saturating_sub(lifetime / 3 + early)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn made(names: &[&str], directory: &str) -> String {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 4, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        text(directory, &format!("{}{}", key.serialize_pem(), certificate.pem()))
    }

    #[test]
    fn a_certificate_is_due_with_a_third_of_its_time_left() {
        let text = made(&["a.example", "B.example"], "https://ca.example/dir");
        let installed = Installed::parse(text.as_bytes()).unwrap();
        let day = 24 * 60 * 60 * 1000;
        assert_eq!(installed.lifetime_ms(), 90 * day);
        let left = installed.ends_ms - installed.due_ms();
        assert!((30 * day..=33 * day).contains(&left), "{left}");
        let mut settings = AcmeSettings {
            domains: vec!["b.example".to_owned()],
            directory: "https://ca.example/dir".to_owned(),
            ..AcmeSettings::default()
        };
        assert!(installed.is_of(&settings));
        settings.domains.push("c.example".to_owned());
        assert!(!installed.is_of(&settings), "one name is missing");
        settings.domains.pop();
        settings.directory = "https://other.example/dir".to_owned();
        assert!(!installed.is_of(&settings), "another authority is wanted");
    }

    #[test]
    fn what_cannot_be_shown_is_none() {
        let (one, other) = (made(&["a.example"], "x"), made(&["a.example"], "x"));
        let (_, chain) = one.split_once("-----BEGIN CERTIFICATE").unwrap();
        let (key, _) = other.split_once("-----BEGIN CERTIFICATE").unwrap();
        let mixed = format!("{key}-----BEGIN CERTIFICATE{chain}");
        for text in ["", "nonsense", key, mixed.as_str()] {
            assert!(Installed::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
