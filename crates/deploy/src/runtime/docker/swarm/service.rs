//! One service of the swarm: made, found again, changed without a change of its task, ended.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::{Service, ServiceSpec, ServiceSpecMode, ServiceSpecModeReplicated};
use bollard::query_parameters::{
    InspectServiceOptions, ListServicesOptions, LogsOptions, UpdateServiceOptions,
};
use futures::{Stream, TryStreamExt as _};

use super::super::engine::{Engine, refused, status};
use super::super::labels::INSTANCE_LABEL;
use super::super::{image, output};
use super::owner::Owner;
use super::{ports, task};
use crate::error::{Error, Result};

/// The label of an instance that serves for good. It is one of the service alone: a change of it leaves the task as it is.
const KEPT_LABEL: &str = "trainyard.kept";

/// Somebody else may change a service between the look at it and the change.
const CHANGE_TRIES: u32 = 5;

/// How long the last words of a container may take on their way from its node.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The header of a piece of a log: which output it is of, and how long it is.
const HEADER_BYTES: usize = 8;
const OF_SWARM: u8 = 3;

/// Makes a service, which nodes fetch the image for with the credentials of here; its id.
pub(super) async fn create(engine: &Engine, image: &str, spec: &ServiceSpec) -> Result<String> {
    let docker = image::authorized(engine, image).await?;
    let name = spec.name.clone().unwrap_or_default();
    let doing = || format!("cannot create service {name}");
    let request = || Box::pin(docker.create_service(spec.clone(), None));
    // There already: asked again after the daemon went away with the answer, the name is ours alone.
    if let Some(created) = engine.call_unless(&[409], doing, request).await?
        && let Some(id) = created.id
    {
        return Ok(id);
    }
    let id = find(engine, &name).await?.and_then(|service| service.id);
    id.ok_or_else(|| Error::Docker {
        doing: doing(),
        reason: "it vanished".to_owned(),
        hint: "something else removes services of this swarm".to_owned(),
    })
}

/// A service by its id or its name; `None` when it is gone.
pub(super) async fn find(engine: &Engine, service: &str) -> Result<Option<Service>> {
    let request = || engine.docker.inspect_service(service, None::<InspectServiceOptions>);
    let doing = || format!("cannot inspect service {service}");
    // A service's description is large for a future.
    Box::pin(engine.call_unless(&[404], doing, request)).await
}

/// Services of a deployment: `(id of the instance, id of the service)`.
pub(super) async fn list(engine: &Engine, owner: &Owner) -> Result<Vec<(String, String)>> {
    let options = ListServicesOptions { filters: Some(owner.filters()), status: None };
    let found = all(engine, &options).await?;
    let mut services: Vec<(String, String)> = found
        .into_iter()
        .filter_map(|service| {
            let id = service.spec?.labels?.remove(INSTANCE_LABEL)?;
            Some((id, service.id?))
        })
        .collect();
    services.sort();
    Ok(services)
}

/// The ports that services of the swarm have, whoever made them.
pub(super) async fn published(engine: &Engine) -> Result<BTreeSet<u16>> {
    Ok(ports::published(&all(engine, &ListServicesOptions::default()).await?))
}

async fn all(engine: &Engine, options: &ListServicesOptions) -> Result<Vec<Service>> {
    let request = || engine.docker.list_services(Some(options.clone()));
    engine.call(|| "cannot list the services of the swarm".to_owned(), request).await
}

/// Whether it serves for good.
pub(super) fn is_kept(service: &Service) -> bool {
    let labels = service.spec.as_ref().and_then(|spec| spec.labels.as_ref());
    labels.is_some_and(|labels| labels.contains_key(KEPT_LABEL))
}

/// It serves for good from now on.
pub(super) async fn keep(engine: &Engine, service: &str) -> Result<()> {
    let keep = |spec: &mut ServiceSpec| {
        spec.labels.get_or_insert_default().insert(KEPT_LABEL.to_owned(), "true".to_owned());
    };
    change(engine, service, keep).await
}

/// What it prints: the last lines of all its tasks, and those to come if they are followed.
pub(super) fn logs(
    engine: &Engine,
    service: &str,
    options: LogsOptions,
) -> impl Stream<Item = std::result::Result<LogOutput, bollard::errors::Error>> + Send + Unpin {
    let options = LogsOptions { stdout: true, stderr: true, ..options };
    Box::pin(engine.docker.service_logs(service, Some(options)).map_ok(plain))
}

/// What Swarm says itself (of nodes that it cannot ask) has a header that the client library takes for text.
fn plain(part: LogOutput) -> LogOutput {
    match part {
        LogOutput::Console { message }
            if message.first() == Some(&OF_SWARM) && message.len() > HEADER_BYTES =>
        {
            LogOutput::Console { message: message.slice(HEADER_BYTES..) }
        }
        part => part,
    }
}

/// Ends its task, keeps its output in a file and removes it.
pub(super) async fn end(engine: &Engine, service: &str, log: &Path, grace: Duration) -> Result<()> {
    let mut words = Vec::new();
    {
        // Followed while it ends: its container goes with its task, and what it said with that.
        let options = LogsOptions {
            follow: true,
            tail: output::KEPT_LINES_MAX.to_string(),
            ..LogsOptions::default()
        };
        let mut listening =
            std::pin::pin!(output::gather(logs(engine, service, options), &mut words));
        let mut ending = std::pin::pin!(end_tasks(engine, service, grace));
        tokio::select! {
            // It is all that it said so far, where the engine does not follow.
            _told_or_not = &mut listening => ending.await?,
            ended = &mut ending => {
                ended?;
                // One that never ends has said all by then.
                let _heard_or_not = tokio::time::timeout(LAST_WORDS, listening).await;
            }
        }
    }
    // The service must go even where its last words cannot be kept.
    if let Err(error) = output::write(log, &words) {
        tracing::warn!(%error, service, "the log of a service is lost");
    }
    let doing = || format!("cannot remove service {service}");
    engine.call_unless(&[404], doing, || engine.docker.delete_service(service)).await?;
    Ok(())
}

async fn end_tasks(engine: &Engine, service: &str, grace: Duration) -> Result<()> {
    let end = |spec: &mut ServiceSpec| {
        let none = ServiceSpecModeReplicated { replicas: Some(0) };
        spec.mode = Some(ServiceSpecMode { replicated: Some(none), ..ServiceSpecMode::default() });
    };
    change(engine, service, end).await?;
    task::gone(engine, service, grace).await
}

/// Changes what Swarm was told of a service; nothing if it is gone.
async fn change(
    engine: &Engine,
    service: &str,
    apply: impl Fn(&mut ServiceSpec) + Send,
) -> Result<()> {
    let mut tries = 0;
    loop {
        let Some(found) = find(engine, service).await? else { return Ok(()) };
        let version = found.version.and_then(|version| version.index).unwrap_or_default();
        let mut spec = Box::new(found.spec.unwrap_or_default());
        apply(spec.as_mut());
        let options = UpdateServiceOptions {
            version: i32::try_from(version).unwrap_or(i32::MAX),
            ..UpdateServiceOptions::default()
        };
        let request = || {
            let spec = ServiceSpec::clone(&spec);
            Box::pin(engine.docker.update_service(service, spec, options.clone(), None))
        };
        tries += 1;
        match engine.ask(request).await {
            Ok(_warnings) => return Ok(()),
            Err(refusal) if status(&refusal) == Some(404) => return Ok(()),
            // Changed meanwhile, which engines say with different statuses: it is looked at again.
            Err(refusal) if status(&refusal).is_some() && tries < CHANGE_TRIES => {
                tracing::debug!(%refusal, service, "changed by somebody else");
            }
            Err(refusal) => {
                return Err(refused(format!("cannot change service {service}"), &refusal));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_swarm_says_itself_is_text() {
        let said = b"\x03\x00\x00\x00\x00\x00\x00\x1fnode q48f is not available\n";
        let console = |message: &'static [u8]| LogOutput::Console { message: message.into() };
        assert_eq!(plain(console(said)), console(b"node q48f is not available\n"));
        assert_eq!(plain(console(b"listens")), console(b"listens"));
    }
}
