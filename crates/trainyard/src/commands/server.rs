//! `trainyard server`: the MLflow-compatible tracking server and registry, with its pages.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use trainyard_tracking::OpenOptions;
use trainyard_tracking::server::ServerOptions;

use super::{listen, shutdown_signal};
use crate::failure::Failure;
use crate::printer;

/// Run the MLflow-compatible tracking server and registry, with its pages.
///
/// The flags are those of `mlflow server`. An existing MLflow 3.17 database opens in place.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  trainyard server --backend-store-uri sqlite:///mlflow.db --port 5000\n  MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python train.py"
)]
pub(crate) struct Arguments {
    /// Address to listen on
    #[arg(long, env = "MLFLOW_HOST", default_value = "127.0.0.1", help_heading = "Listening")]
    host: String,
    /// Port to listen on; 0 picks a free one
    #[arg(long, short, env = "MLFLOW_PORT", default_value_t = 5000, help_heading = "Listening")]
    port: u16,
    /// Prefix of all paths
    #[arg(long, env = "MLFLOW_STATIC_PREFIX", value_name = "PATH", help_heading = "Listening")]
    static_prefix: Option<String>,
    /// Show MLflow's own pages, from the server/js/build folder of an installed mlflow
    #[arg(long, value_name = "DIR", help_heading = "Listening")]
    ui_dir: Option<PathBuf>,
    /// Database of experiments, runs and models
    #[arg(
        long,
        env = "MLFLOW_BACKEND_STORE_URI",
        default_value = "sqlite:///mlflow.db",
        value_name = "URI",
        help_heading = "Storage"
    )]
    backend_store_uri: String,
    /// Root of new experiments' artifacts; mlflow-artifacts:/ (through this server) by default
    #[arg(
        long,
        env = "MLFLOW_DEFAULT_ARTIFACT_ROOT",
        value_name = "URI",
        help_heading = "Storage"
    )]
    default_artifact_root: Option<String>,
    /// Where mlflow-artifacts:/ is kept
    #[arg(
        long,
        env = "MLFLOW_ARTIFACTS_DESTINATION",
        default_value = "./mlartifacts",
        value_name = "URI",
        help_heading = "Storage"
    )]
    artifacts_destination: String,
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
    /// Turn the checks of Host and Origin off
    #[arg(long, env = "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE", help_heading = "Security")]
    disable_security_middleware: bool,
    /// Do not read and write artifacts for clients
    #[arg(long, help_heading = "Storage")]
    no_serve_artifacts: bool,
    /// Read and write artifacts for clients (the default; the flag is there as upstream has it)
    #[arg(long, hide = true, conflicts_with = "no_serve_artifacts")]
    serve_artifacts: bool,
}

impl Arguments {
    fn options(&self) -> ServerOptions {
        let allowed_hosts = match self.allowed_hosts.as_slice() {
            [] => None,
            hosts => Some(hosts.to_vec()),
        };
        ServerOptions {
            serve_artifacts: !self.no_serve_artifacts,
            static_prefix: self.static_prefix.clone().unwrap_or_default(),
            allowed_hosts,
            cors_allowed_origins: self.cors_allowed_origins.clone(),
            x_frame_options: (!self.x_frame_options.eq_ignore_ascii_case("none"))
                .then(|| self.x_frame_options.clone()),
            disable_security: self.disable_security_middleware,
            ..ServerOptions::default()
        }
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let listener = listen(&arguments.host, arguments.port).await?;
    let address = listener.local_addr().map_err(|error| Failure::runtime(error.to_string()))?;
    let open = OpenOptions {
        // As upstream: through this server, unless it does not pass artifacts on.
        default_artifact_root: arguments
            .default_artifact_root
            .clone()
            .or_else(|| (!arguments.no_serve_artifacts).then(|| "mlflow-artifacts:/".to_owned())),
        artifacts_destination: Some(arguments.artifacts_destination.clone()),
    };
    let tracking = trainyard_tracking::open(&arguments.backend_store_uri, open)
        .map_err(trainyard_pipeline::Error::from)?;
    if !address.ip().is_loopback() {
        printer::warning(&format!(
            "{address} can be reached from other machines and has no password; see SECURITY.md"
        ));
    }
    printer::terminal_hint(&format!("tracking at http://{address}, Ctrl-C stops it"));
    let pages = match &arguments.ui_dir {
        Some(folder) => trainyard_tracking::server::ui::pages(folder)
            .map_err(trainyard_pipeline::Error::from)?,
        None => trainyard_web::router_below(
            std::sync::Arc::clone(&tracking),
            arguments.static_prefix.as_deref().unwrap_or_default(),
        ),
    };
    trainyard_tracking::server::serve(
        listener,
        tracking,
        arguments.options(),
        pages,
        shutdown_signal(),
    )
    .await
    .map_err(|error| Failure::runtime(error.to_string()))?;
    Ok(ExitCode::SUCCESS)
}
