//! `trainyard server gc`: removes for good what was deleted, as `mlflow gc` does.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use trainyard_tracking::removal::{self, Selection, Step};
use trainyard_tracking::{Lending, OpenOptions, Opening};

use super::backend_store::BackendStore;
use crate::failure::Failure;
use crate::printer;

/// What is to go, and from where.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only what was deleted at least so long ago: 30d, 1d2h3m4s, 1.5d
    #[arg(long, value_parser = age, value_name = "AGE")]
    older_than: Option<Duration>,
    /// Only these runs, separated by commas. If runs, experiments or logged models are named, nothing else goes
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    run_ids: Vec<String>,
    /// Only these experiments, with their runs and logged models
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    experiment_ids: Vec<String>,
    /// Only these logged models
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    logged_model_ids: Vec<String>,
    /// Say what would go, and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    store: BackendStore,
    /// Database of registered models and versions, if it is another one
    #[arg(long, env = "MLFLOW_REGISTRY_STORE_URI", value_name = "URI")]
    registry_store_uri: Option<String>,
    /// Where mlflow-artifacts:/ is kept
    #[arg(
        long,
        env = "MLFLOW_ARTIFACTS_DESTINATION",
        default_value = "./mlartifacts",
        value_name = "URI"
    )]
    artifacts_destination: String,
    /// Root of experiments' artifacts, if it is not mlflow-artifacts:/
    #[arg(long, env = "MLFLOW_DEFAULT_ARTIFACT_ROOT", value_name = "URI")]
    default_artifact_root: Option<String>,
    /// Where files may be removed besides these two, as for `trainyard server`
    #[arg(
        long = "allowed-artifact-root",
        env = "TRAINYARD_ALLOWED_ARTIFACT_ROOTS",
        value_delimiter = ',',
        value_name = "URIS"
    )]
    allowed_artifact_roots: Vec<String>,
    /// Of `mlflow gc`, which asks a server for the artifacts; here the database says where they are
    #[arg(long, hide = true)]
    tracking_uri: Option<String>,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.tracking_uri.is_some() {
        printer::note("--tracking-uri changes nothing: no server is asked for the artifacts");
    }
    let root = arguments.default_artifact_root.clone();
    let opening = Opening {
        uri: arguments.store.uri()?,
        options: OpenOptions {
            default_artifact_root: root.or_else(|| Some("mlflow-artifacts:/".to_owned())),
            artifacts_destination: Some(arguments.artifacts_destination.clone()),
            ..OpenOptions::default()
        },
        lending: Lending {
            registry_uri: arguments.registry_store_uri.clone(),
            artifact_roots: named(&arguments.allowed_artifact_roots),
            private_files: arguments.store.file().cloned().into_iter().collect(),
        },
    };
    let selection = Selection {
        older_than: arguments.older_than.unwrap_or_default(),
        run_ids: named(&arguments.run_ids),
        experiment_ids: named(&arguments.experiment_ids),
        logged_model_ids: named(&arguments.logged_model_ids),
        is_trial: arguments.dry_run,
    };
    let mut left = 0_usize;
    let tell = |step: Step| match (&step, arguments.dry_run) {
        (Step::Removed { kind, id }, true) => {
            printer::line(&format!("{kind} with ID {id} would be permanently deleted."));
        }
        (Step::Removed { .. }, false) => printer::line(&step.to_string()),
        (Step::Kept { .. }, _) => printer::note(&step.to_string()),
        (Step::FilesLeft { .. }, _) => {
            left += 1;
            printer::warning(&step.to_string());
        }
    };
    removal::remove(&opening, &selection, tell).await?;
    if left > 0 {
        let message = format!("files of {left} of what was removed are still there");
        let hint = "the lines above say where and why; nothing speaks of them any more, so another `gc` does not find \
                    them: remove what no version is made of by hand";
        return Err(Failure::runtime(message).hint(hint));
    }
    Ok(ExitCode::SUCCESS)
}

/// Without what is empty, as a variable or a trailing comma leaves it.
fn named(values: &[String]) -> Vec<String> {
    values.iter().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
}

/// Upstream's ages: numbers, also with a fraction, of days, hours, minutes and seconds, in this order.
fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no age; write 30d, 8h or 2d8h5m20s");
    let (mut rest, mut seconds, mut number_of_parts) = (text, 0.0, 0);
    for (unit, length) in [('d', 86_400.0), ('h', 3_600.0), ('m', 60.0), ('s', 1.0)] {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        seconds += number.parse::<f64>().map_err(|_no_number| wrong())? * length;
        (rest, number_of_parts) = (after, number_of_parts + 1);
    }
    if number_of_parts == 0 || !rest.is_empty() {
        return Err(wrong());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_out_of_range| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_upstreams() {
        for (text, seconds) in [
            ("30d", 2_592_000.0),
            ("8h", 28_800.0),
            ("2d8h5m20s", 201_920.0),
            ("1.5d", 129_600.0),
            ("0s", 0.0),
        ] {
            assert_eq!(age(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "d", "5", "5x", "-1d", "1h2d", "1d 2h"] {
            assert!(age(text).unwrap_err().contains(&format!("{text:?}")), "{text}");
        }
    }
}
