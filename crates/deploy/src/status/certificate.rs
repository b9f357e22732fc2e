//! Until when the certificate is good that clients are shown.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;

use crate::gateway::control::GatewayStatus;
use crate::service::Service;

/// How long before its end a certificate is spoken of: those that renew themselves do it sooner.
const SOON_MS: u64 = 14 * DAY_MS;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The certificate of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateSeen {
    /// Its file; none where the gateway has it by ACME.
    pub file: Option<PathBuf>,
    /// When it ends, in milliseconds since 1970; none where there is none, or it cannot be read.
    pub ends_ms: Option<u64>,
    /// Why it cannot be read, or no new one can be had.
    pub error: Option<String>,
}

impl CertificateSeen {
    /// Why no client gets through by HTTPS; none while it is good, or nobody can tell here.
    pub fn outage(&self, now_ms: u64) -> Option<String> {
        let has_ended = self.ends_ms.is_some_and(|ends| ends <= now_ms);
        has_ended.then(|| "the certificate has expired".to_owned())
    }

    /// What whoever is responsible should know before that.
    pub fn warning(&self, now_ms: u64) -> Option<String> {
        let of = self.file.as_ref().map_or_else(String::new, |file| format!(" {}", file.display()));
        if let Some(error) = &self.error {
            return Some(format!("the certificate{of}: {error}"));
        }
        let left = self.ends_ms?.checked_sub(now_ms)?;
        (left < SOON_MS)
            .then(|| format!("the certificate{of} ends in {} d: renew it", left / DAY_MS))
    }
}

/// The certificate that clients are shown, if they are shown one.
pub(super) fn certificate(
    service: &Service,
    gateway: Option<&GatewayStatus>,
) -> Option<CertificateSeen> {
    if let Some(acme) = gateway.and_then(|gateway| gateway.acme.as_ref()) {
        return Some(CertificateSeen {
            file: None,
            ends_ms: acme.expires_ms,
            error: acme.last_error.clone(),
        });
    }
    let path = &service.gateway.tls.as_ref()?.certificate;
    let (ends_ms, error) = match end(path) {
        Ok(ends_ms) => (Some(ends_ms), None),
        Err(error) => (None, Some(error)),
    };
    Some(CertificateSeen { file: Some(path.clone()), ends_ms, error })
}

/// When the first certificate of a file ends, in milliseconds since 1970.
fn end(path: &Path) -> Result<u64, String> {
    let first = CertificateDer::from_pem_file(path).map_err(|error| error.to_string())?;
    let (_rest, parsed) =
        x509_parser::parse_x509_certificate(&first).map_err(|error| error.to_string())?;
    let seconds = parsed.validity().not_after.timestamp();
    Ok(u64::try_from(seconds).unwrap_or_default() * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_end_is_told_before_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("certificate.pem");
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2026, 4, 1);
        std::fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
        let ends = end(&path).unwrap();
        assert_eq!(ends, 1_775_001_600_000);
        let seen = |ends_ms| CertificateSeen { file: None, ends_ms, error: None };
        let good = seen(Some(ends));
        assert_eq!(
            (good.outage(ends - 30 * DAY_MS), good.warning(ends - 30 * DAY_MS)),
            (None, None)
        );
        let soon = good.warning(ends - 3 * DAY_MS - 1).unwrap();
        assert_eq!(soon, "the certificate ends in 3 d: renew it");
        assert_eq!(good.outage(ends).unwrap(), "the certificate has expired");
        std::fs::write(&path, "nonsense").unwrap();
        assert!(end(&path).is_err());
        assert_eq!(seen(None).outage(ends), None);
    }
}
