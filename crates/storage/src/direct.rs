//! Whether clients are let into a bucket by signed URLs. A URL is of use only where its host is one that they
//! reach: an object store beside the server, in a compose file or a cluster, often is not.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::multipart::MultipartStore;
use object_store::signer::Signer;
use url::{Host, Url};

/// When clients are let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DirectTransfers {
    On,
    Off,
    /// Where the endpoint has a public address or name, or another one was given for clients.
    #[default]
    Auto,
}

impl FromStr for DirectTransfers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            "auto" => Ok(Self::Auto),
            _ => Err(format!("{text:?} is none of on, off and auto")),
        }
    }
}

/// An endpoint that clients are told: `https://host[:port]`.
///
/// # Errors
///
/// What is wrong with it, for who wrote it.
pub fn public_endpoint(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("no URL: {error}"))?;
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !is_plain {
        return Err(
            "an endpoint is https://host[:port], and keys come from the environment".to_owned()
        );
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// How clients reach buckets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectAccess {
    pub transfers: DirectTransfers,
    /// The endpoint of S3 that URLs for clients name, if it is another one than the server uses.
    pub public_endpoint: Option<String>,
}

impl DirectAccess {
    /// Whether clients are let in, where the server uses this endpoint; none is Amazon's own.
    pub(crate) fn is_offered(&self, endpoint: Option<&str>) -> bool {
        match self.transfers {
            DirectTransfers::On => true,
            DirectTransfers::Off => false,
            DirectTransfers::Auto => {
                self.public_endpoint.is_some() || endpoint.is_none_or(is_public)
            }
        }
    }
}

/// A store whose uploads in parts others may do, by requests that are signed for them.
pub trait DirectStore: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> DirectStore for T {}

/// A store that lets clients in.
#[derive(Clone)]
pub struct Direct {
    /// As the server reaches it.
    pub store: Arc<dyn DirectStore>,
    /// Signs URLs as clients reach it.
    pub signer: Arc<dyn Signer>,
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.store)
    }
}

/// Ends of names that only some network knows.
const PRIVATE_NAMES: [&str; 7] =
    [".local", ".localhost", ".internal", ".lan", ".home.arpa", ".svc", ".test"];

/// Whether strangers may be expected to reach the host of an endpoint. Names without a dot are a compose file's.
fn is_public(endpoint: &str) -> bool {
    let Ok(url) = Url::parse(endpoint) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name.contains('.') && !PRIVATE_NAMES.iter().any(|end| name.ends_with(end))
        }
        Some(Host::Ipv4(address)) => !is_private_v4(address),
        Some(Host::Ipv6(address)) => !is_private_v6(address),
        None => false,
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    // 100.64.0.0/10 is for the networks of providers.
    let is_shared = matches!(address.octets(), [100, 64..=127, ..]);
    is_shared
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_unspecified()
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || address.to_ipv4_mapped().is_some_and(is_private_v4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_let_in_where_they_get_there() {
        let auto = DirectAccess::default();
        for endpoint in [
            "http://minio:9000",
            "http://localhost:9000",
            "http://127.0.0.1:9000",
            "https://10.1.2.3",
            "http://172.16.0.9:9000",
            "http://192.168.1.4",
            "http://169.254.1.1",
            "http://100.100.1.1",
            "http://[::1]:9000",
            "http://[fd00::7]",
            "http://[::ffff:10.0.0.1]",
            "http://minio.storage.svc",
            "http://minio.storage.svc.cluster.local:9000",
            "http://host.docker.internal:9000",
            "nonsense",
        ] {
            assert!(!auto.is_offered(Some(endpoint)), "{endpoint}");
            let on = DirectAccess { transfers: DirectTransfers::On, ..auto.clone() };
            assert!(on.is_offered(Some(endpoint)), "{endpoint}");
            let public = Some("https://s3.example.com".to_owned());
            assert!(
                DirectAccess { public_endpoint: public, ..auto.clone() }.is_offered(Some(endpoint))
            );
        }
        for endpoint in [None, Some("https://s3.example.com"), Some("https://8.8.8.8")] {
            assert!(auto.is_offered(endpoint), "{endpoint:?}");
            let off = DirectAccess { transfers: DirectTransfers::Off, ..auto.clone() };
            assert!(!off.is_offered(endpoint), "{endpoint:?}");
        }
        assert_eq!("on".parse(), Ok(DirectTransfers::On));
        assert_eq!(
            public_endpoint("https://s3.example.com/").as_deref(),
            Ok("https://s3.example.com")
        );
        for wrong in ["s3.example.com", "s3://bucket", "https://key:secret@host", "https://h/?a=b"]
        {
            assert!(public_endpoint(wrong).is_err(), "{wrong}");
        }
        assert!("yes".parse::<DirectTransfers>().is_err());
    }
}
