//! Who we are to the server.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;

use super::settings::variable;
use crate::{Error, Result};

/// What goes into the `Authorization` header. Never shown, not even by `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Credentials {
    /// No header.
    #[default]
    None,
    /// HTTP basic authentication.
    Basic { username: String, password: String },
    /// `Bearer <token>`.
    Token(String),
}

impl Credentials {
    /// `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`, else `MLFLOW_TRACKING_TOKEN`,
    /// else the file `~/.mlflow/credentials`, else none: upstream's order.
    pub fn from_env() -> Result<Self> {
        let (file_username, file_password) = from_file();
        let username = variable("MLFLOW_TRACKING_USERNAME")?.or(file_username);
        let password = variable("MLFLOW_TRACKING_PASSWORD")?.or(file_password);
        Ok(match (username, password, variable("MLFLOW_TRACKING_TOKEN")?) {
            (Some(username), Some(password), _) => Self::Basic { username, password },
            (_, _, Some(token)) => Self::Token(token),
            _ => Self::None,
        })
    }

    /// The header's value, marked sensitive.
    pub(super) fn header(&self) -> Result<Option<HeaderValue>> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Basic { username, password } => {
                format!("Basic {}", BASE64.encode(format!("{username}:{password}")))
            }
            Self::Token(token) => format!("Bearer {token}"),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_error| {
            Error::invalid("MLFLOW_TRACKING_TOKEN holds characters that a header cannot")
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// The kind alone.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(***)",
            Self::Token(_) => "Token(***)",
        })
    }
}

/// Username and password of the section `[mlflow]` in `~/.mlflow/credentials`, which
/// `mlflow.login` and users write. A file that cannot be read counts as none, as upstream.
fn from_file() -> (Option<String>, Option<String>) {
    let Some(home) = std::env::home_dir() else { return (None, None) };
    let text = std::fs::read_to_string(home.join(".mlflow").join("credentials"));
    text.map(|text| parse_file(&text)).unwrap_or_default()
}

fn parse_file(text: &str) -> (Option<String>, Option<String>) {
    let (mut username, mut password) = (None, None);
    let mut in_section = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            in_section = section.trim() == "mlflow";
        } else if let Some((key, value)) = line.split_once(['=', ':']).filter(|_| in_section) {
            let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            match key.trim().to_ascii_lowercase().as_str() {
                "mlflow_tracking_username" => username = value,
                "mlflow_tracking_password" => password = value,
                _ => {}
            }
        }
    }
    (username, password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_as_in_the_rfcs_and_hidden() {
        let basic =
            Credentials::Basic { username: "Aladdin".into(), password: "open sesame".into() };
        let header = basic.header().unwrap().unwrap();
        assert_eq!(header.to_str().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{header:?} {basic:?}").contains('Q'));
        let token = Credentials::Token("t0k".into());
        assert_eq!(token.header().unwrap().unwrap().to_str().unwrap(), "Bearer t0k");
        assert!(!format!("{token:?}").contains("t0k"));
        let error = Credentials::Token("a\nb".into()).header().unwrap_err().to_string();
        assert!(!error.contains("a\n"), "{error}");
        assert_eq!(Credentials::None.header().unwrap(), None);
    }

    #[test]
    fn the_credentials_file_is_read_by_section() {
        let text = "[other]\nmlflow_tracking_username = no\n# c\n[mlflow]\n\
                    MLFLOW_TRACKING_USERNAME = me\nmlflow_tracking_password = a=b\n";
        assert_eq!(parse_file(text), (Some("me".into()), Some("a=b".into())));
        assert_eq!(parse_file("garbage"), (None, None));
    }
}
