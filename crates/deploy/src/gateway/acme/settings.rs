//! `[deploy.acme]`: for which names a certificate is had, of whom, and how it is proved that they are ours.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use instant_acme::LetsEncrypt;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Names in one certificate: what public authorities allow.
const DOMAINS_MAX: usize = 100;

/// Length of a name and of one of its labels (RFC 1035).
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// How certificates are had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AcmeSettings {
    /// Names that the certificate is for.
    pub domains: Vec<String>,
    /// Where the authority may write about it; nowhere if none.
    pub email: Option<String>,
    /// Address of the authority's directory.
    pub directory: String,
    /// Root certificate by which the authority's own address is trusted, in PEM form; the machine's roots if none.
    pub ca_file: Option<PathBuf>,
    /// How it is proved that the names lead here.
    pub challenge: Challenge,
    /// Where HTTP-01 challenges are answered: what port 80 of the names leads to.
    pub http_listen: SocketAddr,
    /// Whether the user agrees to the authority's terms of service.
    pub agree_terms: bool,
}

impl Default for AcmeSettings {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            email: None,
            directory: LetsEncrypt::Production.url().to_owned(),
            ca_file: None,
            challenge: Challenge::default(),
            http_listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 80),
            agree_terms: false,
        }
    }
}

/// How it is proved that names lead here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Challenge {
    /// A text that the authority fetches from port 80.
    #[default]
    #[serde(rename = "http-01")]
    Http01,
    /// A certificate that it is shown on port 443: the gateway's own address.
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

impl Challenge {
    /// Its name in RFC 8555 and RFC 8737.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }
}

impl AcmeSettings {
    /// Refuses what no authority would do. No file is looked at.
    pub fn check(&self) -> Result<()> {
        let wrong = |reason: String, hint| -> Result<()> { Err(Error::Acme { reason, hint }) };
        if !self.agree_terms {
            return wrong(
                format!("the terms of service of {} are not agreed to", self.directory),
                "read them there, then write agree_terms = true",
            );
        }
        if self.domains.is_empty() || self.domains.len() > DOMAINS_MAX {
            return wrong(
                format!("domains has {} names, not 1 to {DOMAINS_MAX}", self.domains.len()),
                "write domains = [\"api.example.com\"]",
            );
        }
        if let Some(name) = self.domains.iter().find(|name| !is_name(name)) {
            return wrong(
                format!("domains has {name:?}, for which no certificate can be had"),
                "write whole names of hosts: letters, digits, '-' and '.', without '*', address or port",
            );
        }
        let is_address = |email: &str| {
            email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && is_name(host))
                && email.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if let Some(email) = self.email.as_deref().filter(|email| !is_address(email)) {
            return wrong(
                format!("email {email:?} is no address of a person"),
                "write email = \"ops@example.com\"",
            );
        }
        if !self.directory.starts_with("https://") {
            return wrong(
                format!("directory {:?} is no https address", self.directory),
                "write the address of the authority's directory",
            );
        }
        Ok(())
    }

    /// Looks at the file that is named.
    pub(crate) fn check_file(&self) -> Result<()> {
        let Some(file) = &self.ca_file else { return Ok(()) };
        CertificateDer::from_pem_file(file).map(|_certificate| ()).map_err(|error| Error::Acme {
            reason: format!("ca_file {}: {error}", file.display()),
            hint: "give a file with the authority's root certificate in PEM form",
        })
    }

    /// The names as certificates have them, each once.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.domains.iter().map(|name| name.to_ascii_lowercase()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Whether a certificate can be had for a name: a host's, and one host's.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label) && name.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use trainyard_base::Advise as _;

    use super::*;

    fn agreed(domains: &[&str]) -> AcmeSettings {
        AcmeSettings {
            domains: domains.iter().map(|name| (*name).to_owned()).collect(),
            agree_terms: true,
            ..AcmeSettings::default()
        }
    }

    #[test]
    fn nothing_is_asked_for_before_the_terms_are_agreed_to() {
        let mut settings = agreed(&["api.example.com"]);
        settings.check().unwrap();
        settings.agree_terms = false;
        let error = settings.check().unwrap_err();
        assert!(error.to_string().contains("are not agreed to"), "{error}");
        assert!(error.with_hint().contains("agree_terms = true"), "{}", error.with_hint());
    }

    #[test]
    fn names_are_those_of_hosts() {
        for name in
            ["api.example.com", "API.Example.com", "a-1.b", "localhost", "xn--bcher-kva.example"]
        {
            assert!(agreed(&[name]).check().is_ok(), "{name}");
        }
        let long = "a".repeat(64);
        for name in [
            "",
            "*.example.com",
            "10.0.0.1",
            "::1",
            "a..b",
            "-a.b",
            "a_b.c",
            "a.b:443",
            "https://a.b",
            long.as_str(),
        ] {
            let error = agreed(&[name]).check().unwrap_err().to_string();
            assert!(error.contains(&format!("{name:?}")), "{error}");
        }
        assert!(agreed(&[]).check().is_err());
        let settings = agreed(&["b.example", "A.example", "b.Example"]);
        assert_eq!(settings.names(), ["a.example", "b.example"]);
    }

    #[test]
    fn addresses_and_files_are_looked_at() {
        let mut settings = agreed(&["api.example.com"]);
        settings.email = Some("nobody".to_owned());
        assert!(settings.check().unwrap_err().to_string().contains("\"nobody\""));
        settings.email = Some("ops@example.com".to_owned());
        settings.check().unwrap();
        settings.check_file().unwrap();
        settings.ca_file = Some(PathBuf::from("/nowhere/root.pem"));
        let error = settings.check_file().unwrap_err().to_string();
        assert!(error.contains("/nowhere/root.pem"), "{error}");
        settings.directory = "http://ca.example/dir".to_owned();
        assert!(settings.check().unwrap_err().to_string().contains("http://ca.example/dir"));
    }

    #[test]
    fn what_another_version_wrote_is_read() {
        let text = r#"{"domains": ["a.example"], "challenge": "tls-alpn-01", "profile": "short"}"#;
        let settings: AcmeSettings = serde_json::from_str(text).unwrap();
        assert_eq!(settings.challenge.name(), "tls-alpn-01");
        assert_eq!(settings.http_listen.port(), 80);
        assert!(!settings.agree_terms);
    }
}
