//! The flags of `trainyard server`, and what else there is to do with one.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Subcommand};
use trainyard_storage::DirectTransfers;
use trainyard_tracking::ProtectedAlias;
use trainyard_tracking::server::CONNECTIONS_MAX;

use super::backend_store::BackendStore;
use super::tls::TlsArguments;
use super::upstream_flags::Unused;
use super::{backup, gc, hash_password, import, upgrade};

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
    pub(super) action: Option<Action>,
    /// Address to listen on
    #[arg(long, env = "MLFLOW_HOST", default_value = "127.0.0.1", help_heading = "Listening")]
    pub(super) host: String,
    /// Port to listen on; 0 picks a free one
    #[arg(long, short, env = "MLFLOW_PORT", default_value_t = 5000, help_heading = "Listening")]
    pub(super) port: u16,
    #[command(flatten)]
    pub(super) tls: TlsArguments,
    /// Prefix of all paths
    #[arg(long, env = "MLFLOW_STATIC_PREFIX", value_name = "PATH", help_heading = "Listening")]
    pub(super) static_prefix: Option<String>,
    /// Show MLflow's own pages, from the server/js/build folder of an installed mlflow; Trainyard's are below
    /// /ui then
    #[arg(long, value_name = "DIR", help_heading = "Listening")]
    pub(super) ui_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) store: BackendStore,
    /// Database of registered models and versions, if it is another one
    #[arg(long, env = "MLFLOW_REGISTRY_STORE_URI", value_name = "URI", help_heading = "Storage")]
    pub(super) registry_store_uri: Option<String>,
    /// Root of new experiments' artifacts; mlflow-artifacts:/ (through this server) by default
    #[arg(
        long,
        env = "MLFLOW_DEFAULT_ARTIFACT_ROOT",
        value_name = "URI",
        help_heading = "Storage"
    )]
    pub(super) default_artifact_root: Option<String>,
    /// Where mlflow-artifacts:/ is kept: a folder, s3://, gs://, wasbs:// or abfss://
    #[arg(
        long,
        env = "MLFLOW_ARTIFACTS_DESTINATION",
        default_value = "./mlartifacts",
        value_name = "URI",
        help_heading = "Storage"
    )]
    pub(super) artifacts_destination: String,
    /// Where artifacts may be read and written for clients besides these two: folders, or s3://bucket/path
    /// and the like, separated by commas. Elsewhere the server goes for nobody, whatever an experiment says
    #[arg(
        long = "allowed-artifact-root",
        env = "TRAINYARD_ALLOWED_ARTIFACT_ROOTS",
        value_delimiter = ',',
        value_name = "URIS",
        help_heading = "Storage"
    )]
    pub(super) allowed_artifact_roots: Vec<String>,
    /// Users and tokens that may use the server; lines from `trainyard server hash-password`
    #[arg(long, env = "TRAINYARD_AUTH_FILE", value_name = "FILE", help_heading = "Security")]
    pub(super) auth_file: Option<PathBuf>,
    /// Sign-in providers (OpenID Connect) besides the users of --app-name basic-auth, in TOML
    #[arg(long, env = "TRAINYARD_OIDC", value_name = "FILE", help_heading = "Security")]
    pub(super) oidc: Option<PathBuf>,
    /// Which changes are written down for `trainyard audit`: off; changes of the registry and of experiments; or all,
    /// with runs and their tags
    #[arg(
        long,
        env = "TRAINYARD_AUDIT",
        default_value = "changes",
        value_name = "WHAT",
        help_heading = "Security"
    )]
    pub(super) audit: AuditedChanges,
    /// Aliases, and stages of the same name, that move only when another person approves, or so many
    /// others: Production=2. Separated by commas
    #[arg(
        long = "protect-alias",
        env = "TRAINYARD_PROTECT_ALIAS",
        value_delimiter = ',',
        value_name = "ALIASES",
        help_heading = "Security"
    )]
    pub(super) protected_aliases: Vec<ProtectedAlias>,
    /// Host headers that are answered, separated by commas; * for any
    #[arg(
        long,
        env = "MLFLOW_SERVER_ALLOWED_HOSTS",
        value_delimiter = ',',
        value_name = "HOSTS",
        help_heading = "Security"
    )]
    pub(super) allowed_hosts: Vec<String>,
    /// Origins whose pages may call this server, separated by commas
    #[arg(
        long,
        env = "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGINS",
        help_heading = "Security"
    )]
    pub(super) cors_allowed_origins: Vec<String>,
    /// X-Frame-Options of every answer: SAMEORIGIN, DENY or NONE
    #[arg(
        long,
        env = "MLFLOW_SERVER_X_FRAME_OPTIONS",
        default_value = "SAMEORIGIN",
        value_name = "VALUE",
        help_heading = "Security"
    )]
    pub(super) x_frame_options: String,
    /// Schemes by which artifact locations may name any host, separated by commas
    #[arg(
        long,
        env = "MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES",
        value_delimiter = ',',
        value_name = "SCHEMES",
        help_heading = "Security"
    )]
    pub(super) allowed_artifact_schemes: Vec<String>,
    /// Seconds that signed URLs for downloads from the artifacts' storage are good for
    #[arg(
        long,
        env = "MLFLOW_PRESIGNED_DOWNLOAD_URL_TTL_SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(i64).range(1..=604_800),
        value_name = "SECONDS",
        help_heading = "Storage"
    )]
    pub(super) presigned_download_ttl: i64,
    /// Let clients send and fetch large files past this server, by signed URLs of the S3 storage: on, off, or
    /// auto: where its endpoint is public, or --s3-public-endpoint names one
    #[arg(
        long,
        env = "TRAINYARD_DIRECT_TRANSFERS",
        default_value = "auto",
        value_name = "WHEN",
        help_heading = "Storage"
    )]
    pub(super) direct_transfers: DirectTransfers,
    /// Endpoint of the S3 storage as clients reach it, if this server uses another one
    #[arg(
        long,
        env = "TRAINYARD_S3_PUBLIC_ENDPOINT",
        value_parser = trainyard_storage::public_endpoint,
        value_name = "URL",
        help_heading = "Storage"
    )]
    pub(super) s3_public_endpoint: Option<String>,
    /// Hosts and networks (10.0.0.0/8) that webhooks may go to although they are not public, by http, too,
    /// separated by commas
    #[arg(
        long = "webhook-allow",
        env = "TRAINYARD_WEBHOOK_ALLOW",
        value_delimiter = ',',
        value_name = "HOSTS",
        help_heading = "Security"
    )]
    pub(super) webhook_allow: Vec<String>,
    /// Turn the checks of Host and Origin off
    #[arg(
        long,
        env = "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE",
        value_parser = clap::builder::BoolishValueParser::new(),
        help_heading = "Security"
    )]
    pub(super) disable_security_middleware: bool,
    /// Read and write artifacts for clients, and do nothing else
    #[arg(
        long,
        env = "MLFLOW_ARTIFACTS_ONLY",
        value_parser = clap::builder::BoolishValueParser::new(),
        help_heading = "Storage"
    )]
    pub(super) artifacts_only: bool,
    /// Do not read and write artifacts for clients
    #[arg(long, help_heading = "Storage")]
    pub(super) no_serve_artifacts: bool,
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
    pub(super) serve_artifacts: bool,
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
    pub(super) wait_for_database: Duration,
    /// Seconds that a search or another read may take; 0 for as long as it takes
    #[arg(
        long,
        env = "TRAINYARD_QUERY_TIMEOUT",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(..=86_400),
        value_name = "SECONDS",
        help_heading = "Limits"
    )]
    pub(super) query_timeout: u64,
    /// Connections open at a time; further ones are only answered for /health
    #[arg(
        long,
        env = "TRAINYARD_MAX_CONNECTIONS",
        default_value_t = CONNECTIONS_MAX,
        value_parser = at_least_one,
        value_name = "N",
        help_heading = "Limits"
    )]
    pub(super) max_connections: usize,
    /// Connections of one address at a time; half of all by default. A proxy in front is one address
    #[arg(
        long,
        env = "TRAINYARD_MAX_PER_ADDRESS",
        value_parser = at_least_one,
        value_name = "N",
        help_heading = "Limits"
    )]
    pub(super) max_per_address: Option<usize>,
    /// Memory that requests and answers are measured by, as in 512MiB; that of the machine or container
    /// by default. They may hold a quarter of it
    #[arg(
        long,
        value_parser = trainyard_base::size::parse,
        value_name = "BYTES",
        help_heading = "Limits"
    )]
    pub(super) memory_limit: Option<u64>,
    /// Fill in aliases when clients search model versions, which upstream leaves out
    #[arg(
        long,
        env = "TRAINYARD_ALIASES_IN_SEARCH",
        value_parser = clap::builder::BoolishValueParser::new(),
        help_heading = "Answers"
    )]
    pub(super) aliases_in_search: bool,
    #[command(flatten)]
    pub(super) unused: Unused,
}

/// The words for [`Audited`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum AuditedChanges {
    Off,
    Changes,
    All,
}

/// What else there is to do with a server than to run it.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
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

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{text:?} is no number from 1")),
    }
}
