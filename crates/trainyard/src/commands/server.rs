//! `trainyard server`: the MLflow-compatible tracking server and registry, with its pages.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Args, Subcommand};
use trainyard_base::Budget;
use trainyard_mlflow::WebhookLog;
use trainyard_net::{Allowed, descriptors};
use trainyard_storage::{DirectAccess, DirectTransfers};
use trainyard_tracking::access::{AccessConfig, AccessControl, OidcConfig};
use trainyard_tracking::server::auth::AuthFile;
use trainyard_tracking::server::{
    Authorize, CONNECTIONS_MAX, HostPolicy, Limits, Opened, ServerOptions, ui,
};
use trainyard_tracking::store::ReadLimits;
use trainyard_tracking::webhooks::WebhookOptions;
use trainyard_tracking::{
    Audited, Governance, Lending, OpenOptions, Opening, ProtectedAlias, Shared,
};
use trainyard_web::Beside;

use super::backend_store::BackendStore;
use super::ready::Ready;
use super::tls::{self, TlsArguments, TlsFiles};
use super::{backup, gc, hash_password, import, listen, server_signals, upgrade, upstream_tls};
use crate::failure::Failure;
use crate::printer;

/// Run the MLflow-compatible tracking server and registry, with its pages.
///
/// The flags are those of `mlflow server`. A database of MLflow 3.17 or later opens in place, and
/// `trainyard server upgrade` brings older ones there.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags are what they are")]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  trainyard server --backend-store-uri sqlite:///mlflow.db --port 5000\n  MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python train.py"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// Address to listen on
    #[arg(long, env = "MLFLOW_HOST", default_value = "127.0.0.1", help_heading = "Listening")]
    host: String,
    /// Port to listen on; 0 picks a free one
    #[arg(long, short, env = "MLFLOW_PORT", default_value_t = 5000, help_heading = "Listening")]
    port: u16,
    #[command(flatten)]
    tls: TlsArguments,
    /// Prefix of all paths
    #[arg(long, env = "MLFLOW_STATIC_PREFIX", value_name = "PATH", help_heading = "Listening")]
    static_prefix: Option<String>,
    /// Show MLflow's own pages, from the server/js/build folder of an installed mlflow; Trainyard's are below
    /// /ui then
    #[arg(long, value_name = "DIR", help_heading = "Listening")]
    ui_dir: Option<PathBuf>,
    #[command(flatten)]
    store: BackendStore,
    /// Database of registered models and versions, if it is another one
    #[arg(long, env = "MLFLOW_REGISTRY_STORE_URI", value_name = "URI", help_heading = "Storage")]
    registry_store_uri: Option<String>,
    /// Root of new experiments' artifacts; mlflow-artifacts:/ (through this server) by default
    #[arg(
        long,
        env = "MLFLOW_DEFAULT_ARTIFACT_ROOT",
        value_name = "URI",
        help_heading = "Storage"
    )]
    default_artifact_root: Option<String>,
    /// Where mlflow-artifacts:/ is kept: a folder, s3://, gs://, wasbs:// or abfss://
    #[arg(
        long,
        env = "MLFLOW_ARTIFACTS_DESTINATION",
        default_value = "./mlartifacts",
        value_name = "URI",
        help_heading = "Storage"
    )]
    artifacts_destination: String,
    /// Where artifacts may be read and written for clients besides these two: folders, or s3://bucket/path
    /// and the like, separated by commas. Elsewhere the server goes for nobody, whatever an experiment says
    #[arg(
        long = "allowed-artifact-root",
        env = "TRAINYARD_ALLOWED_ARTIFACT_ROOTS",
        value_delimiter = ',',
        value_name = "URIS",
        help_heading = "Storage"
    )]
    allowed_artifact_roots: Vec<String>,
    /// Users and tokens that may use the server; lines from `trainyard server hash-password`
    #[arg(long, env = "TRAINYARD_AUTH_FILE", value_name = "FILE", help_heading = "Security")]
    auth_file: Option<PathBuf>,
    /// Sign-in providers (OpenID Connect) besides the users of --app-name basic-auth, in TOML
    #[arg(long, env = "TRAINYARD_OIDC", value_name = "FILE", help_heading = "Security")]
    oidc: Option<PathBuf>,
    /// Which changes are written down for `trainyard audit`: off; changes of the registry and of experiments; or all,
    /// with runs and their tags
    #[arg(
        long,
        env = "TRAINYARD_AUDIT",
        default_value = "changes",
        value_name = "WHAT",
        help_heading = "Security"
    )]
    audit: AuditedChanges,
    /// Aliases, and stages of the same name, that move only when another person approves, or so many
    /// others: Production=2. Separated by commas
    #[arg(
        long = "protect-alias",
        env = "TRAINYARD_PROTECT_ALIAS",
        value_delimiter = ',',
        value_name = "ALIASES",
        help_heading = "Security"
    )]
    protected_aliases: Vec<ProtectedAlias>,
    /// Host headers that are answered, separated by commas; * for any
    #[arg(
        long,
        env = "MLFLOW_SERVER_ALLOWED_HOSTS",
        value_delimiter = ',',
        value_name = "HOSTS",
        help_heading = "Security"
    )]
    allowed_hosts: Vec<String>,
    /// Origins whose pages may call this server, separated by commas
    #[arg(
        long,
        env = "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGINS",
        help_heading = "Security"
    )]
    cors_allowed_origins: Vec<String>,
    /// X-Frame-Options of every answer: SAMEORIGIN, DENY or NONE
    #[arg(
        long,
        env = "MLFLOW_SERVER_X_FRAME_OPTIONS",
        default_value = "SAMEORIGIN",
        value_name = "VALUE",
        help_heading = "Security"
    )]
    x_frame_options: String,
    /// Schemes by which artifact locations may name any host, separated by commas
    #[arg(
        long,
        env = "MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES",
        value_delimiter = ',',
        value_name = "SCHEMES",
        help_heading = "Security"
    )]
    allowed_artifact_schemes: Vec<String>,
    /// Seconds that signed URLs for downloads from the artifacts' storage are good for
    #[arg(
        long,
        env = "MLFLOW_PRESIGNED_DOWNLOAD_URL_TTL_SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(i64).range(1..=604_800),
        value_name = "SECONDS",
        help_heading = "Storage"
    )]
    presigned_download_ttl: i64,
    /// Let clients send and fetch large files past this server, by signed URLs of the S3 storage: on, off, or
    /// auto: where its endpoint is public, or --s3-public-endpoint names one
    #[arg(
        long,
        env = "TRAINYARD_DIRECT_TRANSFERS",
        default_value = "auto",
        value_name = "WHEN",
        help_heading = "Storage"
    )]
    direct_transfers: DirectTransfers,
    /// Endpoint of the S3 storage as clients reach it, if this server uses another one
    #[arg(
        long,
        env = "TRAINYARD_S3_PUBLIC_ENDPOINT",
        value_parser = trainyard_storage::public_endpoint,
        value_name = "URL",
        help_heading = "Storage"
    )]
    s3_public_endpoint: Option<String>,
    /// Hosts and networks (10.0.0.0/8) that webhooks may go to although they are not public, by http, too,
    /// separated by commas
    #[arg(
        long = "webhook-allow",
        env = "TRAINYARD_WEBHOOK_ALLOW",
        value_delimiter = ',',
        value_name = "HOSTS",
        help_heading = "Security"
    )]
    webhook_allow: Vec<String>,
    /// Turn the checks of Host and Origin off
    #[arg(
        long,
        env = "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE",
        value_parser = clap::builder::BoolishValueParser::new(),
        help_heading = "Security"
    )]
    disable_security_middleware: bool,
    /// Read and write artifacts for clients, and do nothing else
    #[arg(
        long,
        env = "MLFLOW_ARTIFACTS_ONLY",
        value_parser = clap::builder::BoolishValueParser::new(),
        help_heading = "Storage"
    )]
    artifacts_only: bool,
    /// Do not read and write artifacts for clients
    #[arg(long, help_heading = "Storage")]
    no_serve_artifacts: bool,
    /// Read and write artifacts for clients (the default)
    #[arg(
        long,
        env = "MLFLOW_SERVE_ARTIFACTS",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value = "true",
        default_missing_value = "true",
        value_parser = clap::builder::BoolishValueParser::new(),
        hide = true
    )]
    serve_artifacts: bool,
    /// How long a database server that cannot be reached at the start is waited for; until it is there /livez
    /// answers, and everything else is a 503
    #[arg(
        long,
        env = "TRAINYARD_WAIT_FOR_DATABASE",
        default_value = "5m",
        value_parser = trainyard_base::duration::parse,
        value_name = "TIME",
        help_heading = "Storage"
    )]
    wait_for_database: Duration,
    /// Seconds that a search or another read may take; 0 for as long as it takes
    #[arg(
        long,
        env = "TRAINYARD_QUERY_TIMEOUT",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(..=86_400),
        value_name = "SECONDS",
        help_heading = "Limits"
    )]
    query_timeout: u64,
    /// Connections open at a time; further ones are only answered for /health
    #[arg(
        long,
        env = "TRAINYARD_MAX_CONNECTIONS",
        default_value_t = CONNECTIONS_MAX,
        value_parser = at_least_one,
        value_name = "N",
        help_heading = "Limits"
    )]
    max_connections: usize,
    /// Connections of one address at a time; half of all by default. A proxy in front is one address
    #[arg(
        long,
        env = "TRAINYARD_MAX_PER_ADDRESS",
        value_parser = at_least_one,
        value_name = "N",
        help_heading = "Limits"
    )]
    max_per_address: Option<usize>,
    /// Memory that requests and answers are measured by, as in 512MiB; that of the machine or container
    /// by default. They may hold a quarter of it
    #[arg(
        long,
        value_parser = trainyard_base::size::parse,
        value_name = "BYTES",
        help_heading = "Limits"
    )]
    memory_limit: Option<u64>,
    /// Fill in aliases when clients search model versions, which upstream leaves out
    #[arg(
        long,
        env = "TRAINYARD_ALIASES_IN_SEARCH",
        value_parser = clap::builder::BoolishValueParser::new(),
        help_heading = "Answers"
    )]
    aliases_in_search: bool,
    #[command(flatten)]
    unused: Unused,
}

/// The words for [`Audited`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum AuditedChanges {
    Off,
    Changes,
    All,
}

/// What else there is to do with a server than to run it.
#[derive(Debug, Subcommand)]
enum Action {
    /// Make a line for --auth-file from a password or token on stdin
    HashPassword(hash_password::Arguments),
    /// Copy database and artifacts into a new folder, while the server runs
    Backup(backup::Arguments),
    /// Put a backup back where no database and no artifacts are
    Restore(backup::Arguments),
    /// Bring what MLflow kept in files (./mlruns) into the database
    Import(import::Arguments),
    /// Remove deleted runs, logged models and experiments for good, with their files, while the server runs
    Gc(gc::Arguments),
    /// Upgrade the database of an older MLflow (from 2.0) in its place, after a backup
    Upgrade(upgrade::Arguments),
}

/// Flags of `mlflow server` about its Python processes: taken, so that its command lines work.
#[derive(Debug, Args)]
struct Unused {
    #[arg(long, short, env = "MLFLOW_WORKERS", hide = true)]
    workers: Option<String>,
    #[arg(long, env = "MLFLOW_GUNICORN_OPTS", hide = true, allow_hyphen_values = true)]
    gunicorn_opts: Option<String>,
    #[arg(long, env = "MLFLOW_UVICORN_OPTS", hide = true, allow_hyphen_values = true)]
    uvicorn_opts: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    waitress_opts: Option<String>,
    #[arg(long, env = "MLFLOW_EXPOSE_PROMETHEUS", hide = true)]
    expose_prometheus: Option<String>,
    #[arg(long, hide = true)]
    dev: bool,
    /// Refused: whoever asks for them counts on being kept apart.
    #[arg(long, env = "MLFLOW_ENABLE_WORKSPACES", hide = true,
        value_parser = clap::builder::FalseyValueParser::new())]
    enable_workspaces: bool,
    /// What is so here anyway.
    #[arg(long, hide = true)]
    disable_workspaces: bool,
    /// `basic-auth`, which is here, and no Python program.
    #[arg(long, hide = true, value_name = "NAME")]
    app_name: Option<String>,
}

impl Unused {
    /// The certificate, which is the one thing of them that is honoured.
    fn certificate(&self) -> Result<Option<TlsFiles>, Failure> {
        upstream_tls::files(&[
            ("--gunicorn-opts", self.gunicorn_opts.as_deref()),
            ("--uvicorn-opts", self.uvicorn_opts.as_deref()),
        ])
    }

    /// How users sign in, where upstream's app for that is asked for. Another application of Python is no
    /// decoration: whoever asks for one counts on it.
    fn access(&self) -> Result<Option<AccessConfig>, Failure> {
        match self.app_name.as_deref() {
            None => Ok(None),
            Some("basic-auth") => Ok(Some(AccessConfig::from_env()?)),
            Some(name) => Err(Failure::input(format!("--app-name {name} is a Python program"))
                .hint("for users, passwords and permissions: --app-name basic-auth")),
        }
    }

    /// Refuses what asks for workspaces, in words or by a client's variable, as upstream does with the latter.
    fn refuse_workspaces(&self) -> Result<(), Failure> {
        if let Some(workspace) = trainyard_mlflow::client::workspace()? {
            return Err(Failure::input(format!(
                "MLFLOW_WORKSPACE={workspace} is for clients; unset it before the server starts"
            )));
        }
        if self.enable_workspaces && !self.disable_workspaces {
            return Err(Failure::input("--enable-workspaces: there are no workspaces here")
                .hint("a server for each group of people keeps them apart; docs: mlflow-compatibility, Workspaces"));
        }
        Ok(())
    }

    /// Says of each that was given why it changes nothing.
    fn report(&self, has_certificate: bool) {
        let given = [
            ("--workers", self.workers.is_some()),
            ("--gunicorn-opts", self.gunicorn_opts.is_some() && !has_certificate),
            ("--uvicorn-opts", self.uvicorn_opts.is_some() && !has_certificate),
            ("--waitress-opts", self.waitress_opts.is_some()),
            ("--dev", self.dev),
        ];
        for (flag, _) in given.iter().filter(|(_, given)| *given) {
            printer::warning(&format!("{flag} is about Python processes; there are none here"));
        }
        if self.disable_workspaces {
            printer::note("--disable-workspaces: there are none here");
        }
        if self.expose_prometheus.is_some() {
            printer::note("metrics are at /metrics; --expose-prometheus needs no folder here");
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{text:?} is no number from 1")),
    }
}

impl Arguments {
    fn serves_artifacts(&self) -> bool {
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
    fn certificate(&self) -> Result<Option<TlsFiles>, Failure> {
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
    fn access(&self) -> Result<Option<AccessConfig>, Failure> {
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
    fn governance(&self) -> Result<Governance, Failure> {
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
        Ok(Governance { audited, protected })
    }

    fn opening(
        &self,
        memory: &Arc<Budget>,
        certificate: Option<&TlsFiles>,
        access: Option<&AccessConfig>,
    ) -> Result<Opening, Failure> {
        let time = (self.query_timeout > 0).then(|| Duration::from_secs(self.query_timeout));
        let options = OpenOptions {
            limits: ReadLimits { time, memory: Arc::clone(memory) },
            governance: self.governance()?,
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
    fn ready<'a>(&self, uri: &str, url: &'a str, asks: bool, is_encrypted: bool) -> Ready<'a> {
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

    fn options(
        &self,
        memory: &Arc<Budget>,
        access: Option<&AccessControl>,
    ) -> Result<ServerOptions, Failure> {
        let allowed_hosts = match self.allowed_hosts.as_slice() {
            [] => None,
            hosts => Some(hosts.to_vec()),
        };
        let authorize = match (&self.auth_file, access) {
            (_, Some(access)) => Some(access.authorize()),
            (Some(path), None) => {
                let file = AuthFile::open(path)?;
                Some(Arc::new(file) as Arc<dyn Authorize>)
            }
            (None, None) => None,
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
            authorize,
            more_routes: access.map(AccessControl::routes).unwrap_or_default(),
            ..ServerOptions::default()
        })
    }
}

pub(crate) async fn run(mut arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.action.take() {
        Some(Action::HashPassword(arguments)) => return hash_password::run(&arguments),
        Some(Action::Backup(arguments)) => return backup::make(&arguments),
        Some(Action::Restore(arguments)) => return backup::restore(&arguments),
        Some(Action::Gc(arguments)) => return gc::run(&arguments).await,
        Some(Action::Upgrade(arguments)) => return upgrade::run(&arguments),
        Some(Action::Import(arguments)) => return Box::pin(import::run(&arguments)).await,
        None => {}
    }
    arguments.unused.refuse_workspaces()?;
    let configured = arguments.access()?;
    if arguments.artifacts_only && !arguments.serves_artifacts() {
        return Err(Failure::input(
            "--artifacts-only and --no-serve-artifacts leave nothing to do",
        ));
    }
    let certificate = arguments.certificate()?;
    arguments.unused.report(certificate.is_some());
    let (reloads, end) = server_signals(
        "the file of users and the certificate are read again when they have changed",
    );
    let memory = Budget::of_process(arguments.memory_limit);
    let access = match &configured {
        Some(config) => Some(Box::pin(AccessControl::open(config)).await?),
        None => None,
    };
    let options = arguments.options(&memory, access.as_ref())?;
    let socket = listen(&arguments.host, arguments.port).await?;
    let address = socket.local_addr().map_err(|error| Failure::runtime(error.to_string()))?;
    let listener = tls::secured(socket, certificate.as_ref(), reloads)?;
    let opening = arguments.opening(&memory, certificate.as_ref(), configured.as_ref())?;
    let first = match opening.attempt().await {
        Err(error) if error.is_unreachable() && !arguments.wait_for_database.is_zero() => {
            Err(error)
        }
        opened => Ok(opened?),
    };
    let asks = options.authorize.is_none().then_some("--auth-file");
    tls::warn_of_strangers(address, asks, certificate.as_ref());
    let url = tls::url(address, certificate.as_ref());
    arguments.ready(&opening.uri, &url, asks.is_none(), certificate.is_some()).say();
    let opened = async {
        let Shared { lent: tracking, webhooks, log: audit_log, changes, .. } = match first {
            Ok(shared) => shared,
            Err(found) => opening.wait(arguments.wait_for_database, &found).await?,
        };
        let tracking = match &access {
            Some(access) => {
                if let Some(log) = audit_log {
                    access.write_down_in(log).await?;
                }
                access.guard(tracking)
            }
            None => tracking,
        };
        let prefix = arguments.static_prefix.as_deref().unwrap_or_default();
        let log = webhooks.clone().map(|webhooks| Arc::new(webhooks) as Arc<dyn WebhookLog>);
        // Where not everybody may see everything, hosts and events are for administrators.
        let beside = match &access {
            Some(access) => Beside {
                webhooks: log.map(|log| access.guard_webhooks(log)),
                team: Some(access.team()),
            },
            None => Beside { webhooks: log, team: None },
        };
        let own =
            |prefix: &str| trainyard_web::router_with(tracking.clone(), prefix, beside.clone());
        let pages = match &arguments.ui_dir {
            Some(folder) => ui::beside(ui::pages(folder)?, own(&format!("{prefix}/ui")), prefix),
            None => own(prefix),
        };
        Ok::<_, trainyard_tracking::Error>(Opened { tracking, pages, webhooks, changes })
    };
    let serving = trainyard_tracking::server::serve_once_opened(listener, opened, options, end);
    Box::pin(serving).await?;
    Ok(ExitCode::SUCCESS)
}
