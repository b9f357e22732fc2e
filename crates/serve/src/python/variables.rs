//! What a Python process sees of this server's environment: a list of what it needs, not a list of what it
//! must not see. Passwords of the tracking server and keys of clouds are under many names.

use std::ffi::{OsStr, OsString};

/// What programs of every kind go by: where things are, language, time zone, certificates, and how many
/// threads or which devices numeric libraries use.
const ALLOWED: [&str; 28] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONHASHSEED",
    "PYTHONUTF8",
    "PYTHONIOENCODING",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "XDG_CACHE_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "CUDA_HOME",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "NUMEXPR_MAX_THREADS",
    "TOKENIZERS_PARALLELISM",
    "HF_HOME",
];

/// The same, by how the names begin.
const ALLOWED_PREFIXES: [&str; 6] = ["LC_", "OMP_", "OPENBLAS_", "MKL_", "KMP_", "NUMBA_"];

/// What the tools that make environments are set up with: their own settings, which may hold the password of
/// a package index, and proxies. Workers do not see these.
const TOOL_PREFIXES: [&str; 2] = ["PIP_", "UV_"];
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];

/// Names and values.
pub(crate) type Variables = Vec<(OsString, OsString)>;

/// What a worker sees: the list above, and what the server was told to pass on.
pub(crate) fn for_workers(more: &[String]) -> Variables {
    chosen(std::env::vars_os(), |name| is_allowed(name) || more.iter().any(|one| one == name))
}

/// What the tools see that make environments.
pub(crate) fn for_tools() -> Variables {
    chosen(std::env::vars_os(), |name| {
        is_allowed(name)
            || TOOL_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || PROXIES.iter().any(|proxy| proxy.eq_ignore_ascii_case(name))
    })
}

fn is_allowed(name: &str) -> bool {
    ALLOWED.contains(&name) || ALLOWED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn chosen(
    all: impl Iterator<Item = (OsString, OsString)>,
    is_chosen: impl Fn(&str) -> bool,
) -> Variables {
    let is_chosen = |name: &OsStr| name.to_str().is_some_and(&is_chosen);
    all.filter(|(name, _)| is_chosen(name)).collect()
}

#[cfg(test)]
mod tests {
    use trainyard_base::words::PROBE_ID_VARIABLE;

    use super::*;

    #[test]
    fn secrets_are_not_on_the_list() {
        for name in [
            "MLFLOW_TRACKING_URI",
            "MLFLOW_TRACKING_USERNAME",
            "MLFLOW_TRACKING_PASSWORD",
            "MLFLOW_TRACKING_TOKEN",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "AZURE_STORAGE_CONNECTION_STRING",
            "AZURE_STORAGE_KEY",
            "PIP_INDEX_URL",
            "UV_INDEX_URL",
            "HTTPS_PROXY",
            "HF_TOKEN",
            PROBE_ID_VARIABLE,
            "MY_SECRET",
        ] {
            assert!(!is_allowed(name), "{name}");
        }
        assert!(is_allowed("PATH") && is_allowed("LC_ALL") && is_allowed("OMP_NUM_THREADS"));
    }

    #[test]
    fn more_is_passed_on_by_name() {
        let all = ["PATH", "A", "B"].map(|name| (OsString::from(name), OsString::from("x")));
        let names: Vec<_> = chosen(all.into_iter(), |name| is_allowed(name) || name == "B");
        assert_eq!(
            names.iter().map(|(name, _)| name.to_str().unwrap()).collect::<Vec<_>>(),
            ["PATH", "B"]
        );
    }
}
