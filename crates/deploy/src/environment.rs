//! What an instance sees of the environment of whoever starts it: a list of what it needs, not a list of what
//! it must not see. A deployer has keys of other services, and settings meant for itself: with the certificate
//! or the token of another server an instance would not even answer its own deployer.
//!
//! A gateway gets less still, whoever deploys first: it lives on under deployers to come.
//!
//! There are two kinds. What programs go by on this machine ([`machine_environment`]) belongs to the machine on which an
//! instance runs; a container has its image's. What registry and artifact store are reached with
//! ([`service_environment`]) belongs to the release: it is kept with it, readable by the owner alone, so that an instance
//! that is started again by somebody else reaches them all the same.

use std::ffi::{OsStr, OsString};

/// Where programs, files and temporary ones are, and who we are. Language and time zone. Whom TLS trusts. Where
/// libraries, ONNX Runtime and Python are, and how many threads and which devices they use. What the program's
/// own log says, and how it allocates.
const MACHINE: [&str; 38] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "LANG",
    "LANGUAGE",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "LD_LIBRARY_PATH",
    "ORT_DYLIB_PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONHASHSEED",
    "PYTHONUTF8",
    "PYTHONIOENCODING",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "TRAINYARD_PYTHON_CACHE",
    "TRAINYARD_PYTHON_CACHE_MAX",
    "MLFLOW_ENV_ROOT",
    "PYENV_ROOT",
    "XDG_DATA_HOME",
    "CUDA_HOME",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "NUMEXPR_MAX_THREADS",
    "TOKENIZERS_PARALLELISM",
    "HF_HOME",
    "TRAINYARD_LOG",
    "RUST_BACKTRACE",
    "RAYON_NUM_THREADS",
    "TOKIO_WORKER_THREADS",
];

/// The same, by how the names begin: the language, numeric libraries, the allocator, and the tools that make
/// Python environments for workers.
const MACHINE_PREFIXES: [&str; 9] =
    ["LC_", "OMP_", "OPENBLAS_", "MKL_", "KMP_", "NUMBA_", "MIMALLOC_", "PIP_", "UV_"];

/// What of the program's settings a gateway has by a variable alone, beside what every program of the machine goes by.
const GATEWAY: [&str; 1] = ["TRAINYARD_LOG_FORMAT"];

/// What registry and artifact store are reached with, by how the names begin: the account and the client's
/// settings of MLflow, and the credentials of object stores.
const SERVICE_PREFIXES: [&str; 7] = [
    "MLFLOW_TRACKING_",
    "MLFLOW_HTTP_",
    "MLFLOW_S3_",
    "AWS_",
    "GOOGLE_",
    "AZURE_",
    "STORAGE_EMULATOR_",
];

/// The same beginnings have keys of services that have nothing to do with a registry: language models.
const OTHER_PREFIXES: [&str; 2] = ["AZURE_OPENAI_", "AWS_BEARER_TOKEN_"];
const OTHER_ENDING: &str = "_API_KEY";

/// The ways out of a network, which are written in either case.
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];

/// Where the registry is: said by the release itself.
const REGISTRY: &str = "MLFLOW_TRACKING_URI";

/// What every program of this machine goes by, as this process has it.
pub(crate) fn machine_environment() -> Vec<(OsString, OsString)> {
    let is_chosen = |name: &OsStr| name.to_str().is_some_and(is_of_machine);
    std::env::vars_os().filter(|(name, _)| is_chosen(name)).collect()
}

/// What a gateway sees. It reaches no registry, and stands where strangers are: a key in it would be one too many.
pub(crate) fn gateway_environment() -> Vec<(OsString, OsString)> {
    let is_chosen = |name: &OsStr| {
        name.to_str().is_some_and(|name| is_of_machine(name) || GATEWAY.contains(&name))
    };
    std::env::vars_os().filter(|(name, _)| is_chosen(name)).collect()
}

/// What registry and artifact store are reached with, as this process has it. Empty ones are none.
pub fn service_environment() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| is_of_services(name) && !value.is_empty())
        .collect();
    found.sort();
    found
}

fn is_of_machine(name: &str) -> bool {
    MACHINE.contains(&name) || MACHINE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_of_services(name: &str) -> bool {
    let begins = || SERVICE_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let is_other = || {
        name.ends_with(OTHER_ENDING) || OTHER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    let is_proxy = || PROXIES.iter().any(|proxy| proxy.eq_ignore_ascii_case(name));
    name != REGISTRY && ((begins() && !is_other()) || is_proxy())
}

#[cfg(test)]
mod tests {
    use trainyard_base::words::{PROBE_ID_VARIABLE, TOKEN_VARIABLE};

    use super::*;

    #[test]
    fn what_is_meant_for_the_deployer_is_on_no_list() {
        for name in [
            "TRAINYARD_TLS_CERT",
            "TRAINYARD_TLS_KEY",
            "TRAINYARD_HOST",
            "TRAINYARD_PORT",
            "TRAINYARD_TOKEN_FILE",
            TOKEN_VARIABLE,
            PROBE_ID_VARIABLE,
            "TRAINYARD_PREDICTION_LOG",
            "TRAINYARD_MODEL_CACHE",
            "MODEL_NAME",
            "MODEL_STAGE",
            "MLFLOW_TRACKING_URI",
            "MLFLOW_FLASK_SERVER_SECRET_KEY",
            "GITHUB_TOKEN",
            "DOCKER_HOST",
            "SLACK_WEBHOOK_URL",
            "LD_PRELOAD",
            "GOOGLE_API_KEY",
            "AZURE_OPENAI_API_KEY",
            "AZURE_OPENAI_AD_TOKEN",
            "AWS_BEARER_TOKEN_BEDROCK",
            "MY_SECRET",
        ] {
            assert!(!is_of_machine(name) && !is_of_services(name), "{name}");
        }
        for name in ["PATH", "LC_ALL", "OMP_NUM_THREADS", "MIMALLOC_VERBOSE", "UV_INDEX_URL"] {
            assert!(is_of_machine(name) && !is_of_services(name), "{name}");
        }
        for name in [
            "MLFLOW_TRACKING_USERNAME",
            "MLFLOW_TRACKING_SERVER_CERT_PATH",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
            "MLFLOW_S3_ENDPOINT_URL",
            "AWS_SECRET_ACCESS_KEY",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "AZURE_STORAGE_KEY",
            "STORAGE_EMULATOR_HOST",
            "HTTPS_PROXY",
            "no_proxy",
        ] {
            assert!(is_of_services(name) && !is_of_machine(name), "{name}");
        }
    }
}
