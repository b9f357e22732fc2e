//! Which accounts the instances of a release have with registry and artifact store: the project's own where it names
//! them, else those of whoever releases. Variables that say together who somebody is go together: a key of today
//! beside a session of yesterday, or of somebody else, is nobody's.

use std::collections::BTreeMap;

use trainyard_deploy::{ReleaseSpec, service_environment};

use crate::Project;
use crate::serve_environment::Value;

/// The variables of an account. Where a client looks at several of them, it is not for us to know which counts.
const ACCOUNTS: [&[&str]; 4] = [
    &["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"],
    &[
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
    ],
    &["GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY"],
    &[
        "AZURE_STORAGE_CONNECTION_STRING",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_ACCESS_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_SAS_KEY",
        "AZURE_STORAGE_CLIENT_ID",
        "AZURE_STORAGE_CLIENT_SECRET",
        "AZURE_STORAGE_TENANT_ID",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_TENANT_ID",
        "AZURE_FEDERATED_TOKEN_FILE",
    ],
];

/// What registry and artifact store are reached with, as this process has it, but what the project says itself.
pub(crate) fn accounts(project: &Project) -> Vec<(String, String)> {
    without(&project.config.serve.env, service_environment())
}

/// Gives a release of before the accounts of today; where there are none it keeps those that it had.
pub(crate) fn renew(spec: &mut ReleaseSpec, today: Vec<(String, String)>) {
    for account in ACCOUNTS {
        if today.iter().any(|(name, _)| account.contains(&name.as_str())) {
            spec.env.retain(|(name, _)| !account.contains(&name.as_str()));
        }
    }
    spec.env.retain(|(known, _)| today.iter().all(|(name, _)| name != known));
    spec.env.extend(today);
}

/// Without what the project names, and without the rest of an account of which it names something.
fn without(
    own: &BTreeMap<String, Value>,
    mut found: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let is_own = |name: &str| {
        let account = ACCOUNTS.iter().find(|account| account.contains(&name));
        own.contains_key(name)
            || account.is_some_and(|account| account.iter().any(|part| own.contains_key(*part)))
    };
    found.retain(|(name, _)| !is_own(name));
    found
}

#[cfg(test)]
mod tests {
    use trainyard_deploy::Workload;

    use super::*;

    fn variables(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_account_is_renewed_as_a_whole() {
        let mut spec = ReleaseSpec::new(Workload::process("/bin/true"));
        spec.env = variables(&[
            ("MODE", "fast"),
            ("AWS_ACCESS_KEY_ID", "old"),
            ("AWS_SECRET_ACCESS_KEY", "old"),
            ("AWS_SESSION_TOKEN", "old"),
            ("AWS_REGION", "eu-1"),
            ("MLFLOW_TRACKING_USERNAME", "ana"),
            ("MLFLOW_TRACKING_PASSWORD", "old"),
        ]);
        let today = variables(&[
            ("AWS_ACCESS_KEY_ID", "new"),
            ("AWS_SECRET_ACCESS_KEY", "new"),
            ("MLFLOW_TRACKING_TOKEN", "new"),
        ]);
        renew(&mut spec, today);
        let renewed = variables(&[
            ("MODE", "fast"),
            ("AWS_REGION", "eu-1"),
            ("AWS_ACCESS_KEY_ID", "new"),
            ("AWS_SECRET_ACCESS_KEY", "new"),
            ("MLFLOW_TRACKING_TOKEN", "new"),
        ]);
        assert_eq!(spec.env, renewed);
        // Whoever goes back without an account of their own leaves what was there.
        renew(&mut spec, variables(&[("AWS_REGION", "eu-2")]));
        let left: Vec<_> = spec.env.iter().filter(|(_, value)| value == "new").collect();
        assert_eq!(left.len(), 3, "{left:?}");
    }

    #[test]
    fn an_account_of_the_project_is_not_mixed_with_the_deployers() {
        let text = "AWS_ACCESS_KEY_ID = \"a\"\nAWS_SECRET_ACCESS_KEY = { from = \"KEY\" }";
        let own: BTreeMap<String, Value> = toml::from_str(text).unwrap();
        let found = variables(&[
            ("AWS_ACCESS_KEY_ID", "deployer"),
            ("AWS_SESSION_TOKEN", "deployer"),
            ("AWS_REGION", "eu-1"),
            ("MLFLOW_TRACKING_TOKEN", "deployer"),
        ]);
        let left = variables(&[("AWS_REGION", "eu-1"), ("MLFLOW_TRACKING_TOKEN", "deployer")]);
        assert_eq!(without(&own, found), left);
    }
}
