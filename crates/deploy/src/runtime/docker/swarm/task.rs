//! Tasks of the swarm: listed, waited for until Swarm has placed one, and until all are gone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use bollard::models::Task;
use bollard::query_parameters::ListTasksOptions;
use tokio::time::Instant;

use super::super::engine::Engine;
use super::judge::{current, lives, waits};
use super::node;
use crate::error::Result;

/// How often the swarm is asked for what is waited for.
const LOOK: Duration = Duration::from_millis(100);

/// Time for a node to be found: a scheduler that has one needs milliseconds, and one that has none says why.
const PLACED_LIMIT: Duration = Duration::from_secs(10);

/// Time for a node to end what it was told to, beyond the grace of the program.
const GONE_LIMIT: Duration = Duration::from_mins(1);

/// Where Swarm put a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Placed {
    /// On a node with this address.
    At(IpAddr),
    /// Nowhere yet, and why.
    Nowhere(String),
}

/// The tasks of a service that is there.
pub(super) async fn of_service(engine: &Engine, service: &str) -> Result<Vec<Task>> {
    list(engine, [("service".to_owned(), vec![service.to_owned()])].into()).await
}

async fn list(engine: &Engine, filters: HashMap<String, Vec<String>>) -> Result<Vec<Task>> {
    let options = ListTasksOptions { filters: Some(filters) };
    let request = || engine.docker.list_tasks(Some(options.clone()));
    let doing = || "cannot list the tasks of the swarm".to_owned();
    // Gone with its service.
    let found = engine.call_unless(&[404], doing, request).await?;
    Ok(found.unwrap_or_default())
}

/// Waits until Swarm has chosen a node.
pub(super) async fn placed(engine: &Engine, service: &str) -> Result<Placed> {
    let start = Instant::now();
    loop {
        let tasks = of_service(engine, service).await?;
        let task = current(&tasks);
        if let Some(address) = address(engine, task).await? {
            return Ok(Placed::At(address));
        }
        if start.elapsed() > PLACED_LIMIT {
            let why = task.map_or_else(|| "it has made no task of it".to_owned(), waits);
            return Ok(Placed::Nowhere(why));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The address of the node that a task is on, if it is on one.
pub(super) async fn address(engine: &Engine, task: Option<&Task>) -> Result<Option<IpAddr>> {
    match task.and_then(|task| task.node_id.as_deref()).filter(|node| !node.is_empty()) {
        Some(node) => node::address(engine, node).await,
        None => Ok(None),
    }
}

/// Waits until no container of a service is left, where its nodes can tell.
pub(super) async fn gone(engine: &Engine, service: &str, grace: Duration) -> Result<()> {
    let start = Instant::now();
    loop {
        let tasks = of_service(engine, service).await?;
        let mut is_left = false;
        for task in tasks.iter().filter(|task| lives(task)) {
            let node = task.node_id.as_deref().filter(|node| !node.is_empty());
            is_left |= match node {
                // One that is away is not waited for: it ends them when it is back.
                Some(node) => node::is_ready(engine, node).await?,
                None => false,
            };
        }
        if !is_left {
            return Ok(());
        }
        if start.elapsed() > grace + GONE_LIMIT {
            tracing::warn!(service, "a node of the swarm has not ended its container yet");
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}
