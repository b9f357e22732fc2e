//! The project's deployment as a service: its name, its folder, what its gateway is told.

use std::net::SocketAddr;
use std::path::PathBuf;

use trainyard_deploy::gateway::{GatewaySettings, Limits, TlsFiles};
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
    service.gateway = gateway(project);
    service
}

/// The token that the instance at this address asks for, if it asks for one.
pub(crate) fn token_at(project: &Project, address: SocketAddr) -> Option<InstanceToken> {
    let spec = trainyard_deploy::spec_at(&service(project), address).ok().flatten();
    spec.and_then(|spec| spec.token())
}

/// What `[deploy]` says of the gateway; its paths are relative to the project.
fn gateway(project: &Project) -> GatewaySettings {
    let config = &project.config.deploy;
    let usual = GatewaySettings::default();
    let path = |path: &PathBuf| project.path(path);
    let files = config.tls_cert.as_ref().zip(config.tls_key.as_ref());
    GatewaySettings {
        access_log: config.access_log,
        metrics_listen: config.metrics_listen,
        operator_listen: config.operator_listen,
        exposed: config.expose.clone(),
        open: config.open.clone().unwrap_or(usual.open),
        limits: Limits {
            response_timeout: config.response_timeout.unwrap_or(usual.limits.response_timeout),
            max_connections: config.max_connections.unwrap_or(usual.limits.max_connections),
            max_per_address: config.max_per_address,
            ..usual.limits
        },
        tls: files
            .map(|(certificate, key)| TlsFiles { certificate: path(certificate), key: path(key) }),
        acme: config.acme.as_ref().map(|acme| acme.settings(path)),
        client_ca: config.client_ca.as_ref().map(path),
        tokens_file: config.tokens_file.as_ref().map(path),
        redirect_http: config.redirect_http,
    }
}
