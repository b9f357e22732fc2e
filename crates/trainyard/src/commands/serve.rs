//! `trainyard serve`: the model server.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use trainyard_mlflow::model::MlModel;
use trainyard_mlflow::uri::ModelUri;
use trainyard_mlflow::{Tracking, resolve};
use trainyard_serve::{LogOptions, ModelSource, ServeOptions};
use trainyard_tracking::OpenOptions;

use super::{listen, shutdown_signal};
use crate::failure::Failure;
use crate::printer;

/// Serve a model over HTTP and follow its alias.
///
/// POST /predict takes records; POST /invocations is MLflow's scoring protocol; GET /health answers
/// 200 only when the model is loaded and has reproduced its own input example.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  MODEL_NAME=IrisClassifier MODEL_STAGE=Production trainyard serve\n  trainyard serve --model-uri models:/IrisClassifier/3 --port 8080"
)]
pub(crate) struct Arguments {
    /// Model: a folder, models:/Name@alias, models:/Name/3, runs:/ID/path
    #[arg(long, short, value_name = "URI", conflicts_with = "model_name", help_heading = "Model")]
    model_uri: Option<String>,
    /// Registered model
    #[arg(long, env = "MODEL_NAME", value_name = "NAME", help_heading = "Model")]
    model_name: Option<String>,
    /// Alias (or legacy stage) of the version to serve and follow
    #[arg(
        long,
        env = "MODEL_STAGE",
        default_value = "Production",
        value_name = "ALIAS",
        help_heading = "Model"
    )]
    model_stage: String,
    /// Tracking server or database
    #[arg(
        long,
        env = "MLFLOW_TRACKING_URI",
        hide_env_values = true,
        default_value = "sqlite:///mlflow.db",
        value_name = "URI",
        help_heading = "Model"
    )]
    tracking_uri: String,
    /// How often the alias is looked up
    #[arg(long, default_value = "5s", value_parser = humantime::parse_duration, value_name = "TIME", help_heading = "Model")]
    poll: Duration,
    /// Start even if the model or the registry is not there yet, and keep looking
    #[arg(long, help_heading = "Model")]
    wait: bool,
    /// Cast values as MLflow's server does, even where that loses information
    #[arg(long, help_heading = "Model")]
    lenient: bool,
    /// Address to listen on
    #[arg(long, env = "TRAINYARD_HOST", default_value = "127.0.0.1", help_heading = "Listening")]
    host: String,
    /// Port to listen on; 0 picks a free one
    #[arg(long, short, env = "TRAINYARD_PORT", default_value_t = 8080, help_heading = "Listening")]
    port: u16,
    /// File with the bearer token that requests must carry
    #[arg(long, env = "TRAINYARD_TOKEN_FILE", value_name = "FILE", help_heading = "Listening")]
    token_file: Option<PathBuf>,
    /// Folder that requests and predictions are logged to, as Parquet
    #[arg(long, env = "TRAINYARD_PREDICTION_LOG", value_name = "DIR", help_heading = "Logging")]
    prediction_log: Option<PathBuf>,
}

/// A token is a line of text; more is not a token file.
const TOKEN_BYTES_MAX: usize = 4096;

impl Arguments {
    fn options(&self) -> Result<ServeOptions, Failure> {
        let source = match (&self.model_uri, &self.model_name) {
            (Some(uri), _) => {
                ModelSource::Uri(uri.parse::<ModelUri>().map_err(trainyard_pipeline::Error::from)?)
            }
            (None, Some(name)) => {
                ModelSource::Registry { name: name.clone(), stage: self.model_stage.clone() }
            }
            (None, None) => {
                return Err(Failure::input("no model to serve")
                    .hint("set MODEL_NAME (and MODEL_STAGE), or give --model-uri"));
            }
        };
        let mut options = ServeOptions::new(source);
        options.lenient = self.lenient;
        options.poll_interval = self.poll;
        options.log = self.prediction_log.as_ref().map(LogOptions::new);
        options.token = self.token_file.as_deref().map(read_token).transpose()?;
        Ok(options)
    }
}

fn read_token(path: &std::path::Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
    let token = text.trim();
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
        return Err(Failure::input(format!(
            "{} holds no token: one line of at most {TOKEN_BYTES_MAX} bytes is wanted",
            path.display()
        )));
    }
    Ok(token.to_owned())
}

/// Fails at once where the model cannot be found: a server that starts all the same would only
/// say so in its health.
async fn find(source: &ModelSource, tracking: Option<&dyn Tracking>) -> Result<(), Failure> {
    let found = match (source, tracking) {
        (ModelSource::Uri(ModelUri::Folder(folder)), _) => MlModel::read(folder).map(drop),
        (ModelSource::Uri(uri), Some(tracking)) => resolve::resolve(tracking, uri).await.map(drop),
        (ModelSource::Registry { name, stage }, Some(tracking)) => {
            resolve::resolve_stage(tracking, name, stage).await.map(drop)
        }
        (_, None) => Ok(()),
    };
    found.map_err(|error| match error {
        trainyard_mlflow::Error::Io { path, source } => Failure::input(format!("{path}: {source}"))
            .hint("give the folder of a model, the one with the file MLmodel in it"),
        other => trainyard_pipeline::Error::from(other).into(),
    })
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let options = arguments.options()?;
    let listener = listen(&arguments.host, arguments.port).await?;
    let address = listener.local_addr().map_err(|error| Failure::runtime(error.to_string()))?;
    let tracking = if matches!(options.source, ModelSource::Uri(ModelUri::Folder(_))) {
        None
    } else {
        let tracking = trainyard_tracking::open(&arguments.tracking_uri, OpenOptions::default())
            .map_err(trainyard_pipeline::Error::from)?;
        Some(tracking)
    };
    if !arguments.wait {
        find(&options.source, tracking.as_deref()).await?;
    }
    printer::terminal_hint(&format!(
        "{} at http://{address}, Ctrl-C stops it",
        options.source.describe()
    ));
    trainyard_serve::serve(listener, tracking, options, shutdown_signal())
        .await
        .map_err(trainyard_pipeline::Error::from)?;
    Ok(ExitCode::SUCCESS)
}
