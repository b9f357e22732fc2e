//! A service: its name, where its state is, and what its gateway is told.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};

/// A place where one version at a time is served, behind one address.
#[derive(Debug, Clone)]
pub struct Service {
    /// Names the folder of its state and labels its instances.
    pub name: String,
    /// Folder below which services keep their state (`<state_dir>/<name>/`).
    pub state_dir: PathBuf,
    /// Where the gateway listens.
    pub listen: SocketAddr,
    /// Program and first arguments that run the gateway; `--state-dir` and `--listen` are added.
    /// `None`: this executable with `gateway`.
    pub gateway_command: Option<Vec<OsString>>,
    /// How long to wait for another deployment of the same service.
    pub lock_wait: Duration,
    /// Whether the gateway writes a line for each request.
    pub access_log: bool,
    /// Where the gateway answers `/metrics`, beside its control socket.
    pub metrics_listen: Option<SocketAddr>,
    /// Where the gateway passes all paths of the instance on, for operators.
    pub operator_listen: Option<SocketAddr>,
    /// Paths that the public may ask beside predictions, documentation and health.
    pub exposed: Vec<String>,
    /// How long an instance may take to begin an answer; the gateway's own limit if none.
    pub response_timeout: Option<Duration>,
    /// Connections of clients at a time; the gateway's own limit if none.
    pub max_connections: Option<usize>,
    /// Connections of one address at a time; half of all if none.
    pub max_per_address: Option<usize>,
}

impl Service {
    /// A service with the usual gateway; waits 10 s for another deployment.
    pub fn new(name: impl Into<String>, state_dir: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            name: name.into(),
            state_dir: state_dir.into(),
            listen,
            gateway_command: None,
            lock_wait: Duration::from_secs(10),
            access_log: false,
            metrics_listen: None,
            operator_listen: None,
            exposed: Vec::new(),
            response_timeout: None,
            max_connections: None,
            max_per_address: None,
        }
    }

    /// What a gateway of this service is told beside its folder and address.
    pub(crate) fn gateway_arguments(&self) -> Vec<String> {
        let given =
            |flag: &str, value: Option<String>| value.map(|value| format!("{flag}={value}"));
        let address = |address: Option<SocketAddr>| address.map(|address| address.to_string());
        let count = |count: Option<usize>| count.map(|count| count.to_string());
        let response = self.response_timeout.map(|limit| format!("{}ms", limit.as_millis()));
        self.access_log
            .then(|| "--access-log".to_owned())
            .into_iter()
            .chain(given("--metrics-listen", address(self.metrics_listen)))
            .chain(given("--operator-listen", address(self.operator_listen)))
            .chain(self.exposed.iter().map(|path| format!("--expose={path}")))
            .chain(given("--response-timeout", response))
            .chain(given("--max-connections", count(self.max_connections)))
            .chain(given("--max-per-address", count(self.max_per_address)))
            .collect()
    }

    /// Refuses names that are no plain folder names.
    pub(crate) fn check_name(&self) -> Result<()> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let starts = self.name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if starts && self.name.len() <= 64 && self.name.bytes().all(plain) {
            return Ok(());
        }
        Err(Error::Name { name: self.name.clone() })
    }
}

/// Where clients on this machine find a listening address.
pub(crate) fn url(listen: SocketAddr) -> String {
    let mut address = listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for (name, good) in [
            ("iris", true),
            ("a.b-c_1", true),
            ("", false),
            ("../x", false),
            ("a/b", false),
            (".a", false),
        ] {
            let service = Service::new(name, "/tmp", ([127, 0, 0, 1], 0).into());
            assert_eq!(service.check_name().is_ok(), good, "{name:?}");
        }
    }
}
