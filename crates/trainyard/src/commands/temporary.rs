//! Temporary files that do not outlive their command.

use std::process::ExitCode;

use tokio::runtime::Handle;
use trainyard_base::TemporaryFolder;

use super::shutdown_signal;
use crate::failure::Failure;

/// What shells say of a program that was interrupted.
const INTERRUPTED: u8 = 130;

/// Does work whose temporary files lie in a folder of their own. It is gone afterwards, also when the
/// work is interrupted: data larger than memory would fill a disk in a few nights.
pub(crate) async fn within(
    work: impl Future<Output = Result<ExitCode, Failure>> + Send + 'static,
) -> Result<ExitCode, Failure> {
    let folder = TemporaryFolder::create("data")
        .map_err(|error| Failure::runtime(format!("no room for temporary files: {error}")))?;
    if tempfile::env::override_temp_dir(folder.path()).is_err() {
        return work.await;
    }
    // On a thread for work that blocks: it computes, and where there is one processor the runtime has a single
    // thread of its own, which would not hear of a signal meanwhile.
    let runtime = Handle::current();
    let work = tokio::task::spawn_blocking(move || runtime.block_on(work));
    tokio::select! {
        outcome = work => outcome.map_err(|error| Failure::runtime(error.to_string()))?,
        () = shutdown_signal() => Ok(ExitCode::from(INTERRUPTED)),
    }
}
