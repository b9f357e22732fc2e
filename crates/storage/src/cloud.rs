//! Clients of S3, Google Cloud Storage and Azure Blob Storage, set up from the environment.
//!
//! Read, besides what `object_store` itself knows under `AWS_*`, `GOOGLE_*` and `AZURE_*`:
//! `MLFLOW_S3_ENDPOINT_URL` and `MLFLOW_S3_IGNORE_TLS` (MLflow's own), the profile of
//! `~/.aws/credentials` (`AWS_PROFILE`, `AWS_SHARED_CREDENTIALS_FILE`), `STORAGE_EMULATOR_HOST`
//! and `AZURE_STORAGE_CONNECTION_STRING`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::signer::Signer;
use object_store::{ClientOptions, RetryConfig, StaticCredentialProvider};
use url::Url;

use crate::direct::{Direct, DirectAccess};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::place::Client;

/// Longest wait for the next bytes. There is no limit on a whole transfer: files may be of any
/// size, lines of any speed.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long and how often a request that failed is tried again: somebody waits for the answer.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
const RETRIES_MAX: usize = 4;
/// S3's own default, which its command line tools take as well.
const REGION_DEFAULT: &str = "us-east-1";

/// Whether a scheme is one of a cloud's.
pub fn is_known(scheme: &str) -> bool {
    matches!(scheme, "s3" | "s3a" | "gs" | "wasb" | "wasbs" | "abfs" | "abfss")
}

/// The one spelling of a bucket: `s3://name`, `gs://name`, `wasbs://container@account`. Keys in the URI
/// are left out; they come from the environment.
pub(crate) fn bucket_of(url: &Url) -> Result<String> {
    let missing = |problem| Error::uri(url.as_str(), problem);
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| missing("a bucket is missing"))?;
    match url.scheme() {
        "s3" | "s3a" => Ok(format!("s3://{host}")),
        "gs" => Ok(format!("gs://{host}")),
        // `scheme://container@account.…/path`, as MLflow writes it.
        _ => {
            let container = url.username();
            let account = host.split('.').next().unwrap_or_default();
            if container.is_empty() || account.is_empty() {
                return Err(missing("write wasbs://container@account.blob.core.windows.net/path"));
            }
            Ok(format!("wasbs://{container}@{account}"))
        }
    }
}

/// A client for a bucket, as [`bucket_of`] spells it.
pub(crate) fn client(
    bucket: &str,
    environment: &Environment,
    access: &DirectAccess,
) -> Result<Client> {
    // Another part of the program may have installed it: then this changes nothing.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let (scheme, name) = bucket.split_once("://").unwrap_or_default();
    let built = match (scheme, name.split_once('@')) {
        ("s3", _) => s3(name, environment, access),
        ("gs", _) => google(name, environment),
        (_, Some((container, account))) => azure(container, account, environment),
        (_, None) => return Err(Error::uri(bucket, "a container is missing")),
    };
    built.map_err(|error| Error::Settings { uri: bucket.to_owned(), problem: error.to_string() })
}

fn client_options() -> ClientOptions {
    ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_read_timeout(READ_TIMEOUT)
}

fn retry() -> RetryConfig {
    RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() }
}

fn s3(
    bucket: &str,
    environment: &Environment,
    access: &DirectAccess,
) -> object_store::Result<Client> {
    let mut options = client_options();
    let mut builder = AmazonS3Builder::new().with_region(REGION_DEFAULT);
    if let Some(region) = environment.get("AWS_DEFAULT_REGION") {
        builder = builder.with_region(region);
    }
    for (key, value) in environment.settings::<AmazonS3ConfigKey>("AWS_") {
        builder = match key {
            AmazonS3ConfigKey::Client(key) => {
                options = options.with_config(key, value);
                builder
            }
            AmazonS3ConfigKey::DefaultRegion | AmazonS3ConfigKey::Bucket => builder,
            key => builder.with_config(key, value),
        };
    }
    if environment.get("AWS_ACCESS_KEY_ID").is_none()
        && environment.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_none()
        && let Some(profile) = Profile::read(environment)
    {
        builder = builder
            .with_access_key_id(profile.access_key_id)
            .with_secret_access_key(profile.secret_access_key);
        if let Some(token) = profile.session_token {
            builder = builder.with_token(token);
        }
    }
    let names =
        ["MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
    let endpoint = names.iter().find_map(|name| environment.get(name));
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        options = options.with_allow_http(endpoint.starts_with("http://"));
    }
    if environment.is_true("MLFLOW_S3_IGNORE_TLS") {
        options = options.with_allow_invalid_certificates(true);
    }
    let builder = builder.with_bucket_name(bucket).with_retry(retry());
    let store = Arc::new(builder.clone().with_client_options(options.clone()).build()?);
    if !access.is_offered(endpoint) {
        return Ok(Client { store, direct: None });
    }
    let signer: Arc<dyn Signer> = match &access.public_endpoint {
        // It is never asked for anything: only its URLs are handed out.
        Some(public) => Arc::new(
            builder
                // The one of the two kinds of endpoints that wins.
                .with_config(AmazonS3ConfigKey::S3Endpoint, public.trim_end_matches('/'))
                .with_client_options(options.with_allow_http(true))
                .build()?,
        ),
        None => Arc::clone(&store) as _,
    };
    let direct = Direct { store: Arc::clone(&store) as _, signer };
    Ok(Client { direct: Some(direct), store })
}

/// One profile of the file that AWS' tools keep keys in.
struct Profile {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl Profile {
    fn read(environment: &Environment) -> Option<Self> {
        let path = match environment.get("AWS_SHARED_CREDENTIALS_FILE") {
            Some(path) => PathBuf::from(path),
            None => PathBuf::from(environment.get("HOME")?).join(".aws/credentials"),
        };
        let text = std::fs::read_to_string(path).ok()?;
        Self::parse(&text, environment.get("AWS_PROFILE").unwrap_or("default"))
    }

    /// Reads `[name]` and the `key = value` lines below it.
    fn parse(text: &str, profile: &str) -> Option<Self> {
        let mut section = "";
        let mut found = HashMap::new();
        for line in text.lines().map(str::trim) {
            if line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.trim();
            } else if section == profile
                && let Some((key, value)) = line.split_once('=')
            {
                found.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
            }
        }
        Some(Self {
            access_key_id: found.remove("aws_access_key_id")?,
            secret_access_key: found.remove("aws_secret_access_key")?,
            session_token: found.remove("aws_session_token"),
        })
    }
}

fn google(bucket: &str, environment: &Environment) -> object_store::Result<Client> {
    let mut options = client_options();
    let mut builder = GoogleCloudStorageBuilder::new();
    for (key, value) in environment.settings::<GoogleConfigKey>("GOOGLE_") {
        builder = match key {
            GoogleConfigKey::Client(key) => {
                options = options.with_config(key, value);
                builder
            }
            GoogleConfigKey::Bucket => builder,
            key => builder.with_config(key, value),
        };
    }
    if let Some(host) = environment.get("STORAGE_EMULATOR_HOST") {
        let base = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
        options = options.with_allow_http(base.starts_with("http://"));
        // An emulator asks nobody who they are.
        let anyone = GcpCredential { bearer: String::new() };
        builder = builder
            .with_base_url(base.trim_end_matches('/'))
            .with_skip_signature(true)
            .with_credentials(Arc::new(StaticCredentialProvider::new(anyone)));
    }
    let store = builder
        .with_bucket_name(bucket)
        .with_client_options(options)
        .with_retry(retry())
        .build()?;
    Ok(Client { store: Arc::new(store), direct: None })
}

fn azure(
    container: &str,
    account: &str,
    environment: &Environment,
) -> object_store::Result<Client> {
    let mut options = client_options();
    let mut builder = MicrosoftAzureBuilder::new();
    for (key, value) in environment.settings::<AzureConfigKey>("AZURE_") {
        builder = match key {
            AzureConfigKey::Client(key) => {
                options = options.with_config(key, value);
                builder
            }
            AzureConfigKey::ContainerName | AzureConfigKey::AccountName => builder,
            key => builder.with_config(key, value),
        };
    }
    let text = environment.get("AZURE_STORAGE_CONNECTION_STRING").unwrap_or_default();
    for (name, value) in text.split(';').filter_map(|part| part.split_once('=')) {
        builder = match name.trim() {
            "AccountKey" => builder.with_access_key(value),
            "SharedAccessSignature" => builder.with_config(AzureConfigKey::SasKey, value),
            "BlobEndpoint" => {
                options = options.with_allow_http(value.starts_with("http://"));
                builder.with_endpoint(value.trim_end_matches('/').to_owned())
            }
            _ => builder,
        };
    }
    let store = builder
        .with_account(account)
        .with_container_name(container)
        .with_client_options(options)
        .with_retry(retry())
        .build()?;
    Ok(Client { store: Arc::new(store), direct: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(uri: &str, variables: &[(&str, &str)]) -> Result<String> {
        let environment = Environment::of(variables.iter().copied());
        let bucket = bucket_of(&Url::parse(uri).unwrap())?;
        client(&bucket, &environment, &DirectAccess::default())
            .map(|client| client.store.to_string())
    }

    #[test]
    fn buckets_and_containers_are_found_in_their_uris() {
        let key = base64ish();
        for (uri, expect) in [
            ("s3://bucket/a/b", "AmazonS3(bucket)"),
            ("s3a://bucket", "AmazonS3(bucket)"),
            (
                "wasbs://box@account.blob.core.windows.net/a",
                "MicrosoftAzure { account: account, container: box }",
            ),
            (
                "abfss://box@account.dfs.core.windows.net/a",
                "MicrosoftAzure { account: account, container: box }",
            ),
        ] {
            let variables = [("AZURE_STORAGE_ACCOUNT_KEY", key.as_str())];
            assert_eq!(shown(uri, &variables).unwrap(), expect, "{uri}");
        }
        let emulator = [("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")];
        assert_eq!(shown("gs://bucket/a", &emulator).unwrap(), "GoogleCloudStorage(bucket)");
    }

    /// A key as Azure gives them out.
    fn base64ish() -> String {
        "A".repeat(86) + "=="
    }

    #[test]
    fn what_is_missing_is_said() {
        let error = shown("wasbs://account.blob.core.windows.net/a", &[]).unwrap_err().to_string();
        assert!(error.contains("container@account"), "{error}");
        assert!(shown("s3:///a", &[]).unwrap_err().to_string().contains("bucket is missing"));
    }

    #[test]
    fn profiles_are_read_as_the_command_line_tools_write_them() {
        let text = "# keys\n[default]\naws_access_key_id = A\naws_secret_access_key=B=\n\n\
                    [ci]\nAWS_ACCESS_KEY_ID=C\naws_secret_access_key = D\naws_session_token = E\n\
                    [half]\naws_access_key_id = F\n";
        let read = |name: &str| {
            Profile::parse(text, name).map(|profile| {
                (profile.access_key_id, profile.secret_access_key, profile.session_token)
            })
        };
        assert_eq!(read("default"), Some(("A".to_owned(), "B=".to_owned(), None)));
        assert_eq!(read("ci"), Some(("C".to_owned(), "D".to_owned(), Some("E".to_owned()))));
        assert_eq!(read("half"), None);
        assert_eq!(read("nobody"), None);
    }
}
