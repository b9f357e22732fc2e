//! What a gateway is told beside its folder and its address: one struct, from the project file to the gateway. A
//! deployer writes it into the folder of the service; the gateway reads it when it starts and when it is told to.
//!
//! Deployer and gateway may be of two versions, so what is not known is passed over and what is missing is the usual.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use trainyard_base::words::PROBE_PATHS;

use super::acme::{AcmeSettings, Challenge};
use super::limits::Limits;

/// What a gateway is told. All of it can change while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewaySettings {
    /// Whether each request gets a line in `access.log`.
    pub access_log: bool,
    /// Where `/metrics` is answered as well; the control socket always does.
    pub metrics_listen: Option<SocketAddr>,
    /// Where all paths of the instance are passed on, for operators.
    pub operator_listen: Option<SocketAddr>,
    /// Paths that the public may ask beside predictions, documentation and health: `/feedback`,
    /// `/models/*/feedback` (any one name), `/static/**` (all below).
    pub exposed: Vec<String>,
    /// Paths that need neither token nor certificate where others do.
    pub open: Vec<String>,
    /// What clients may do.
    pub limits: Limits,
    /// The certificate that clients and operators are shown; without one nothing is encrypted.
    pub tls: Option<TlsFiles>,
    /// How the gateway gets its certificate by itself, in the place of such files.
    pub acme: Option<AcmeSettings>,
    /// Authorities (PEM) that sign the certificates of clients.
    pub client_ca: Option<PathBuf>,
    /// Tokens of clients, by their digests.
    pub tokens_file: Option<PathBuf>,
    /// Where requests without TLS are told to come back with it.
    pub redirect_http: Option<SocketAddr>,
}

/// A certificate and its key, in files that are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFiles {
    /// The certificate, with those between it and its root behind it (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM, without a password).
    pub key: PathBuf,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            access_log: false,
            metrics_listen: None,
            operator_listen: None,
            exposed: Vec::new(),
            open: PROBE_PATHS.map(str::to_owned).to_vec(),
            limits: Limits::default(),
            tls: None,
            acme: None,
            client_ca: None,
            tokens_file: None,
            redirect_http: None,
        }
    }
}

impl GatewaySettings {
    /// Whether clients are asked who they are.
    pub fn asks(&self) -> bool {
        self.tokens_file.is_some() || self.client_ca.is_some()
    }

    /// Whether clients connect by TLS.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some() || self.acme.is_some()
    }

    /// Where requests without TLS are answered: some want to be told to come back with it, and the authority of
    /// the certificate asks its questions there.
    pub(super) fn way_to_tls(&self) -> Option<SocketAddr> {
        let acme = self.acme.as_ref().filter(|acme| acme.challenge == Challenge::Http01);
        self.redirect_http.or_else(|| acme.map(|acme| acme.http_listen))
    }

    /// What strangers could do at this address that nobody may want; none where all is well.
    pub fn warning(&self, listen: SocketAddr) -> Option<String> {
        if listen.ip().is_loopback() {
            return None;
        }
        let reached = format!("{listen} can be reached from other machines");
        match (self.asks(), self.is_encrypted()) {
            (false, _) => Some(format!(
                "{reached} and asks nobody who they are: anybody may predict. `trainyard token new NAME` makes \
                 tokens, deploy.tokens_file asks for them, deploy.client_ca asks for certificates"
            )),
            (true, false) => Some(format!(
                "{reached} without TLS: tokens can be read on the way. Set deploy.tls_cert and deploy.tls_key, or \
                 put a proxy with TLS in front"
            )),
            (true, true) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_may_differ() {
        let newer =
            r#"{"access_log": true, "limits": {"max_connections": 7, "later": 1}, "later": {}}"#;
        let read: GatewaySettings = serde_json::from_str(newer).unwrap();
        assert!(read.access_log && read.limits.max_connections == 7 && !read.open.is_empty());
        assert_eq!(read.limits.max_headers, Limits::default().max_headers);
        let text = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<GatewaySettings>(&text).unwrap(), read);
    }

    #[test]
    fn strangers_are_warned_of() {
        let (own, all) = (([127, 0, 0, 1], 80).into(), ([0, 0, 0, 0], 80).into());
        let mut settings = GatewaySettings::default();
        assert_eq!(settings.warning(own), None);
        assert!(settings.warning(all).unwrap().contains("asks nobody"));
        settings.tokens_file = Some(PathBuf::from("tokens"));
        assert!(settings.warning(all).unwrap().contains("without TLS"));
        let file = || PathBuf::from("file");
        settings.tls = Some(TlsFiles { certificate: file(), key: file() });
        assert_eq!(settings.warning(all), None);
        settings.tokens_file = None;
        assert!(settings.warning(all).unwrap().contains("asks nobody"));
    }
}
