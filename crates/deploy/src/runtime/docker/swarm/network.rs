//! The overlay network of a service: its instances are in it on every node, and what they need (a tracking server in
//! the swarm, say) may join it.

use std::time::Duration;

use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptions};
use tokio::time::Instant;

use super::super::engine::Engine;
use super::owner::Owner;
use crate::error::{Error, Result};

/// How often a network that is being removed is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How long its removal may take: the last task must have left it, and the nodes must have heard of it.
const REMOVED_LIMIT: Duration = Duration::from_secs(30);

/// The service's own network, made if it is not there; its name.
pub(super) async fn provide(engine: &Engine, owner: &Owner) -> Result<String> {
    let name = owner.name();
    if is_there(engine, &name).await? {
        return Ok(name);
    }
    let request = NetworkCreateRequest {
        name: name.clone(),
        driver: Some("overlay".to_owned()),
        attachable: Some(true),
        labels: Some(owner.labels()),
        ..NetworkCreateRequest::default()
    };
    let doing = || format!("cannot create network {name}");
    // It is there when this is asked again after the daemon went away with the answer.
    engine.call_unless(&[409], doing, || engine.docker.create_network(request.clone())).await?;
    Ok(name)
}

/// Removes the networks of a deployment. Returns when they are gone, so that the next one may have their names.
pub(super) async fn remove_all(engine: &Engine, owner: &Owner) -> Result<()> {
    let options = ListNetworksOptions { filters: Some(owner.filters()) };
    let request = || engine.docker.list_networks(Some(options.clone()));
    let found = engine.call(|| "cannot list networks".to_owned(), request).await?;
    for name in found.into_iter().filter_map(|network| network.name) {
        remove(engine, &name).await?;
    }
    Ok(())
}

async fn remove(engine: &Engine, name: &str) -> Result<()> {
    let start = Instant::now();
    while is_there(engine, name).await? {
        if start.elapsed() > REMOVED_LIMIT {
            return Err(Error::Docker {
                doing: format!("cannot remove network {name}"),
                reason: "something is still in it".to_owned(),
                hint: format!("`docker network inspect {name}` says what; remove it by hand then"),
            });
        }
        // In use for a moment, or on its way already, for which engines have several statuses.
        let request = || engine.docker.remove_network(name);
        let doing = || format!("cannot remove network {name}");
        engine.call_unless(&[400, 403, 404, 409, 500], doing, request).await?;
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn is_there(engine: &Engine, name: &str) -> Result<bool> {
    let request = || engine.docker.inspect_network(name, None::<InspectNetworkOptions>);
    let doing = || format!("cannot inspect network {name}");
    Ok(engine.call_unless(&[404], doing, request).await?.is_some())
}
