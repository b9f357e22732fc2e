//! Credentials for registries, from where `docker login` puts them.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// The file is written by `docker login`: larger than this, it is something else.
const MAX_BYTES: u64 = 1 << 20;

/// Docker Hub's name in the file.
const HUB: &str = "https://index.docker.io/v1/";

/// User name that a helper gives with an identity token instead of a password.
const TOKEN_USER: &str = "<token>";

/// `config.json`, as far as it is about registries.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigFile {
    auths: HashMap<String, Entry>,
    #[serde(rename = "credHelpers")]
    helpers: HashMap<String, String>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    identitytoken: Option<String>,
}

/// What the engine is given for a registry. Never shown.
#[derive(Default, PartialEq, Eq, Serialize)]
pub(super) struct Credentials {
    #[serde(skip_serializing_if = "String::is_empty")]
    username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    password: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    identitytoken: String,
    serveraddress: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("serveraddress", &self.serveraddress)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// The value of `X-Registry-Auth`.
    pub(super) fn header(&self) -> Result<String, String> {
        serde_json::to_vec(self)
            .map(|json| URL_SAFE.encode(json))
            .map_err(|error| error.to_string())
    }
}

/// What an answer of a credential helper looks like.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// The registry of an image, as the file names it.
pub(super) fn registry(image: &str) -> &str {
    match image.split_once('/') {
        // A first part without dot or port is a user of Docker Hub.
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => HUB,
    }
}

/// What is known for the registry of an image; `None` for an anonymous pull.
pub(super) async fn credentials(image: &str) -> Result<Option<Credentials>, String> {
    let Some(path) = config_path() else { return Ok(None) };
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(named(&error)),
    };
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(|error| named(&error))?;
    let config: ConfigFile = serde_json::from_str(&text).map_err(|error| named(&error))?;
    let registry = registry(image);
    if let Some(helper) = config.helpers.get(registry).or(config.store.as_ref()) {
        return ask_helper(helper, registry).await;
    }
    from_file(&config, registry).map_err(|reason| named(&reason))
}

/// `$DOCKER_CONFIG/config.json`, or the one below the user's home.
fn config_path() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty());
    let folder = match folder {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".docker"),
    };
    Some(folder.join("config.json"))
}

fn from_file(config: &ConfigFile, registry: &str) -> Result<Option<Credentials>, String> {
    let found = config.auths.get(registry).or_else(|| {
        // Older clients wrote the address with its scheme.
        config.auths.get(&format!("https://{registry}"))
    });
    let Some(entry) = found else { return Ok(None) };
    let mut credentials =
        Credentials { serveraddress: registry.to_owned(), ..Credentials::default() };
    if let Some(token) = &entry.identitytoken {
        credentials.identitytoken.clone_from(token);
    }
    if let Some(auth) = entry.auth.as_deref().filter(|auth| !auth.is_empty()) {
        let decoded = STANDARD.decode(auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let (user, password) = decoded
            .as_deref()
            .and_then(|pair| pair.split_once(':'))
            .ok_or_else(|| format!("auths.{registry}.auth is not base64 of user:password"))?;
        user.clone_into(&mut credentials.username);
        // Docker pads with NUL.
        password.trim_end_matches('\0').clone_into(&mut credentials.password);
    }
    Ok(Some(credentials))
}

/// Asks `docker-credential-<helper>`, the program that a desktop's key chain hides behind.
async fn ask_helper(helper: &str, registry: &str) -> Result<Option<Credentials>, String> {
    if !helper.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Err(format!("{helper:?} is no name of a credential helper"));
    }
    let program = format!("docker-credential-{helper}");
    let failed = |error: &dyn std::fmt::Display| format!("{program}: {error}");
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(&error))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(registry.as_bytes()).await.map_err(|error| failed(&error))?;
    }
    let output = child.wait_with_output().await.map_err(|error| failed(&error))?;
    if !output.status.success() {
        // That is how helpers say that they know nothing of this registry.
        return Ok(None);
    }
    let answer: HelperAnswer =
        serde_json::from_slice(&output.stdout).map_err(|error| failed(&error))?;
    let mut credentials =
        Credentials { serveraddress: registry.to_owned(), ..Credentials::default() };
    if answer.username == TOKEN_USER {
        credentials.identitytoken = answer.secret;
    } else {
        credentials.username = answer.username;
        credentials.password = answer.secret;
    }
    Ok(Some(credentials))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_of_an_image() {
        for (image, expected) in [
            ("iris", HUB),
            ("library/iris:1", HUB),
            ("registry.example/org/iris:1", "registry.example"),
            ("127.0.0.1:5055/iris", "127.0.0.1:5055"),
            ("localhost/iris", "localhost"),
        ] {
            assert_eq!(registry(image), expected, "{image}");
        }
    }

    #[test]
    fn what_docker_login_wrote_is_understood() {
        let text = r#"{"auths": {"registry.example": {"auth": "bWU6c2VjcmV0OjE="},
            "https://old.example": {"identitytoken": "t"}, "bad": {"auth": "%"}}}"#;
        let config: ConfigFile = serde_json::from_str(text).unwrap();
        let found = from_file(&config, "registry.example").unwrap().unwrap();
        assert_eq!((found.username.as_str(), found.password.as_str()), ("me", "secret:1"));
        assert!(!format!("{found:?}").contains("secret"));
        let json = URL_SAFE.decode(found.header().unwrap()).unwrap();
        let json = String::from_utf8(json).unwrap();
        assert_eq!(
            json,
            r#"{"username":"me","password":"secret:1","serveraddress":"registry.example"}"#
        );
        let token = from_file(&config, "old.example").unwrap().unwrap();
        assert_eq!(token.identitytoken, "t");
        assert!(from_file(&config, "nowhere").unwrap().is_none());
        assert!(from_file(&config, "bad").unwrap_err().contains("auths.bad.auth"));
    }
}
