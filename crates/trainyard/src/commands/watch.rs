//! The part of `trainyard run --watch` that goes on until Ctrl-C.

use trainyard_mlflow::Tracking;
use trainyard_pipeline::{DriftSummary, Project, RunOptions, Turn};

use crate::failure::Failure;
use crate::printer;

/// Looks for drift and trains anew until `shutdown`.
pub(super) async fn until_stopped(
    project: &Project,
    tracking: &Tracking,
    options: &RunOptions,
    progress: &(dyn Fn(trainyard_pipeline::Event) + Send + Sync),
    shutdown: impl Future<Output = ()>,
) -> Result<(), Failure> {
    printer::hint("looking for drift until Ctrl-C; the deployment stays up meanwhile");
    let watching = trainyard_pipeline::watch(project, tracking, options, progress, &tell);
    tokio::select! {
        ended = watching => ended.map_err(Failure::from),
        () = shutdown => Ok(()),
    }
}

/// A line for each look.
fn tell(turn: &Turn) {
    let time = chrono::Local::now().format("%H:%M:%S");
    let drifted = DriftSummary::sentence;
    let text = match turn {
        Turn::TooFew { rows, wanted } => {
            format!("{rows} requests so far, {wanted} are needed to look for drift")
        }
        Turn::Steady(drift) => drifted(drift),
        Turn::Broken(drift) => {
            format!("{}; not trained: nobody can tell what changed", drifted(drift))
        }
        Turn::Held { drift, reason } => format!("{}; not trained: {reason}", drifted(drift)),
        Turn::Retrained { drift, summary } => {
            format!("{}; version {} serves now", drifted(drift), summary.model.version)
        }
        Turn::Refused { drift, error } => {
            format!("{}; trained, but {}", drifted(drift), error.message())
        }
        Turn::Failed(error) => format!("could not look for drift: {}", error.message()),
    };
    printer::line(&format!("{time}  {text}"));
}
