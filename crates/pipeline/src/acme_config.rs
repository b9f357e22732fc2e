//! `[deploy.acme]`: a certificate of an authority that speaks ACME, which the gateway gets and renews by itself.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use trainyard_deploy::gateway::{AcmeSettings, Challenge};

/// `[deploy.acme]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Acme {
    /// Names that the certificate is for.
    pub domains: Vec<String>,
    /// Where the authority may write about it; nowhere if none.
    pub email: Option<String>,
    /// Address of the authority's directory.
    pub directory: String,
    /// Root certificate by which that address is trusted (PEM), relative to the project; the machine's if none.
    pub ca_file: Option<PathBuf>,
    /// How it is proved that the names lead here: `http-01`, `tls-alpn-01`.
    pub challenge: Challenge,
    /// Where HTTP-01 challenges are answered.
    pub http_listen: SocketAddr,
    /// Whether the user agrees to the authority's terms of service.
    pub agree_terms: bool,
}

impl Default for Acme {
    fn default() -> Self {
        let AcmeSettings {
            domains,
            email,
            directory,
            ca_file,
            challenge,
            http_listen,
            agree_terms,
        } = AcmeSettings::default();
        Self { domains, email, directory, ca_file, challenge, http_listen, agree_terms }
    }
}

impl Acme {
    /// What the gateway is told; `place` says where a file of the project is.
    pub fn settings(&self, place: impl Fn(&PathBuf) -> PathBuf) -> AcmeSettings {
        let Self { domains, email, directory, ca_file, challenge, http_listen, agree_terms } =
            self.clone();
        let ca_file = ca_file.as_ref().map(place);
        AcmeSettings { domains, email, directory, ca_file, challenge, http_listen, agree_terms }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn keys_are_the_gateways_settings() {
        let text = "domains = [\"api.example.com\"]\nchallenge = \"tls-alpn-01\"\nagree_terms = true\n\
                    ca_file = \"root.pem\"\nemail = \"ops@example.com\"";
        let settings =
            toml::from_str::<Acme>(text).unwrap().settings(|file| Path::new("/project").join(file));
        settings.check().unwrap();
        assert_eq!(settings.challenge, Challenge::TlsAlpn01);
        assert_eq!(settings.ca_file, Some(PathBuf::from("/project/root.pem")));
        assert_eq!(settings.directory, AcmeSettings::default().directory);
        let error = toml::from_str::<Acme>("domain = \"a\"").unwrap_err().to_string();
        assert!(error.contains("domain"), "{error}");
    }
}
