//! Where a client says that a new experiment keeps its files.

use trainyard_mlflow::Result;
use trainyard_mlflow::uri::without_credentials;

use super::host_policy::{HostPolicy, scheme};
use crate::artifacts::percent_decoded;
use crate::error::invalid;

/// Longest location of an experiment, in characters.
const LOCATION_CHARS_MAX: usize = 2048;
/// Schemes in whose last segment Python's `urlparse` sees params behind a semicolon.
const PARAM_SCHEMES: [&str; 7] = ["", "ftp", "hdl", "http", "https", "sftp", "mms"];

/// Checks `artifact_location` of a new experiment.
pub(super) fn check(location: &str, hosts: &HostPolicy) -> Result<()> {
    let (before_query, query) = location.split_once('?').unwrap_or((location, ""));
    let last_segment = before_query.rsplit('/').next().unwrap_or_default();
    let has_params =
        PARAM_SCHEMES.contains(&scheme(location).as_str()) && last_segment.contains(';');
    if location.contains('#') || has_params {
        return invalid!("'artifact_location' URL can't include fragments or params.");
    }
    if percent_decoded(query).is_none_or(|query| query.contains("..")) {
        return invalid!("Invalid query string");
    }
    hosts.check(location, "artifact_location")?;
    if location.starts_with("runs:") {
        return invalid!(
            "Artifact location cannot be a runs:/ URI. Given: '{}'",
            without_credentials(location)
        );
    }
    if location.chars().count() > LOCATION_CHARS_MAX {
        return invalid!(
            "Invalid artifact path length. The length of the artifact path cannot be greater than \
             {LOCATION_CHARS_MAX} characters."
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_of_experiments() {
        for good in [
            "s3://b/p",
            "s3://b/p;x",
            "mlflow-artifacts:/x",
            "/data/x",
            "file:///x",
            "gs://b?versions=1",
            "dbfs:/x",
        ] {
            assert!(check(good, &HostPolicy::default()).is_ok(), "{good}");
        }
        for bad in [
            "s3://b/p#f",
            "/data/p;x",
            "s3://b?x=../..",
            "s3://b?x=%2e%2e",
            "runs:/x/y",
            "http://h/x",
            "HTTPS://h/x",
            "ftp://h/x",
        ] {
            assert!(check(bad, &HostPolicy::default()).is_err(), "{bad}");
        }
    }
}
