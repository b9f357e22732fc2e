//! One container: looked at, started, ended.

use std::path::Path;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, ContainerState};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, ListContainersOptions, RemoveContainerOptions,
    StartContainerOptions, StopContainerOptions,
};

use super::engine::{Engine, status};
use super::labels::{INSTANCE_LABEL, service_filter};
use super::output;
use crate::error::Result;

/// Containers of a service, in whatever state: `(id of the instance, id of the container)`.
pub(super) async fn list(engine: &Engine, service_root: &Path) -> Result<Vec<(String, String)>> {
    let filters = [("label".to_owned(), vec![service_filter(service_root)])];
    let options = ListContainersOptions {
        all: true,
        filters: Some(filters.into()),
        ..ListContainersOptions::default()
    };
    let request = || engine.docker.list_containers(Some(options.clone()));
    let found = engine.call(|| "cannot list containers".to_owned(), request).await?;
    let mut containers: Vec<(String, String)> = found
        .into_iter()
        .filter_map(|container| {
            let id = container.labels?.remove(INSTANCE_LABEL)?;
            Some((id, container.id?))
        })
        .collect();
    containers.sort();
    Ok(containers)
}

/// Creates a container and starts it, or says what the engine has against it.
pub(super) async fn start(
    engine: &Engine,
    name: &str,
    body: &ContainerCreateBody,
) -> Result<(), bollard::errors::Error> {
    let options = CreateContainerOptions { name: Some(name.to_owned()), ..Default::default() };
    let created = || engine.docker.create_container(Some(options.clone()), body.clone());
    match engine.ask(created).await {
        Ok(_) => {}
        // Asked again after the daemon went away with the answer: the name is ours alone.
        Err(refusal) if status(&refusal) == Some(409) => {}
        Err(refusal) => return Err(refusal),
    }
    engine.ask(|| engine.docker.start_container(name, None::<StartContainerOptions>)).await
}

/// Id and state of a container; `None` when it is gone.
pub(super) async fn inspect(
    engine: &Engine,
    container: &str,
) -> Result<Option<(String, ContainerState)>> {
    let request = || engine.docker.inspect_container(container, None::<InspectContainerOptions>);
    let doing = || format!("cannot inspect container {container}");
    let found = engine.call_unless(&[404], doing, request).await?;
    Ok(found.map(|found| (found.id.unwrap_or_default(), found.state.unwrap_or_default())))
}

/// Starts a container that ended again, with the address that it had. One that runs is left as it is.
pub(super) async fn resume(engine: &Engine, container: &str) -> Result<()> {
    let request = || engine.docker.start_container(container, None::<StartContainerOptions>);
    let doing = || format!("cannot start container {container} again");
    engine.call_unless(&[304], doing, request).await?;
    Ok(())
}

/// Stops a container, keeps its output in a file and removes it.
pub(super) async fn end(
    engine: &Engine,
    container: &str,
    log: &Path,
    grace: Duration,
) -> Result<()> {
    let seconds = i32::try_from(grace.as_secs().max(1)).unwrap_or(i32::MAX);
    let options = StopContainerOptions { t: Some(seconds), signal: None };
    let patient = engine.docker.clone().with_timeout(grace + Duration::from_mins(1));
    // Gone, or ended before.
    let request = || patient.stop_container(container, Some(options.clone()));
    let doing = || format!("cannot stop container {container}");
    engine.call_unless(&[304, 404], doing, request).await?;
    // The container must go even where its last words cannot be kept.
    if let Err(error) = output::keep(engine, container, log).await {
        tracing::warn!(%error, container, "the log of a container is lost");
    }
    discard(engine, container).await
}

/// Removes a container, whatever it does.
pub(super) async fn discard(engine: &Engine, container: &str) -> Result<()> {
    let options = RemoveContainerOptions { force: true, v: true, link: false };
    let request = || engine.docker.remove_container(container, Some(options.clone()));
    // Gone, or somebody else is removing it.
    let doing = || format!("cannot remove container {container}");
    engine.call_unless(&[404, 409], doing, request).await?;
    Ok(())
}
