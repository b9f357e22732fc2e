//! The part of `trainyard run --watch` that goes on until Ctrl-C.

use trainyard_mlflow::Tracking;
use trainyard_pipeline::{Project, RunOptions, Turn};

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
    printer::hint(
        "looking for drift until Ctrl-C; the deployment stays up, also after that (`trainyard deploy stop` ends it)",
    );
    let watching = trainyard_pipeline::watch(project, tracking, options, progress, &tell);
    tokio::select! {
        ended = watching => ended.map_err(Failure::from),
        () = shutdown => Ok(()),
    }
}

/// A line for each look.
fn tell(turn: &Turn) {
    let time = chrono::Local::now().format("%H:%M:%S");
    printer::line(&format!("{time}  {}", turn.sentence()));
}
