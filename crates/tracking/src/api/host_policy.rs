//! Which hosts a client's location may make this server connect to, as MLflow 3.17's host policy has it.

use trainyard_mlflow::Result;
use trainyard_mlflow::metadata_hosts::is_metadata_host;
use url::Url;

use crate::error::invalid;

/// Schemes whose URIs name the host to connect to.
const HOST_SCHEMES: &[&str] =
    &["http", "https", "ftp", "sftp", "hdfs", "viewfs", "mlflow-artifacts", "r2", "b2", "abfss"];

/// What the server's owner lets clients name, beyond places that name no host.
#[derive(Debug, Clone, Default)]
pub struct HostPolicy {
    allowed_schemes: Vec<String>,
    /// Scheme, host and port of the server's own artifact storage.
    trusted: Vec<Target>,
}

/// Scheme, host and port.
type Target = (String, String, Option<u16>);

impl HostPolicy {
    /// Lets through the hosts of the server's own `roots`, and whatever has one of `allowed_schemes`
    /// (`MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES`).
    pub fn new(roots: &[&str], allowed_schemes: &[String]) -> Self {
        let allowed_schemes =
            allowed_schemes.iter().map(|scheme| scheme.trim().to_ascii_lowercase());
        Self {
            allowed_schemes: allowed_schemes.collect(),
            trusted: roots.iter().filter_map(|root| target(root)).collect(),
        }
    }

    /// Refuses a location on another host: this server would connect to whatever a client names.
    pub(super) fn check(&self, uri: &str, field: &str) -> Result<()> {
        let scheme = scheme(uri);
        let no_host = scheme == "mlflow-artifacts"
            && (!uri.contains("://")
                || uri.to_ascii_lowercase().starts_with("mlflow-artifacts:///"));
        if !HOST_SCHEMES.contains(&scheme.as_str()) || no_host {
            return Ok(());
        }
        if named_host(uri).is_some_and(is_metadata_host) {
            return invalid!(
                "'{field}' names a host that keeps secrets of the machine that asks it; it is never \
                 asked."
            );
        }
        if self.allowed_schemes.contains(&scheme)
            || target(uri).is_some_and(|target| self.trusted.contains(&target))
        {
            return Ok(());
        }
        invalid!(
            "'{field}' cannot use the '{scheme}' scheme: the '{scheme}' scheme addresses a host \
             other than the tracking server's configured artifact storage, so the server would \
             connect to the host named in the URI. Set the \
             MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES environment variable on the server to \
             allow it."
        )
    }
}

/// Scheme in lower case; "" for a path.
pub(super) fn scheme(uri: &str) -> String {
    crate::artifacts::scheme(uri).unwrap_or_default().to_ascii_lowercase()
}

/// The host that a URI says, as it is written there.
fn named_host(uri: &str) -> Option<&str> {
    let (_scheme, rest) = uri.split_once(':')?;
    // Clients take a backslash for a slash, and any number of either.
    let rest = rest.trim_start_matches(['/', '\\']);
    let authority = rest.split(['/', '\\', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_user, host)| host);
    match host.rfind(']') {
        Some(end) => host.get(..=end),
        None => Some(host.split(':').next().unwrap_or(host)),
    }
}

/// What a location connects to; none where it names no host, or where a parser of it and an HTTP
/// client might disagree on which.
fn target(uri: &str) -> Option<Target> {
    if uri.contains(|c: char| c == '\\' || c.is_whitespace()) {
        return None;
    }
    let url = Url::parse(uri).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?;
    Some((url.scheme().to_owned(), host.to_ascii_lowercase(), url.port_or_known_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_hosts_and_what_is_allowed() {
        let strict = HostPolicy::default();
        for good in [
            "s3://b/p",
            "mlflow-artifacts:/x",
            "mlflow-artifacts:/metadata",
            "mlflow-artifacts:///x",
            "/data/x",
            "file:///x",
        ] {
            assert!(strict.check(good, "source").is_ok(), "{good}");
        }
        for bad in [
            "http://h/x",
            "HTTPS://h/x",
            "ftp:///x",
            "mlflow-artifacts://h:9000/x",
            "abfss://c@a/x",
        ] {
            assert!(strict.check(bad, "source").is_err(), "{bad}");
        }
        let own =
            HostPolicy::new(&["abfss://c@a.dfs.core.windows.net/root"], &[" SFTP".to_owned()]);
        assert!(own.check("abfss://c@a.dfs.core.windows.net/root/x", "source").is_ok());
        assert!(own.check("abfss://c@a.dfs.core.windows.net\\@evil/x", "source").is_err());
        assert!(own.check("abfss://c@b.dfs.core.windows.net/x", "source").is_err());
        assert!(own.check("sftp://h/x", "source").is_ok());
        for bad in [
            "sftp://169.254.169.254/x",
            "SFTP://u:p@2852039166:22/x",
            "sftp:/\\169.254.169.254\\x",
            "sftp://[::ffff:169.254.169.254]:22/x",
            "sftp://metadata.google.internal?x",
        ] {
            assert!(own.check(bad, "source").is_err(), "{bad}");
        }
        assert!(own.check("ftp://h/x", "source").is_err());
    }
}
