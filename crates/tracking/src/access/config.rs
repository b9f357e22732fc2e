//! What upstream's `basic_auth.ini` says, and the variables beside it.
//!
//! ```ini
//! [mlflow]
//! default_permission = READ
//! database_uri = sqlite:///basic_auth.db
//! admin_username = admin
//! ```

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use trainyard_mlflow::uri::TrackingUri;
use trainyard_mlflow::{Error, Result};

use super::oidc::OidcConfig;
use super::permission::Permission;
use crate::error::invalid;
use crate::store::files_of;

/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The one function that there is here.
const BASIC_AUTH: &str = "mlflow.server.auth:authenticate_request_basic_auth";

/// How users sign in, and what they may do where nothing says.
#[derive(Clone)]
pub struct AccessConfig {
    /// Database of users: `sqlite:///…` or `postgresql://…`.
    pub database_uri: String,
    /// `READ`, `USE`, `EDIT`, `MANAGE` or `NO_PERMISSIONS`.
    pub default_permission: String,
    /// The administrator that is made in a database without one.
    pub admin_username: Option<String>,
    /// Their password then.
    pub admin_password: Option<String>,
    /// Who else says who somebody is.
    pub oidc: Option<OidcConfig>,
    /// The path below which the server is: "" or `/mlflow`.
    pub static_prefix: String,
}

/// Without passwords.
impl fmt::Debug for AccessConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessConfig")
            .field("default_permission", &self.default_permission)
            .field("admin_username", &self.admin_username)
            .finish_non_exhaustive()
    }
}

/// Upstream's own settings.
impl Default for AccessConfig {
    fn default() -> Self {
        Self {
            database_uri: "sqlite:///basic_auth.db".to_owned(),
            default_permission: "READ".to_owned(),
            admin_username: Some("admin".to_owned()),
            admin_password: None,
            oidc: None,
            static_prefix: String::new(),
        }
    }
}

impl AccessConfig {
    /// What `MLFLOW_AUTH_CONFIG_PATH` names, if it is set, and `MLFLOW_AUTH_ADMIN_USERNAME` and
    /// `MLFLOW_AUTH_ADMIN_PASSWORD`, which go before it.
    pub fn from_env() -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok();
        let path = variable("MLFLOW_AUTH_CONFIG_PATH").filter(|path| !path.is_empty());
        let mut config = match &path {
            Some(path) => Self::read(Path::new(path))?,
            None => Self::default(),
        };
        // One that is set and empty is a secret that did not arrive, not one that is not there.
        if let Some(name) = variable("MLFLOW_AUTH_ADMIN_USERNAME") {
            config.admin_username = Some(name).filter(|name| !name.is_empty());
        }
        if let Some(password) = variable("MLFLOW_AUTH_ADMIN_PASSWORD") {
            config.admin_password = Some(password).filter(|password| !password.is_empty());
        }
        Ok(config)
    }

    /// Files of the database and of the settings, which are no artifacts wherever they lie.
    pub fn private_files(&self) -> Vec<PathBuf> {
        let settings = std::env::var_os("MLFLOW_AUTH_CONFIG_PATH").filter(|path| !path.is_empty());
        let mut files: Vec<PathBuf> = settings.map(PathBuf::from).into_iter().collect();
        if let Ok(TrackingUri::Sqlite(path)) = self.database_uri.parse() {
            files.extend(files_of(&path));
        }
        files.extend(self.oidc.iter().flat_map(OidcConfig::private_files).cloned());
        files
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
        if metadata.len() > FILE_BYTES_MAX {
            return invalid!("{} is larger than {FILE_BYTES_MAX} bytes", path.display());
        }
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        Self::parse(&text).map_err(|error| Error::invalid(format!("{}: {error}", path.display())))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut values = values(text);
        let mut needed = |key: &str| {
            values.remove(key).ok_or_else(|| {
                Error::invalid(format!("'{key}' is not set in the section [mlflow]"))
            })
        };
        let default_permission = needed("default_permission")?;
        let database_uri = needed("database_uri")?;
        Permission::read(&default_permission)?;
        let mut given = |key: &str| values.remove(key).filter(|value| !value.is_empty());
        if let Some(function) = given("authorization_function").filter(|name| name != BASIC_AUTH) {
            return invalid!(
                "authorization_function = {function} is a function in Python, which is not run here; \
                 leave it out for user names, passwords and tokens"
            );
        }
        if given("read_database_uri").is_some() {
            tracing::warn!("read_database_uri is not used: users and roles are kept in memory");
        }
        let (admin_username, admin_password) = (given("admin_username"), given("admin_password"));
        let given = Self {
            database_uri,
            default_permission,
            admin_username,
            admin_password,
            ..Self::default()
        };
        Ok(given)
    }
}

/// The values of the section `[mlflow]`, as Python's configparser reads them, but for texts of several lines.
fn values(text: &str) -> HashMap<String, String> {
    let mut values = HashMap::new();
    let mut is_ours = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            is_ours = section == "mlflow";
            continue;
        }
        if let Some((key, value)) = line.split_once(['=', ':'])
            && is_ours
        {
            values.insert(key.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_file_is_read() {
        let config = AccessConfig::parse(
            "[other]\ndatabase_uri = sqlite:///no.db\n[mlflow]\ndefault_permission = NO_PERMISSIONS\n\
             database_uri: postgresql://u:p=w@db/auth\n# admin_password = no\n\nADMIN_USERNAME=root\n\
             admin_password = a b = c\n\
             authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n\
             auth_cache_ttl_seconds = 60\n",
        )
        .unwrap();
        assert_eq!(config.default_permission, "NO_PERMISSIONS");
        assert_eq!(config.database_uri, "postgresql://u:p=w@db/auth");
        assert_eq!(config.admin_username.as_deref(), Some("root"));
        assert_eq!(config.admin_password.as_deref(), Some("a b = c"));
        assert!(!format!("{config:?}").contains("a b = c"));
    }

    #[test]
    fn what_would_let_in_others_than_its_writer_meant_is_refused() {
        let file = |line: &str| format!("[mlflow]\ndatabase_uri = sqlite:///x.db\n{line}");
        for (line, expect) in [
            ("", "default_permission"),
            ("default_permission = WRITE", "Invalid permission"),
            ("default_permission = READ\nauthorization_function = my.auth:check", "not run here"),
        ] {
            let error = AccessConfig::parse(&file(line)).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        }
    }
}
