//! The project's deployment as a service: its name, its folder, what its gateway is told.

use trainyard_deploy::Service;

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
