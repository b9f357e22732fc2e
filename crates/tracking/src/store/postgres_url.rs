//! A PostgreSQL URI as `libpq` and `sqlalchemy` write it, with one host or several.
//!
//! ```text
//! postgresql://user:password@one:5432,two:5432/database?target_session_attrs=read-write
//! postgresql://user:password@/database?host=one:5432&host=two:5432
//! postgresql://user@/database?host=/var/run/postgresql&port=5433
//! ```
//!
//! Each host becomes a configuration of its own: the one that answered last is asked first, and none of them
//! is waited for longer than its own time. A session must be able to write whatever the URI says, so a standby is
//! never taken for the database.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::TargetSessionAttrs;
use trainyard_mlflow::Error as MlflowError;

use super::postgres_tls::{self, MakeTls};
use crate::error::{Result, invalid};

/// How long a server that does not answer is waited for, from its address to the end of the login.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The same where there are others that may answer.
const CONNECT_TIMEOUT_OF_MANY: Duration = Duration::from_secs(4);
/// A connection on which nothing is heard is asked after this time, …
const KEEPALIVES_IDLE: Duration = Duration::from_secs(10);
/// … again after this, …
const KEEPALIVES_INTERVAL: Duration = Duration::from_secs(5);
/// … and given up after so many: a machine that is gone is noticed within half a minute, not in two hours.
const KEEPALIVES_COUNT: u32 = 3;
/// How long what was sent may stay unconfirmed by the other machine's kernel.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(20);
const PORT: u16 = 5432;

/// Where a database is, and how it is spoken to.
pub(super) struct Target {
    pub(super) hosts: Vec<Host>,
    pub(super) tls: MakeTls,
    /// For one host, from its address to the end of the login.
    pub(super) connect_timeout: Duration,
}

/// One of the servers.
pub(super) struct Host {
    /// For messages.
    pub(super) name: String,
    pub(super) config: Config,
}

/// Reads a `postgresql://` URI.
pub(super) fn read(uri: &str) -> Result<Target> {
    let parts = Parts::of(uri)?;
    let mut options = Options::default();
    let mut rest = String::new();
    for pair in parts.query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !options.take(&decoded(name)?, &decoded(value)?)? {
            // What is left the driver reads, as it was written.
            rest.push_str(if rest.is_empty() { "?" } else { "&" });
            rest.push_str(pair);
        }
    }
    // First, as what else cannot be read then may be a piece of a password, and the driver would show it.
    let addresses = options.addresses(parts.hosts)?;
    // The driver takes any `@` for the end of a password.
    let text = format!("postgresql:///{}{rest}", parts.database).replace('@', "%40");
    let mut base = text.parse::<Config>().map_err(|error| unreadable(&error))?;
    let (ssl_mode, tls) = postgres_tls::modes(&options.ssl_mode, options.ssl_root.as_deref())?;
    base.ssl_mode(ssl_mode).target_session_attrs(TargetSessionAttrs::ReadWrite);
    base.application_name("trainyard");
    if let Some((user, password)) = parts.user()? {
        base.user(user);
        if let Some(password) = password {
            base.password(password);
        }
    }
    options.set_deadlines(&mut base);

    let timeout = if addresses.len() > 1 { CONNECT_TIMEOUT_OF_MANY } else { CONNECT_TIMEOUT };
    let connect_timeout = base.get_connect_timeout().copied().unwrap_or(timeout);
    base.connect_timeout(connect_timeout);
    let mut hosts = Vec::new();
    for (position, (host, port)) in addresses.into_iter().enumerate() {
        let mut config = base.clone();
        let name = if host.starts_with('/') {
            config.host_path(&host);
            format!("{host}:{port}")
        } else {
            config.host(host.as_str());
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
        };
        if let Some(address) = options.host_addresses.get(position) {
            config.hostaddr(*address);
        }
        config.port(port);
        hosts.push(Host { name, config });
    }
    Ok(Target { hosts, tls, connect_timeout })
}

/// The pieces of a URI, as they were written.
struct Parts<'a> {
    user: Option<&'a str>,
    hosts: &'a str,
    database: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(uri: &'a str) -> Result<Self> {
        let Some((_scheme, rest)) = uri.split_once("://") else {
            return invalid!(
                "the PostgreSQL URI has no `://`: write postgresql://user@host/database"
            );
        };
        let rest = rest.split_once('#').map_or(rest, |(rest, _fragment)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        // A password may have an `@` that was not encoded; no host has one.
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        Ok(Self { user, hosts, database, query })
    }

    fn user(&self) -> Result<Option<(String, Option<String>)>> {
        let Some(user) = self.user.filter(|user| !user.is_empty()) else { return Ok(None) };
        let (name, password) = match user.split_once(':') {
            Some((name, password)) => (name, Some(decoded(password)?.into_owned())),
            None => (user, None),
        };
        Ok(Some((decoded(name)?.into_owned(), password)))
    }
}

/// What of the query the driver does not know, or takes for something else than libpq does.
#[derive(Default)]
struct Options {
    ssl_mode: String,
    ssl_root: Option<String>,
    hosts: Vec<String>,
    host_addresses: Vec<IpAddr>,
    ports: Vec<u16>,
    user_timeout: Option<Duration>,
    keepalives_count: Option<u32>,
    has_idle: bool,
    has_interval: bool,
}

impl Options {
    /// Takes an option, or says that it is the driver's.
    fn take(&mut self, name: &str, value: &str) -> Result<bool> {
        match name {
            "sslmode" => value.clone_into(&mut self.ssl_mode),
            "sslrootcert" => self.ssl_root = Some(value.to_owned()),
            "sslcert" | "sslkey" | "sslcrl" => {
                return invalid!(
                    "{name} is not supported: the tracking database is signed in to by name and password"
                );
            }
            // Standbys are of no use to whoever writes.
            "target_session_attrs" => match value {
                "any" | "read-write" | "primary" => {}
                other => {
                    return invalid!(
                        "target_session_attrs={other}: the tracking database is written to; leave it out, or \
                         write read-write"
                    );
                }
            },
            "host" => self.hosts.extend(value.split(',').map(str::to_owned)),
            "hostaddr" => {
                for address in value.split(',') {
                    self.host_addresses.push(number(name, address)?);
                }
            }
            "port" => {
                for port in value.split(',') {
                    self.ports.push(if port.is_empty() { PORT } else { number(name, port)? });
                }
            }
            // In milliseconds; the driver would read seconds.
            "tcp_user_timeout" => {
                self.user_timeout = Some(Duration::from_millis(number(name, value)?));
            }
            "keepalives_count" => self.keepalives_count = Some(number(name, value)?),
            "keepalives_idle" => {
                self.has_idle = true;
                return Ok(false);
            }
            "keepalives_interval" => {
                self.has_interval = true;
                return Ok(false);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// When a connection whose other end is gone is given up, unless the URI says it.
    fn set_deadlines(&self, config: &mut Config) {
        if !self.has_idle {
            config.keepalives_idle(KEEPALIVES_IDLE);
        }
        if !self.has_interval {
            config.keepalives_interval(KEEPALIVES_INTERVAL);
        }
        config.keepalives_retries(self.keepalives_count.unwrap_or(KEEPALIVES_COUNT));
        let user_timeout = self.user_timeout.unwrap_or(TCP_USER_TIMEOUT);
        // As in libpq, none is what the system does.
        if !user_timeout.is_zero() {
            config.tcp_user_timeout(user_timeout);
        }
    }

    /// Hosts with their ports: those of the authority, or of `host=`.
    fn addresses(&self, authority: &str) -> Result<Vec<(String, u16)>> {
        let mut written: Vec<String> = Vec::new();
        for host in authority.split(',').filter(|host| !host.is_empty()) {
            written.push(decoded(host)?.into_owned());
        }
        written.extend(self.hosts.iter().filter(|host| !host.is_empty()).cloned());
        if written.is_empty() {
            written.extend(self.host_addresses.iter().map(|address| match address {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            }));
        }
        let count = written.len();
        if count == 0 {
            return invalid!(
                "the PostgreSQL URI names no host: write postgresql://user@host:5432/database"
            );
        }
        if self.ports.len() > 1 && self.ports.len() != count {
            return invalid!("the PostgreSQL URI has {count} hosts and {} ports", self.ports.len());
        }
        let addresses = self.host_addresses.len();
        if addresses > 0 && addresses != count {
            return invalid!("the PostgreSQL URI has {count} hosts and {addresses} in hostaddr");
        }
        let mut hosts = Vec::new();
        for (position, host) in written.iter().enumerate() {
            let (host, port) = split_port(host)?;
            let listed = self.ports.get(position).or_else(|| self.ports.first()).copied();
            hosts.push((host.to_owned(), port.or(listed).unwrap_or(PORT)));
        }
        Ok(hosts)
    }
}

/// `host` and the port of `host:port` and `[v6]:port`; a folder of sockets has none.
fn split_port(host: &str) -> Result<(&str, Option<u16>)> {
    if host.starts_with('/') {
        return Ok((host, None));
    }
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, after)) => (address, after.strip_prefix(':')),
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    match port.filter(|port| !port.is_empty()) {
        _ if name.is_empty() => invalid!("the PostgreSQL URI has a port without a host"),
        None => Ok((name, None)),
        Some(port) => match port.parse() {
            Ok(port) => Ok((name, Some(port))),
            // It may be a piece of a password: it is not shown.
            Err(_no_number) => invalid!(
                "a port in the PostgreSQL URI is no number (in a password, / ? # and : are written %2F %3F %23 %3A)"
            ),
        },
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T> {
    match value.trim().parse() {
        Ok(number) => Ok(number),
        Err(_no_number) => invalid!("{name}={value} of the PostgreSQL URI cannot be read"),
    }
}

fn decoded(text: &str) -> Result<Cow<'_, str>> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text),
        Err(_not_text) => invalid!("the PostgreSQL URI is not UTF-8 once it is decoded"),
    }
}

/// The driver leaves the cause to its source.
fn unreadable(error: &tokio_postgres::Error) -> MlflowError {
    use std::error::Error as _;

    let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    MlflowError::invalid(format!("the PostgreSQL URI: {reason}"))
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::SslMode;

    use super::*;

    fn names(uri: &str) -> Vec<String> {
        read(uri).unwrap().hosts.into_iter().map(|host| host.name).collect()
    }

    fn refused(uri: &str) -> String {
        read(uri).err().unwrap().to_string()
    }

    #[test]
    fn hosts_stand_where_libpq_and_sqlalchemy_write_them() {
        for (uri, expected) in [
            ("postgresql://u:p@h/db", vec!["h:5432"]),
            (
                "postgresql://u@one:1,two,three:3/db?target_session_attrs=read-write",
                vec!["one:1", "two:5432", "three:3"],
            ),
            ("postgresql://u@/db?host=one:1&host=two:2", vec!["one:1", "two:2"]),
            ("postgresql://u@/db?host=one,two&port=1,2", vec!["one:1", "two:2"]),
            ("postgresql://u@one,two/db?port=7", vec!["one:7", "two:7"]),
            ("postgresql://[::1]:6,[fd00::2]/db", vec!["[::1]:6", "[fd00::2]:5432"]),
            ("postgresql://u@%2Fvar%2Frun/db", vec!["/var/run:5432"]),
            ("postgresql:///db?host=/var/run&port=6", vec!["/var/run:6"]),
            ("postgresql:///db?hostaddr=10.0.0.1", vec!["10.0.0.1:5432"]),
        ] {
            assert_eq!(names(uri), expected, "{uri}");
        }
    }

    #[test]
    fn a_session_can_write_and_a_dead_end_is_noticed() {
        let target = read("postgresql://me:p%40s@s@h/my%20db?options=-c%20geqo%3Doff").unwrap();
        let config = &target.hosts[0].config;
        assert_eq!(config.get_user(), Some("me"));
        assert_eq!(config.get_password(), Some(b"p@s@s".as_slice()));
        assert_eq!(config.get_dbname(), Some("my db"));
        assert_eq!(config.get_options(), Some("-c geqo=off"));
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(config.get_keepalives_idle(), KEEPALIVES_IDLE);
        assert_eq!(config.get_tcp_user_timeout(), Some(&TCP_USER_TIMEOUT));
        assert_eq!(target.connect_timeout, CONNECT_TIMEOUT);
        let several = read("postgresql://a,b/db?tcp_user_timeout=2500&keepalives_idle=60").unwrap();
        assert_eq!(several.connect_timeout, CONNECT_TIMEOUT_OF_MANY);
        let config = &several.hosts[1].config;
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_millis(2500)));
        assert_eq!(config.get_keepalives_idle(), Duration::from_mins(1));
        let own = read("postgresql://a,b/db?connect_timeout=30").unwrap();
        assert_eq!(own.connect_timeout, Duration::from_secs(30));
    }

    #[test]
    fn sslmode_is_libpqs() {
        let mode = |query: &str| {
            let target = read(&format!("postgresql://u:p@host/db{query}"));
            target.map(|target| target.hosts[0].config.get_ssl_mode())
        };
        assert_eq!(mode("").unwrap(), SslMode::Prefer);
        assert_eq!(mode("?sslmode=allow").unwrap(), SslMode::Prefer);
        assert_eq!(mode("?sslmode=disable").unwrap(), SslMode::Disable);
        assert_eq!(mode("?sslmode=require&application_name=x").unwrap(), SslMode::Require);
        let error = mode("?sslmode=always").err().unwrap().to_string();
        assert!(error.contains("sslmode=always") && error.contains("verify-full"), "{error}");
        let error = mode("?sslcert=a.pem").err().unwrap().to_string();
        assert!(error.contains("sslcert is not supported"), "{error}");
        let error = mode("?sslmode=verify-ca&sslrootcert=/none.pem").err().unwrap().to_string();
        assert!(error.contains("/none.pem"), "{error}");
        for strict in ["?sslrootcert=system", "?sslmode=verify-full&sslrootcert=system"] {
            assert_eq!(mode(strict).unwrap(), SslMode::Require, "{strict}");
        }
        for weak in ["prefer", "require", "verify-ca"] {
            let error = mode(&format!("?sslrootcert=system&sslmode={weak}")).err().unwrap();
            let error = error.to_string();
            assert!(error.contains(&format!("sslmode={weak}")), "{error}");
            assert!(error.contains("write verify-full"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (uri, expected) in [
            ("postgresql://u@h/db?target_session_attrs=standby", "target_session_attrs=standby"),
            ("postgresql://u@h/db?nonsense=1", "nonsense"),
            ("postgresql://u@h:x/db", "is no number"),
            ("postgresql://u:pl?nted=1@h/db", "is no number"),
            ("postgresql://u@h/db?port=x", "port=x"),
            ("postgresql://u@a,b/db?port=1,2,3", "2 hosts and 3 ports"),
            ("postgresql:///db", "names no host"),
            ("postgresql://u@:5/db", "a port without a host"),
        ] {
            let error = refused(uri);
            assert!(error.contains(expected), "{uri}: {error}");
        }
    }
}
