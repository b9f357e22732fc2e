//! Which URLs a webhook may have, and which addresses it may lead to.
//!
//! A URL is checked by what is written in it: looking a name up for whoever makes a webhook would tell strangers
//! which hosts there are in the server's network. Addresses are judged when one is connected to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use trainyard_mlflow::metadata_hosts::{is_metadata_address, is_metadata_host};
use trainyard_mlflow::{Error, Result};
use trainyard_net::{Egress, is_http_port};
use url::{Host, Url};

use crate::error::invalid;
use crate::store::python;

/// Size of the column.
const URL_CHARACTERS_MAX: usize = 500;

/// Where webhooks may go.
#[derive(Debug, Clone)]
pub(crate) struct Destinations {
    /// Of any host. A host that the owner named may be asked by `http`, too.
    pub(crate) schemes: Vec<String>,
    pub(crate) egress: Egress,
    /// Whether private addresses are as good as public ones; those of metadata services never are.
    pub(crate) private: bool,
}

/// No address of a host may be connected to. Which there are, if any, is nobody's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoAddress {
    host: String,
}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} has no public address that is known here; --webhook-allow names receivers in private networks",
            self.host
        )
    }
}

impl std::error::Error for NoAddress {}

impl Destinations {
    /// Reads the URL of a new webhook, with MLflow's sentences.
    pub(crate) fn check_new(&self, text: &str) -> Result<Url> {
        if text.trim().is_empty() {
            let text = python::repr(text);
            return invalid!("Webhook URL cannot be empty or just whitespace: {text}");
        }
        if text.chars().nth(URL_CHARACTERS_MAX).is_some() {
            return invalid!("Webhook URL has more than {URL_CHARACTERS_MAX} characters");
        }
        let url = self.check(text)?;
        // The web's reading of URLs finds a host behind any number of slashes.
        let host = text.split_once("://").map(|(_scheme, rest)| rest);
        if host.is_none_or(|rest| rest.starts_with(['/', '\\'])) {
            return Err(no_host(text));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return invalid!(
                "Webhook URL must not have a user or password, which everybody could read who lists \
                 webhooks: give the webhook a secret, which signs what it sends"
            );
        }
        Ok(url)
    }

    /// Reads the URL of a webhook that is there.
    pub(crate) fn check(&self, text: &str) -> Result<Url> {
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(url::ParseError::EmptyHost) => return Err(no_host(text)),
            Err(url::ParseError::RelativeUrlWithoutBase) => return Err(self.scheme("")),
            Err(error) => return invalid!("Invalid webhook URL {}: {error}", python::repr(text)),
        };
        let named = url.host_str().is_some_and(|host| self.egress.names(host));
        let is_named_http = named && url.scheme() == "http";
        if !is_named_http && !self.schemes.iter().any(|scheme| scheme == url.scheme()) {
            return Err(self.scheme(url.scheme()));
        }
        let Some(host) = url.host() else { return Err(no_host(text)) };
        let may_be = match host {
            Host::Domain(name) => {
                let local = name.trim_end_matches('.');
                let is_local = local == "localhost" || local.ends_with(".localhost");
                !is_metadata_host(name) && (!is_local || named || self.private)
            }
            Host::Ipv4(address) => self.permits(&address.to_string(), address.into()),
            Host::Ipv6(address) => self.permits(&address.to_string(), address.into()),
        };
        if !may_be {
            let host = python::repr(url.host_str().unwrap_or_default());
            return invalid!(
                "Webhook URL must not resolve to a non-public IP address. {host} does; receivers in \
                 private networks are named with the server's --webhook-allow"
            );
        }
        match url.port_or_known_default() {
            Some(port) if is_http_port(port) => Ok(url),
            Some(port) => invalid!("Webhook URL has port {port}, which is another protocol's"),
            None => Err(self.scheme(url.scheme())),
        }
    }

    fn scheme(&self, scheme: &str) -> Error {
        let allowed = self.schemes.join(", ");
        Error::invalid(format!(
            "Invalid webhook URL scheme: '{scheme}'. Allowed schemes are: {allowed}."
        ))
    }

    fn permits(&self, host: &str, address: IpAddr) -> bool {
        !is_metadata_address(address) && (self.private || self.egress.permits(host, address))
    }
}

fn no_host(text: &str) -> Error {
    Error::invalid(format!("Webhook URL must include a hostname: {}", python::repr(text)))
}

/// A name is looked up when it is connected to, once: what is not permitted is not among the answers.
impl Resolve for Destinations {
    fn resolve(&self, name: Name) -> Resolving {
        let destinations = self.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            // That a name is not known is told in the same words as that it is somebody's.
            let found: Vec<SocketAddr> = match tokio::net::lookup_host((host.as_str(), 0)).await {
                Ok(found) => found.collect(),
                Err(_unknown) => Vec::new(),
            };
            let permitted: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| destinations.permits(&host, address.ip()))
                .collect();
            if permitted.is_empty() {
                let refused: Box<dyn std::error::Error + Send + Sync> = NoAddress { host }.into();
                return Err(refused);
            }
            let permitted: Addrs = Box::new(permitted.into_iter());
            Ok(permitted)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destinations(allowed: &[&str]) -> Destinations {
        Destinations {
            schemes: vec!["https".to_owned()],
            egress: Egress::new(allowed.iter().map(|text| text.parse().unwrap()).collect()),
            private: false,
        }
    }

    /// Forms by which servers were made to ask their own network (CVE-2026-64849 and older ones).
    const CORPUS: &[&str] = &[
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.localhost/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://%31%32%37.0.0.1/",
        "https://017700000001/",
        "https://0/",
        "https://0.0.0.0/",
        "https://１２７.０.０.１/",
        "https://127。0。0。1/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.0.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://2852039166/",
        "https://0xa9fea9fe/",
        "https://0251.0376.0251.0376/",
        "https://metadata.google.internal/",
        "https://Metadata.Google.Internal./",
        "https://[::]/",
        "https://[::1]/",
        "https://[::127.0.0.1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[64:ff9b::169.254.169.254]/",
        "https://[64:ff9b:1::a00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[2002:a9fe:a9fe::1]/",
        "https://[2001:0:1::1]/",
        "https://[fe80::1]/",
        "https://[fe80::1%25eth0]/",
        "https://[fc00::1]/",
        "https://[fd00:ec2::254]/",
        "https://[ff02::1]/",
        "https://example.com@127.0.0.1/",
        "https://user:password@example.com/",
        "https://127.0.0.1\\@example.com/",
        "https:\\\\127.0.0.1/",
        "https:127.0.0.1",
        "https:///127.0.0.1/",
        "https:///example.com/",
        "https:example.com",
        "https://127.0.0.1#@example.com/",
        "https://127.0.0.1?@example.com/",
        "https://example.com:22/",
        "https://example.com:25/",
        "https://example.com:6667/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "javascript:alert(1)",
        "//example.com/",
        "https://",
        "https://?",
        " ",
        "",
    ];

    #[test]
    fn no_form_of_the_corpus_is_taken() {
        for url in CORPUS {
            assert!(destinations(&[]).check_new(url).is_err(), "{url}");
        }
        for url in ["https://example.com/h", "https://example.com:8443/h", "https://8.8.8.8/h"] {
            assert!(destinations(&[]).check_new(url).is_ok(), "{url}");
        }
        let long = format!("https://example.com/{}", "a".repeat(500));
        assert!(destinations(&[]).check_new(&long).is_err());
    }

    #[test]
    fn names_are_not_looked_up_for_who_makes_a_webhook() {
        let check = |url: &str| {
            destinations(&[]).check_new(url).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(check("https://no-such-host.invalid/"), check("https://example.com/"));
    }

    #[test]
    fn receivers_that_the_owner_names_may_be_private_and_without_tls() {
        let own = destinations(&["serve.internal", "10.0.0.0/8", "127.0.0.1"]);
        for url in [
            "http://serve.internal:8080/webhook",
            "http://127.0.0.1:8080/webhook",
            "https://10.1.2.3/",
            "http://10.1.2.3/",
        ] {
            assert!(own.check_new(url).is_ok(), "{url}");
        }
        for url in ["http://other.internal/", "https://192.168.0.1/", "https://127.0.0.2/"] {
            assert!(own.check_new(url).is_err(), "{url}");
        }
        // Those of clouds are in nobody's network.
        let all = destinations(&["0.0.0.0/0", "169.254.169.254"]);
        assert!(all.check_new("https://169.254.169.254/").is_err());
    }

    async fn resolve(destinations: &Destinations, name: &str) -> Result<Vec<IpAddr>, String> {
        let found = destinations.resolve(name.parse().unwrap()).await;
        found
            .map(|addresses| addresses.map(|address| address.ip()).collect())
            .map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_leads_nowhere() {
        let told = |name: &str| NoAddress { host: name.to_owned() }.to_string();
        let strict = destinations(&[]);
        assert_eq!(resolve(&strict, "localhost").await, Err(told("localhost")));
        // In the same words as a name that there is not.
        let unknown = "no-such-host.invalid";
        assert_eq!(resolve(&strict, unknown).await, Err(told(unknown)));
        let named = resolve(&destinations(&["localhost"]), "localhost").await.unwrap();
        assert!(named.iter().all(IpAddr::is_loopback) && !named.is_empty());
    }
}
