//! The last predictions of the version that serves.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;

use crate::monitor::{LogFilter, last_logged};
use crate::{Project, Result, traffic};

/// How long a model server that may have predicted nothing is waited for: a few of its writer's ticks.
const FLUSH_DELAY: Duration = Duration::from_millis(600);

/// Between two looks.
const LOG_PAUSE: Duration = Duration::from_millis(100);

/// The last rows that were predicted, at most so many, as tables from the newest on. The instance that serves
/// is asked for what it has not written yet.
pub(super) async fn last_predictions(
    project: &Project,
    server: SocketAddr,
    filter: &LogFilter,
    rows_max: usize,
) -> Result<Vec<RecordBatch>> {
    // One that cannot be asked has written its log all the same.
    let is_asked = traffic::flush_log(project, server).await.is_ok();
    let rows = filter.rows();
    let started = Instant::now();
    loop {
        let (folder, rows) = (project.prediction_log(), rows.clone());
        let reading = tokio::task::spawn_blocking(move || last_logged(&folder, &rows, rows_max));
        let tables = reading.await.unwrap_or_else(|_panicked| Ok(Vec::new()))?;
        if !tables.is_empty() || !is_asked || started.elapsed() > FLUSH_DELAY {
            return Ok(tables);
        }
        tokio::time::sleep(LOG_PAUSE).await;
    }
}
