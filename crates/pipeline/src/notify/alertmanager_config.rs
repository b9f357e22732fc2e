//! `[[notify.alertmanager]]`: an Alertmanager, and how one signs in there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use trainyard_base::duration;
use trainyard_mlflow::metadata_hosts::is_metadata_host;

use super::credential::check_variable;

/// Labels that a project adds.
const LABELS_MAX: usize = 32;

/// The least time that an alert goes on without being told again: one look must not take longer.
const VALID_MIN: Duration = Duration::from_mins(1);

/// `[[notify.alertmanager]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alertmanager {
    /// Where it is, as in `https://alerts.example.org`, with a path if it has one.
    pub url: String,
    /// Certificates of further authorities, for a server with one of its own.
    pub ca_file: Option<PathBuf>,
    /// Who signs in there by a password.
    pub user: Option<String>,
    /// Variable with the password.
    pub password_env: Option<String>,
    /// File with the password, relative to the project.
    pub password_file: Option<PathBuf>,
    /// Variable with a bearer token, instead of user and password.
    pub token_env: Option<String>,
    /// File with a bearer token.
    pub token_file: Option<PathBuf>,
    /// How long an alert goes on without being told again. It is told at each look, so this is longer than the pause
    /// between two: a day and an hour, or a window and an hour, if none.
    #[serde(default, deserialize_with = "duration::deserialize_some")]
    pub valid_for: Option<Duration>,
    /// Labels that all alerts have besides.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl Alertmanager {
    /// Where alerts are posted to.
    pub(super) fn endpoint(&self) -> String {
        format!("{}/api/v2/alerts", self.url.trim_end_matches('/'))
    }

    /// Rules that span keys. A password that is in the URL is in no message.
    pub(super) fn check(&self) -> Result<(), String> {
        let url = Url::parse(&self.url).map_err(|error| format!("url is none: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("url has a password in it; write `user` and `password_file`".to_owned());
        }
        let host = url.host_str().unwrap_or_default();
        let is_more = url.query().is_some() || url.fragment().is_some();
        if !["http", "https"].contains(&url.scheme()) || is_more {
            return Err(format!("url = {:?}: an http:// or https:// URL is wanted", self.url));
        }
        if is_metadata_host(host) {
            return Err(format!("url = {:?} is no Alertmanager", self.url));
        }
        let passwords = [self.password_env.is_some(), self.password_file.is_some()];
        let tokens = [self.token_env.is_some(), self.token_file.is_some()];
        let named = passwords.into_iter().chain(tokens).filter(|is_named| *is_named).count();
        if named > 1 {
            return Err("one of `password_env`, `password_file`, `token_env` and `token_file` is \
                        enough"
                .to_owned());
        }
        if self.user.is_some() != passwords.contains(&true) {
            return Err("`user` goes with `password_env` or `password_file`".to_owned());
        }
        let is_near = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        if named > 0 && url.scheme() == "http" && !is_near {
            return Err(format!(
                "url = {:?}: a password or token is not sent over http, where others read along",
                self.url
            ));
        }
        for name in [&self.password_env, &self.token_env].into_iter().flatten() {
            check_variable("it", name)?;
        }
        if self.valid_for.is_some_and(|valid| valid < VALID_MIN) {
            return Err(format!("valid_for: {} s or more", VALID_MIN.as_secs()));
        }
        let is_label = |name: &str| {
            let mut bytes = name.bytes();
            bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if let Some(name) = self.labels.keys().find(|name| !is_label(name)) {
            return Err(format!("labels: {name:?} is no name of a label"));
        }
        if self.labels.len() > LABELS_MAX {
            return Err(format!("labels: at most {LABELS_MAX}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<Alertmanager, String> {
        let one: Alertmanager = toml::from_str(text).map_err(|error| error.to_string())?;
        one.check().map(|()| one)
    }

    #[test]
    fn it_may_lie_below_a_path() {
        for url in ["https://h/am", "https://h/am/"] {
            let one = checked(&format!("url = {url:?}")).unwrap();
            assert_eq!(one.endpoint(), "https://h/am/api/v2/alerts");
        }
        let near = "url = \"http://127.0.0.1:9093\"\ntoken_file = \"token\"\nvalid_for = \"2h\"";
        assert_eq!(checked(near).unwrap().valid_for, Some(Duration::from_hours(2)));
    }

    #[test]
    fn mistakes_are_named_and_passwords_are_not() {
        for (text, expected) in [
            ("url = \"https://me:hunter2@h\"", "password in it"),
            ("url = \"ftp://h\"", "https://"),
            ("url = \"https://h/#/alerts\"", "https://"),
            ("url = \"http://169.254.169.254\"", "no Alertmanager"),
            ("url = \"http://h\"\ntoken_env = \"T\"", "over http"),
            ("url = \"https://h\"\ntoken_env = \"a token\"", "environment variable"),
            ("url = \"https://h\"\nuser = \"me\"", "goes with"),
            ("url = \"https://h\"\ntoken_env = \"T\"\ntoken_file = \"t\"", "is enough"),
            ("url = \"https://h\"\nvalid_for = \"1s\"", "valid_for"),
            ("url = \"https://h\"\nlabels = { \"a-b\" = \"c\" }", "name of a label"),
            ("url = \"https://h\"\npassword = \"hunter2\"", "unknown field"),
        ] {
            let error = checked(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("hunter2@"), "{error}");
        }
    }
}
