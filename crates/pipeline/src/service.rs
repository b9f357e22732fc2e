//! The project's deployment as a service: its name, its folder, what its gateway is told.

use std::net::SocketAddr;

use trainyard_deploy::{InstanceToken, Service};

use crate::Project;

/// The project's deployment.
pub fn service(project: &Project) -> Service {
    // Registered models may have any name; a folder may not.
    let name: String = project
        .config
        .model
        .name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let name = format!("m{}", name.get(..name.len().min(60)).unwrap_or_default());
    let config = &project.config.deploy;
    let mut service = Service::new(name, project.state_folder().join("deploy"), config.listen);
    service.access_log = config.access_log;
    service.metrics_listen = config.metrics_listen;
    service.operator_listen = config.operator_listen;
    service.exposed.clone_from(&config.expose);
    service.response_timeout = config.response_timeout;
    service.max_connections = config.max_connections;
    service.max_per_address = config.max_per_address;
    service
}

/// The token that the instance at this address asks for, if it asks for one.
pub(crate) fn token_at(project: &Project, address: SocketAddr) -> Option<InstanceToken> {
    let spec = trainyard_deploy::spec_at(&service(project), address).ok().flatten();
    spec.and_then(|spec| spec.token())
}
