//! `[notify.email]`: a mail server, and who gets mail.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use lettre::message::Mailbox;
use serde::Deserialize;
use trainyard_mlflow::metadata_hosts::is_metadata_host;

use super::credential::check_variable;

/// People that one message goes to: more are a mailing list.
const RECIPIENTS_MAX: usize = 50;

/// `[notify.email]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// The mail server.
    pub server: String,
    /// Its port: 587, 465 or 25 by how it is encrypted, if none.
    pub port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default)]
    pub encryption: Encryption,
    /// Certificates of further authorities, for a server with one of its own.
    pub ca_file: Option<PathBuf>,
    /// Who signs in there, if anybody has to.
    pub user: Option<String>,
    /// Variable with the password.
    pub password_env: Option<String>,
    /// File with the password, relative to the project.
    pub password_file: Option<PathBuf>,
    /// Who it is from, as in `Trainyard <alerts@example.org>`.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
}

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// By STARTTLS, before anything is told; a server without it is told nothing.
    #[default]
    Starttls,
    /// From the first byte on.
    Tls,
    /// Not at all: for a server of this machine, without a password.
    None,
}

impl Email {
    /// The port of the server.
    pub(super) fn port(&self) -> u16 {
        let usual = match self.encryption {
            Encryption::Starttls => 587,
            Encryption::Tls => 465,
            Encryption::None => 25,
        };
        self.port.unwrap_or(usual)
    }

    /// Rules that span keys.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_name = !self.server.is_empty() && self.server.bytes().all(is_host);
        if !is_name && self.server.parse::<Ipv6Addr>().is_err() {
            return Err(format!(
                "server = {:?}: the name of a host is wanted, and its port in `port`",
                self.server
            ));
        }
        if is_metadata_host(&self.server) {
            return Err(format!("server = {:?} is no mail server", self.server));
        }
        for (key, text) in
            [("from", &self.from)].into_iter().chain(self.to.iter().map(|text| ("to", text)))
        {
            mailbox(text).map_err(|error| format!("{key}: {error}"))?;
        }
        if self.to.is_empty() || self.to.len() > RECIPIENTS_MAX {
            return Err(format!("to: 1 to {RECIPIENTS_MAX} addresses"));
        }
        if self.password_env.is_some() && self.password_file.is_some() {
            return Err("has both `password_env` and `password_file`; keep one".to_owned());
        }
        let has_password = self.password_env.is_some() || self.password_file.is_some();
        if self.user.is_some() != has_password {
            return Err("`user` goes with `password_env` or `password_file`".to_owned());
        }
        if has_password && self.encryption == Encryption::None {
            return Err("a password is not sent without encryption: others read along".to_owned());
        }
        self.password_env.as_ref().map_or(Ok(()), |name| check_variable("password_env", name))
    }
}

/// An address, with a name or without.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, String> {
    text.parse::<Mailbox>().map_err(|error| format!("{text:?} is no mail address: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "server = \"mail.example.org\"\nfrom = \"Trainyard <ty@example.org>\"\n\
                        to = [\"team@example.org\"]\n";

    fn checked(text: &str) -> Result<Email, String> {
        let email: Email = toml::from_str(text).map_err(|error| error.to_string())?;
        email.check().map(|()| email)
    }

    #[test]
    fn ports_follow_from_the_encryption() {
        let port = |more: &str| checked(&format!("{GOOD}{more}")).unwrap().port();
        assert_eq!(port(""), 587);
        assert_eq!(port("encryption = \"tls\""), 465);
        assert_eq!(port("encryption = \"none\""), 25);
        assert_eq!(port("port = 2525"), 2525);
        assert!(checked(&GOOD.replace("mail.example.org", "::1")).is_ok());
    }

    #[test]
    fn mistakes_are_named() {
        for (more, expected) in [
            ("user = \"me\"", "goes with"),
            ("password_env = \"P\"", "goes with"),
            ("user = \"me\"\npassword_env = \"P\"\npassword_file = \"p\"", "keep one"),
            ("user = \"me\"\npassword_env = \"P\"\nencryption = \"none\"", "without encryption"),
            ("user = \"me\"\npassword_env = \"my password!\"", "name of an environment variable"),
            ("encryption = \"ssl\"", "unknown variant"),
            ("password = \"secret\"", "unknown field"),
        ] {
            let error = checked(&format!("{GOOD}{more}\n")).unwrap_err();
            assert!(error.contains(expected), "{more}: {error}");
        }
        for (from, to, expected) in [
            ("team@example.org", "", "is no mail address"),
            ("[\"team@example.org\"]", "[]", "1 to 50"),
            ("mail.example.org", "169.254.169.254", "no mail server"),
            ("mail.example.org", "smtp://x", "name of a host"),
            ("mail.example.org", "mail.example.org:25", "its port in `port`"),
        ] {
            let error = checked(&GOOD.replace(from, to)).unwrap_err();
            assert!(error.contains(expected), "{to}: {error}");
        }
    }
}
