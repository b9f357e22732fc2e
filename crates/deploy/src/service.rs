//! A service: its name, where its state is, and what its gateway is told.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::gateway::GatewaySettings;

/// A place where one version at a time is served, behind one address.
#[derive(Debug, Clone)]
pub struct Service {
    /// Names the folder of its state and labels its instances.
    pub name: String,
    /// Folder below which services keep their state (`<state_dir>/<name>/`).
    pub state_dir: PathBuf,
    /// Where the gateway listens.
    pub listen: SocketAddr,
    /// Program and first arguments that run the gateway; `--state-dir` and `--listen` are added. All else it
    /// reads from the folder of the service.
    /// `None`: this executable with `gateway`.
    pub gateway_command: Option<Vec<OsString>>,
    /// How long to wait for another deployment of the same service.
    pub lock_wait: Duration,
    /// What the gateway is told beside its folder and its address.
    pub gateway: GatewaySettings,
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
            gateway: GatewaySettings::default(),
        }
    }

    /// What strangers could do with the service that nobody may want; none where all is well.
    pub fn warning(&self) -> Option<String> {
        self.gateway.warning(self.listen)
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
pub(crate) fn local_address(listen: SocketAddr) -> SocketAddr {
    let mut address = listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
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
