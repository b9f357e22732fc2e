//! Timeouts, repeats and TLS of the client, from MLflow's environment variables.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::{Error, Result};

/// How requests are sent. Defaults are MLflow's.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// For a whole API call, and for each pause of an upload or download
    /// (`MLFLOW_HTTP_REQUEST_TIMEOUT`, seconds; 120).
    pub timeout: Duration,
    /// Repeats after the first try (`MLFLOW_HTTP_REQUEST_MAX_RETRIES`; 7, at most 10).
    pub retries: u32,
    /// Pause before the second repeat; it doubles with each further one
    /// (`MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR`, seconds, doubled; 2).
    pub backoff_factor: Duration,
    /// Most that is added to a pause by chance (`MLFLOW_HTTP_REQUEST_BACKOFF_JITTER`, seconds; 1).
    pub backoff_jitter: Duration,
    /// Whether `Retry-After` is heeded (`MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER`; true).
    pub respect_retry_after: bool,
    /// Accept any certificate (`MLFLOW_TRACKING_INSECURE_TLS`).
    pub insecure_tls: bool,
    /// PEM file of certificates that are trusted beside the system's
    /// (`MLFLOW_TRACKING_SERVER_CERT_PATH`).
    pub server_certificates: Option<PathBuf>,
    /// PEM file with our certificate and key (`MLFLOW_TRACKING_CLIENT_CERT_PATH`).
    pub client_certificate: Option<PathBuf>,
    /// The workspace of a server that is divided into some (`MLFLOW_WORKSPACE`). One that is not refuses it.
    pub workspace: Option<String>,
    /// Largest JSON answer. The largest sensible one is a page of 50,000 runs.
    pub response_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(2),
            retries: 7,
            backoff_factor: Duration::from_secs(2),
            backoff_jitter: Duration::from_secs(1),
            respect_retry_after: true,
            insecure_tls: false,
            server_certificates: None,
            client_certificate: None,
            workspace: None,
            response_bytes_max: 256 << 20,
        }
    }
}

/// Upstream's own limits.
const RETRIES_MAX: u32 = 10;
const BACKOFF_FACTOR_MAX: f64 = 120.0;
/// A day: longer than anybody waits for an answer.
const SECONDS_MAX: f64 = 86_400.0;

impl Settings {
    /// The environment's settings; what is unset is MLflow's default.
    pub fn from_env() -> Result<Self> {
        let mut settings = Self::default();
        if let Some(seconds) = seconds("MLFLOW_HTTP_REQUEST_TIMEOUT", SECONDS_MAX)? {
            settings.timeout = seconds;
        }
        if let Some(retries) = parsed::<u32>("MLFLOW_HTTP_REQUEST_MAX_RETRIES")? {
            if retries > RETRIES_MAX {
                return Err(refused("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "at most 10"));
            }
            settings.retries = retries;
        }
        if let Some(factor) = seconds("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", BACKOFF_FACTOR_MAX)? {
            settings.backoff_factor = factor;
        }
        if let Some(jitter) = seconds("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", SECONDS_MAX)? {
            settings.backoff_jitter = jitter;
        }
        if let Some(respect) = flag("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER")? {
            settings.respect_retry_after = respect;
        }
        if let Some(insecure) = flag("MLFLOW_TRACKING_INSECURE_TLS")? {
            settings.insecure_tls = insecure;
        }
        settings.server_certificates =
            variable("MLFLOW_TRACKING_SERVER_CERT_PATH")?.map(PathBuf::from);
        settings.client_certificate =
            variable("MLFLOW_TRACKING_CLIENT_CERT_PATH")?.map(PathBuf::from);
        settings.workspace = workspace()?;
        Ok(settings)
    }
}

/// The workspace that `MLFLOW_WORKSPACE` names; none if it names none.
pub fn workspace() -> Result<Option<String>> {
    let named = variable("MLFLOW_WORKSPACE")?;
    Ok(named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()))
}

/// The variable's value; none if it is unset or empty.
pub(super) fn variable(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(refused(name, "UTF-8")),
    }
}

fn parsed<T: FromStr>(name: &str) -> Result<Option<T>> {
    let Some(text) = variable(name)? else { return Ok(None) };
    text.trim().parse().map(Some).map_err(|_error| refused(name, "a whole number"))
}

fn seconds(name: &str, max: f64) -> Result<Option<Duration>> {
    let Some(text) = variable(name)? else { return Ok(None) };
    match text.trim().parse::<f64>() {
        Ok(value) if (0.0..=max).contains(&value) => Ok(Some(Duration::from_secs_f64(value))),
        _ => Err(refused(name, &format!("a number of seconds from 0 to {max}"))),
    }
}

fn flag(name: &str) -> Result<Option<bool>> {
    let Some(text) = variable(name)? else { return Ok(None) };
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(Some(true)),
        "false" | "0" => Ok(Some(false)),
        _ => Err(refused(name, "true or false")),
    }
}

fn refused(name: &str, expected: &str) -> Error {
    Error::invalid(format!("the environment variable {name} must be {expected}"))
}
