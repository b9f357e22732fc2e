//! What a probe asks where nobody says it: the program that its container was started for, which is process 1 there.
//!
//! That program's command line is read as the program read it; its variables are the probe's, too.

use std::any::Any;
use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::upstream_tls;

/// Reads a command line of this program; `None` where there is a mistake in it.
pub(crate) type Parse = fn(&[OsString]) -> Option<ArgMatches>;

/// Whose health is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A server's, at this URL.
    Url(String),
    /// That of the deployments of these projects.
    Projects(Vec<PathBuf>),
}

impl Subject {
    /// What process 1 does; a model server where it is another program. `None` where nobody can say where that listens.
    pub(super) fn of_container(parse: Parse) -> Option<Self> {
        let line = std::fs::read("/proc/1/cmdline").unwrap_or_default();
        let words = own_words(&line).unwrap_or_else(|| vec!["trainyard".into(), "serve".into()]);
        Self::of(&parse(&words)?)
    }

    /// What somebody with this command line does.
    pub(crate) fn of(matches: &ArgMatches) -> Option<Self> {
        match matches.subcommand()? {
            ("serve" | "server", flags) => url(flags).map(Self::Url),
            ("up", flags) => {
                let folders = flags.try_get_many::<PathBuf>("folders").ok().flatten();
                let folders = folders.map(|folders| folders.cloned().collect());
                Some(Self::Projects(folders.unwrap_or_else(|| vec![PathBuf::from(".")])))
            }
            _ => None,
        }
    }
}

/// This program and its arguments in a command line as the kernel has it, each with a zero behind it: an init of the
/// container's may stand before them.
fn own_words(line: &[u8]) -> Option<Vec<OsString>> {
    let line = line.strip_suffix(b"\0")?;
    let words: Vec<&OsStr> = line.split(|byte| *byte == 0).map(OsStr::from_bytes).collect();
    let is_own = |word: &&OsStr| Path::new(word).file_name() == Some(OsStr::new("trainyard"));
    let first = words.iter().position(is_own)?;
    Some(words.into_iter().skip(first).map(OsStr::to_owned).collect())
}

/// Where a server with these flags answers for its health.
fn url(flags: &ArgMatches) -> Option<String> {
    let port = value::<u16>(flags, "port").filter(|port| **port != 0)?;
    let host = reachable(value::<String>(flags, "host")?);
    let scheme = if speaks_tls(flags) { "https" } else { "http" };
    let prefix = value::<String>(flags, "static_prefix").map_or("", String::as_str);
    Some(format!("{scheme}://{host}:{port}{prefix}/health"))
}

/// Who listens on all addresses is reached on the loopback's.
fn reachable(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) if address.is_unspecified() => "127.0.0.1".to_owned(),
        Ok(IpAddr::V6(address)) if address.is_unspecified() => "[::1]".to_owned(),
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        Ok(IpAddr::V4(_)) | Err(_) => host.to_owned(),
    }
}

fn speaks_tls(flags: &ArgMatches) -> bool {
    let upstreams = ["gunicorn_opts", "uvicorn_opts"]
        .map(|flag| (flag, value::<String>(flags, flag).map(String::as_str)));
    value::<PathBuf>(flags, "tls_cert").is_some()
        || upstream_tls::files(&upstreams).is_ok_and(|files| files.is_some())
}

/// A flag's value; `None` also where the verb has no such flag.
fn value<'m, T: Any + Clone + Send + Sync>(flags: &'m ArgMatches, id: &str) -> Option<&'m T> {
    flags.try_get_one(id).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_init_may_stand_before_the_program() {
        let own = |line: &str| own_words(line.as_bytes());
        let server = ["/trainyard", "server", "--port", "9"].map(OsString::from).to_vec();
        assert_eq!(own("/trainyard\0server\0--port\09\0"), Some(server.clone()));
        assert_eq!(own("/sbin/docker-init\0--\0/trainyard\0server\0--port\09\0"), Some(server));
        let empty = ["trainyard", "serve", "--host", ""].map(OsString::from).to_vec();
        assert_eq!(own("trainyard\0serve\0--host\0\0"), Some(empty));
        for line in ["", "/sbin/init\0", "/pause\0", "/usr/bin/trainyards\0serve\0"] {
            assert_eq!(own(line), None, "{line:?}");
        }
    }
}
