//! What the flags of `trainyard server` mean, held against each other.

use std::sync::Arc;
use std::time::Duration;

use trainyard_base::Budget;
use trainyard_net::{Allowed, descriptors};
use trainyard_storage::DirectAccess;
use trainyard_tracking::access::{AccessConfig, AccessControl, OidcConfig};
use trainyard_tracking::server::auth::AuthFile;
use trainyard_tracking::server::{Authorize, HostPolicy, Limits, ServerOptions};
use trainyard_tracking::store::ReadLimits;
use trainyard_tracking::webhooks::WebhookOptions;
use trainyard_tracking::{Approvers, Audited, Governance, Lending, OpenOptions, Opening};

use super::ready::Ready;
use super::server_flags::{Arguments, AuditedChanges};
use super::tls::TlsFiles;
use crate::failure::Failure;
use crate::printer;

/// Who comes in, and whose approvals count.
pub(super) struct Doors {
    /// None where everybody does.
    pub(super) authorize: Option<Arc<dyn Authorize>>,
    approvers: Option<Arc<dyn Approvers>>,
}

impl Arguments {
    /// By the users of a database, or else those of a file, if one is named.
    pub(super) fn doors(&self, access: Option<&AccessControl>) -> Result<Doors, Failure> {
        Ok(match (access, &self.auth_file) {
            (Some(access), _) => {
                Doors { authorize: Some(access.authorize()), approvers: Some(access.approvers()) }
            }
            (None, Some(path)) => {
                let file = Arc::new(AuthFile::open(path)?);
                Doors { authorize: Some(Arc::clone(&file) as _), approvers: Some(file) }
            }
            (None, None) => Doors { authorize: None, approvers: None },
        })
    }

    pub(super) fn serves_artifacts(&self) -> bool {
        self.serve_artifacts && !self.no_serve_artifacts
    }

    /// Roots besides those of the usual flags; a variable that is empty names none.
    fn named_roots(&self) -> impl Iterator<Item = &String> {
        self.allowed_artifact_roots.iter().filter(|root| !root.is_empty())
    }

    fn limits(&self) -> Limits {
        // Each may have a file or a connection of its own behind it.
        let mut limits = Limits::new(descriptors::connections(self.max_connections, 2));
        if let Some(per_address) = self.max_per_address {
            limits.per_address_max = per_address;
        }
        limits
    }

    /// The certificate and its key, by our flags or upstream's.
    pub(super) fn certificate(&self) -> Result<Option<TlsFiles>, Failure> {
        let upstreams = self.unused.certificate()?;
        match (self.tls.files(), upstreams) {
            (Some(ours), Some(upstreams)) if ours != upstreams => Err(Failure::input(
                "--tls-cert and the options of upstream's servers name two certificates",
            )
            .hint("give one, by --tls-cert and --tls-key")),
            (ours, upstreams) => Ok(ours.or(upstreams)),
        }
    }

    /// Users and permissions, if they are asked for.
    pub(super) fn access(&self) -> Result<Option<AccessConfig>, Failure> {
        let mut access = self.unused.access()?;
        if access.is_some() && self.auth_file.is_some() {
            return Err(Failure::input(
                "--auth-file and --app-name basic-auth are two ways to sign in, of which a server has one",
            )
            .hint("`trainyard user create NAME` makes a user of a line of --auth-file"));
        }
        let Some(config) = &mut access else {
            if self.oidc.is_some() {
                return Err(Failure::input("--oidc says who is who, and this server asks nobody")
                    .hint("add --app-name basic-auth"));
            }
            return Ok(None);
        };
        config.static_prefix = self.static_prefix.clone().unwrap_or_default();
        if let Some(file) = &self.oidc {
            let oidc = OidcConfig::read(file)?;
            for name in oidc.open_to_everybody() {
                printer::warning(&format!(
                    "anybody on earth can sign in by '{name}' of {}: allowed_domains or allowed_groups say who may",
                    file.display()
                ));
            }
            config.oidc = Some(oidc);
        }
        Ok(access)
    }

    /// What is written down of changes, and what is protected. Approvals are of people whom the server knows, and
    /// are to be proved later.
    fn governance(&self, doors: &Doors) -> Result<Governance, Failure> {
        let audited = match self.audit {
            AuditedChanges::Off => Audited::Off,
            AuditedChanges::Changes => Audited::Changes,
            AuditedChanges::All => Audited::All,
        };
        let protected = self.protected_aliases.clone();
        if !protected.is_empty() && self.auth_file.is_none() && self.unused.app_name.is_none() {
            return Err(Failure::input(
                "--protect-alias asks another person, and this server knows no persons",
            )
            .hint("name them with --auth-file, or with --app-name basic-auth"));
        }
        if !protected.is_empty() && audited == Audited::Off {
            return Err(Failure::input(
                "--protect-alias needs the audit log, which --audit off turns off",
            )
            .hint("leave --audit out"));
        }
        Ok(Governance { audited, protected, approvers: doors.approvers.clone() })
    }

    pub(super) fn opening(
        &self,
        memory: &Arc<Budget>,
        certificate: Option<&TlsFiles>,
        access: Option<&AccessConfig>,
        doors: &Doors,
    ) -> Result<Opening, Failure> {
        let time = (self.query_timeout > 0).then(|| Duration::from_secs(self.query_timeout));
        let options = OpenOptions {
            limits: ReadLimits { time, memory: Arc::clone(memory) },
            governance: self.governance(doors)?,
            // As upstream: through this server, unless it does not pass artifacts on.
            default_artifact_root: self
                .default_artifact_root
                .clone()
                .or_else(|| self.serves_artifacts().then(|| "mlflow-artifacts:/".to_owned())),
            artifacts_destination: Some(self.artifacts_destination.clone()),
            direct: DirectAccess {
                transfers: self.direct_transfers,
                public_endpoint: self.s3_public_endpoint.clone(),
            },
        };
        let key = certificate.map(|files| &files.key);
        let users = access.map(AccessConfig::private_files).unwrap_or_default();
        let files = self.auth_file.iter().chain(key).chain(self.store.file());
        let private_files = files.cloned().chain(users).collect();
        let lending = Lending {
            registry_uri: self.registry_store_uri.clone(),
            artifact_roots: self.named_roots().cloned().collect(),
            private_files,
        };
        // Who only passes artifacts on leaves no database behind.
        let uri = if self.artifacts_only { "sqlite://".to_owned() } else { self.store.uri()? };
        Ok(Opening { uri, options, lending })
    }

    /// What it says at its start; `uri` is the database.
    pub(super) fn ready<'a>(
        &self,
        uri: &str,
        url: &'a str,
        asks: bool,
        is_encrypted: bool,
    ) -> Ready<'a> {
        let store = (!self.artifacts_only).then(|| format!("store {uri}"));
        let artifacts = format!("artifacts {}", self.artifacts_destination);
        let artifacts = self.serves_artifacts().then_some(artifacts);
        Ready {
            what: "tracking",
            url,
            stores: store.into_iter().chain(artifacts).collect(),
            asks: asks.then_some("a password or token"),
            is_encrypted,
        }
    }

    /// Receivers of webhooks that need not be public; a variable that is empty names none.
    fn webhook_receivers(&self) -> Result<Vec<Allowed>, Failure> {
        let named = self.webhook_allow.iter().filter(|text| !text.trim().is_empty());
        let receiver = |text: &String| {
            text.parse::<Allowed>()
                .map_err(|error| Failure::input(format!("--webhook-allow: {error}")))
        };
        named.map(receiver).collect()
    }

    pub(super) fn options(
        &self,
        memory: &Arc<Budget>,
        access: Option<&AccessControl>,
        doors: &Doors,
    ) -> Result<ServerOptions, Failure> {
        let allowed_hosts = match self.allowed_hosts.as_slice() {
            [] => None,
            hosts => Some(hosts.to_vec()),
        };
        let mut roots = vec![self.artifacts_destination.as_str()];
        roots.extend(self.default_artifact_root.as_deref());
        roots.extend(self.named_roots().map(String::as_str));
        Ok(ServerOptions {
            serve_artifacts: self.serves_artifacts(),
            artifacts_only: self.artifacts_only,
            static_prefix: self.static_prefix.clone().unwrap_or_default(),
            allowed_hosts,
            cors_allowed_origins: self.cors_allowed_origins.clone(),
            x_frame_options: (!self.x_frame_options.eq_ignore_ascii_case("none"))
                .then(|| self.x_frame_options.clone()),
            aliases_in_search: self.aliases_in_search,
            presigned_download_seconds: self.presigned_download_ttl,
            hosts: HostPolicy::new(&roots, &self.allowed_artifact_schemes),
            disable_security: self.disable_security_middleware,
            memory: Arc::clone(memory),
            connections: self.limits(),
            webhooks: WebhookOptions::from_env(self.webhook_receivers()?)?,
            authorize: doors.authorize.clone(),
            more_routes: access.map(AccessControl::routes).unwrap_or_default(),
            ..ServerOptions::default()
        })
    }
}
