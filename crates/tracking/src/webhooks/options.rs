//! How webhooks are delivered: the owner's flags and MLflow's environment variables.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use trainyard_mlflow::Result;
use trainyard_net::{Allowed, Egress};

use super::destination::Destinations;
use super::secret::SecretKey;
use crate::error::invalid;

const KEY: &str = "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY";
const SCHEMES: &str = "MLFLOW_WEBHOOK_ALLOWED_SCHEMES";
const PRIVATE: &str = "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS";
const TIMEOUT: &str = "MLFLOW_WEBHOOK_REQUEST_TIMEOUT";
const WORKERS: &str = "MLFLOW_WEBHOOK_DELIVERY_MAX_WORKERS";

/// Longest time that a receiver may be given: longer ones would hold back all that is told to it.
const TIMEOUT_SECONDS_MAX: u64 = 300;
/// Most deliveries at a time: each has a connection.
const WORKERS_MAX: usize = 100;

/// How webhooks are delivered. `Default` is what MLflow does without its variables.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    pub(super) destinations: Destinations,
    pub(super) key: Option<SecretKey>,
    /// How long a receiver has to answer.
    pub(super) timeout: Duration,
    /// Deliveries at a time; of one webhook there is one.
    pub(super) workers: usize,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            destinations: Destinations {
                schemes: vec!["https".to_owned()],
                egress: Egress::default(),
                private: false,
            },
            key: None,
            timeout: Duration::from_secs(30),
            workers: 10,
        }
    }
}

impl WebhookOptions {
    /// What the variables of this process say, and receivers that may be private.
    pub fn from_env(allowed: Vec<Allowed>) -> Result<Self> {
        Self::read(allowed, |name| std::env::var(name).ok())
    }

    /// The same, with variables that are looked up by their names.
    pub fn read(allowed: Vec<Allowed>, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let mut options = Self::default();
        options.destinations.egress = Egress::new(allowed);
        if let Some(schemes) = variable(SCHEMES) {
            options.destinations.schemes =
                schemes.split(',').map(|scheme| scheme.trim().to_ascii_lowercase()).collect();
            let is_http = |scheme: &String| scheme == "http" || scheme == "https";
            if !options.destinations.schemes.iter().all(is_http) {
                return invalid!(
                    "{SCHEMES} is {schemes:?}, but webhooks go by http and https alone"
                );
            }
        }
        if let Some(value) = variable(PRIVATE) {
            options.destinations.private = match value.trim().to_ascii_lowercase().as_str() {
                "true" | "1" => true,
                "false" | "0" => false,
                _ => return invalid!("{PRIVATE} is {value:?}; it is true or false"),
            };
        }
        if let Some(seconds) = number(&variable, TIMEOUT, &(1..=TIMEOUT_SECONDS_MAX))? {
            options.timeout = Duration::from_secs(seconds);
        }
        if let Some(workers) = number(&variable, WORKERS, &(1..=WORKERS_MAX))? {
            options.workers = workers;
        }
        if let Some(key) = variable(KEY) {
            // The value is a secret and in no message.
            let Some(key) = SecretKey::parse(&key) else {
                return invalid!(
                    "{KEY} is no Fernet key: 32 bytes in base64, with - and _ for + and /"
                );
            };
            options.key = Some(key);
        }
        Ok(options)
    }
}

fn number<T: FromStr + PartialOrd + std::fmt::Display>(
    variable: impl Fn(&str) -> Option<String>,
    name: &str,
    range: &RangeInclusive<T>,
) -> Result<Option<T>> {
    let Some(value) = variable(name) else { return Ok(None) };
    match value.trim().parse::<T>() {
        Ok(number) if range.contains(&number) => Ok(Some(number)),
        _ => invalid!(
            "{name} is {value:?}; it is a whole number from {} to {}",
            range.start(),
            range.end()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_mlflows() {
        let read = |name: &'static str, value: &'static str| {
            WebhookOptions::read(Vec::new(), move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert_eq!(read(TIMEOUT, "5").unwrap().timeout, Duration::from_secs(5));
        assert_eq!(read(SCHEMES, "http, HTTPS").unwrap().destinations.schemes, ["http", "https"]);
        assert!(read(PRIVATE, "TRUE").unwrap().destinations.private);
        assert_eq!(read(WORKERS, "").unwrap().workers, 10);
        for (name, value) in
            [(TIMEOUT, "0"), (WORKERS, "x"), (SCHEMES, "ftp"), (PRIVATE, "maybe"), (KEY, "hush")]
        {
            let error = read(name, value).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains("hush"), "{error}");
        }
    }
}
