//! What a project's deployment predicted: its log, waited for where the last predictions are still on the way.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use trainyard_data::RowFilter;
use trainyard_deploy::Role;

use super::log::{self, LogFilter};
use crate::deploy::Deployed;
use crate::service::service;
use crate::{Error, Project, Result, traffic};

/// How long a served prediction may take until the log's readers see it.
const LOG_DEADLINE: Duration = Duration::from_secs(20);
const LOG_PAUSE: Duration = Duration::from_millis(100);

/// How long a model server may take from being asked for its log until readers see it.
const LOG_DELAY: Duration = Duration::from_secs(2);

/// Predictions are logged beside the answers, not before them: waits until the last is there.
pub(crate) async fn wait_for_log(
    project: &Project,
    deployed: &Deployed,
    filter: &LogFilter,
    rows: usize,
) -> Result<()> {
    let started = Instant::now();
    let mut further = serving(project).await;
    further.retain(|address| *address != deployed.address);
    loop {
        // Each time: what was still queued at one flush is visible after the next.
        traffic::flush_log(project, deployed.address).await?;
        for address in &further {
            // One that cannot be asked has written its log all the same.
            let _flushed_or_gone = traffic::flush_log(project, *address).await;
        }
        let seen =
            read_log(project, filter, &RowFilter::default())?.map_or(0, |table| table.num_rows());
        if seen >= rows {
            return Ok(());
        }
        if started.elapsed() > LOG_DEADLINE {
            return Err(Error::LogLacks { answered: rows, seen });
        }
        tokio::time::sleep(LOG_PAUSE).await;
    }
}

/// What the deployment's servers logged, as far as the filters want it; none if that is nothing.
fn read_log(
    project: &Project,
    filter: &LogFilter,
    rows: &RowFilter,
) -> Result<Option<RecordBatch>> {
    log::read(&project.prediction_log(), &filter.over(rows))
}

/// Where the instances of the release that serves answer; each has a log of its own.
async fn serving(project: &Project) -> Vec<SocketAddr> {
    let status = trainyard_deploy::status(&service(project)).await;
    let all = status.map(|status| status.instances).unwrap_or_default();
    let serving = all.into_iter().filter(|one| one.role == Role::Current && one.running);
    serving.filter_map(|one| one.address).collect()
}

/// What was predicted, with the last predictions of a deployment that is up: it is asked for them, and
/// where they are all that there is they are waited for.
pub(super) async fn served_log(
    project: &Project,
    filter: &LogFilter,
    rows: &RowFilter,
) -> Result<Option<RecordBatch>> {
    let mut is_up = false;
    for address in serving(project).await {
        // One that cannot be asked has written its log all the same.
        is_up |= traffic::flush_log(project, address).await.is_ok();
    }
    let started = Instant::now();
    loop {
        let log = read_log(project, filter, rows)?;
        if log.is_some() || !is_up || started.elapsed() > LOG_DELAY {
            return Ok(log);
        }
        tokio::time::sleep(LOG_PAUSE).await;
    }
}
