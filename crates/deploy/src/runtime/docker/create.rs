//! From a release to what the engine is asked to create.

use std::net::{IpAddr, SocketAddr};

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig,
    HostConfigLogConfig, Mount, MountType, NetworkingConfig, PortBinding, RestartPolicy,
    RestartPolicyNameEnum,
};

use super::labels::{INSTANCE_LABEL, labels, service_name};
use crate::runtime::instance::{InstanceSpec, fill};
use crate::workload::{ContainerSpec, Network};

/// Processes and threads of a container: more is a runaway.
pub(super) const PROCESSES_MAX: i64 = 4096;

/// A container's output is kept by the engine in files of this size, this many of them.
pub(super) const LOG_FILE_SIZE: &str = "10m";
pub(super) const LOG_FILES: &str = "3";

/// The first version of the API that can look more often while a container starts.
pub(super) const START_INTERVAL_SINCE: usize = 44;

/// Nanoseconds between two health checks of a container that is starting.
pub(super) const START_INTERVAL: i64 = 500_000_000;

/// What to create. `address` is where the instance answers on this machine.
pub(super) fn body(
    spec: &InstanceSpec<'_>,
    container: &ContainerSpec,
    address: SocketAddr,
    api_minor: usize,
) -> ContainerCreateBody {
    let release = spec.release;
    let published = matches!(container.network, Network::Named(_));
    // What the program itself listens on.
    let inside = if published { SocketAddr::from(([0, 0, 0, 0], container.port)) } else { address };
    let name = service_name(spec.service_root);
    let fill = |text: &str| fill(text, inside);
    let mut env: Vec<String> =
        release.env.iter().map(|(name, value)| format!("{name}={}", fill(value))).collect();
    if let Some(variable) = &release.port_env {
        env.push(format!("{variable}={}", inside.port()));
    }
    let mut labels = labels(spec.service_root);
    labels.insert(INSTANCE_LABEL.to_owned(), spec.id.to_owned());
    for (key, value) in &release.label {
        labels.insert(format!("trainyard.{key}"), value.clone());
    }
    let port = format!("{}/tcp", container.port);
    let args: Vec<String> = release.args.iter().map(|argument| fill(argument)).collect();
    ContainerCreateBody {
        image: Some(container.image.clone()),
        // Without arguments the image's own are used.
        cmd: (!args.is_empty()).then_some(args),
        env: Some(env),
        user: container.user.clone(),
        working_dir: release.working_dir.as_ref().map(|folder| folder.display().to_string()),
        labels: Some(labels),
        exposed_ports: published.then(|| vec![port.clone()]),
        stop_timeout: i64::try_from(release.stop_grace.as_secs()).ok(),
        healthcheck: (api_minor >= START_INTERVAL_SINCE).then(|| HealthConfig {
            start_interval: Some(START_INTERVAL),
            ..HealthConfig::default()
        }),
        networking_config: (container.network == Network::Own).then(|| NetworkingConfig {
            endpoints_config: Some([(name, fixed(address.ip()))].into()),
        }),
        host_config: Some(host_config(spec, container, address, published.then_some(port))),
        ..ContainerCreateBody::default()
    }
}

/// An endpoint whose address stays the same when the container is started again.
fn fixed(address: IpAddr) -> EndpointSettings {
    let ipam_config =
        EndpointIpamConfig { ipv4_address: Some(address.to_string()), ..Default::default() };
    EndpointSettings { ipam_config: Some(ipam_config), ..EndpointSettings::default() }
}

/// How `/tmp` is mounted. What is in it counts as memory: a program that fills half of that is told so
/// when it writes, instead of being killed.
fn temporary_folder(memory: Option<i64>) -> String {
    let usual = "rw,nosuid,nodev,noexec";
    memory.map_or_else(|| usual.to_owned(), |bytes| format!("{usual},size={}", bytes / 2))
}

fn host_config(
    spec: &InstanceSpec<'_>,
    container: &ContainerSpec,
    address: SocketAddr,
    published: Option<String>,
) -> HostConfig {
    let network = match &container.network {
        Network::Host => "host".to_owned(),
        Network::Own => service_name(spec.service_root),
        Network::Named(name) => name.clone(),
    };
    let ports = published.map(|port| {
        // On this machine alone: clients come through the gateway.
        let binding = PortBinding {
            host_ip: Some(address.ip().to_string()),
            host_port: Some(address.port().to_string()),
        };
        [(port, Some(vec![binding]))].into_iter().collect()
    });
    let mounts = container.mounts.iter().map(|mount| Mount {
        typ: Some(MountType::BIND),
        source: Some(mount.source.display().to_string()),
        target: Some(mount.target.display().to_string()),
        read_only: Some(mount.read_only),
        ..Mount::default()
    });
    let bytes = container.memory_bytes.and_then(|bytes| i64::try_from(bytes).ok());
    let log = [("max-size", LOG_FILE_SIZE), ("max-file", LOG_FILES)];
    HostConfig {
        network_mode: Some(network),
        port_bindings: ports,
        mounts: Some(mounts.collect()),
        memory: bytes,
        // The same as memory: no swap, a model server that swaps is as good as dead.
        memory_swap: bytes,
        nano_cpus: container.nano_cpus.and_then(|cpus| i64::try_from(cpus).ok()),
        pids_limit: Some(PROCESSES_MAX),
        readonly_rootfs: Some(true),
        tmpfs: Some([("/tmp".to_owned(), temporary_folder(bytes))].into()),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(
                log.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect(),
            ),
        }),
        // A crash while it is judged must be seen, not repaired.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        ..HostConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::labels::SERVICE_LABEL;
    use super::*;
    use crate::release::ReleaseSpec;
    use crate::workload::{BindMount, Workload};

    const SERVICE: &str = "/s/iris";

    fn created(network: Network, address: ([u8; 4], u16), api_minor: usize) -> ContainerCreateBody {
        let mut container = ContainerSpec::new("iris:1");
        container.network = network;
        container.memory_bytes = Some(64 << 20);
        container.nano_cpus = Some(500_000_000);
        container.mounts.push(BindMount {
            source: "/models".into(),
            target: "/models".into(),
            read_only: true,
        });
        let mut release = ReleaseSpec::new(Workload::Container(container.clone()));
        release.env.push(("TRAINYARD_PORT".to_owned(), "{port}".to_owned()));
        release.label.insert("version".to_owned(), "3".to_owned());
        let service_root = Path::new(SERVICE);
        let spec = InstanceSpec { id: "r1", service_root, release: &release };
        body(&spec, &container, address.into(), api_minor)
    }

    #[test]
    fn a_container_is_locked_down_and_labelled() {
        let body = created(Network::Named("shop".to_owned()), ([127, 0, 0, 1], 4711), 41);
        let labels = body.labels.unwrap();
        assert_eq!(labels[SERVICE_LABEL], "/s/iris");
        assert_eq!(labels[INSTANCE_LABEL], "r1");
        assert_eq!(labels["trainyard.version"], "3");
        assert!(body.env.unwrap().contains(&"TRAINYARD_PORT=8080".to_owned()));
        assert!(body.healthcheck.is_none() && body.cmd.is_none());
        let host = body.host_config.unwrap();
        assert_eq!((host.memory, host.memory_swap), (Some(64 << 20), Some(64 << 20)));
        assert_eq!(host.nano_cpus, Some(500_000_000));
        assert_eq!(host.readonly_rootfs, Some(true));
        assert_eq!(host.cap_drop.unwrap(), ["ALL"]);
        let ports = host.port_bindings.unwrap();
        let binding = &ports["8080/tcp"].as_ref().unwrap()[0];
        assert_eq!(binding.host_ip.as_deref(), Some("127.0.0.1"));
        assert_eq!(binding.host_port.as_deref(), Some("4711"));
        assert_eq!(host.network_mode.as_deref(), Some("shop"));
    }

    #[test]
    fn in_its_own_network_its_address_stays() {
        let body = created(Network::Own, ([172, 18, 0, 3], 8080), 41);
        assert!(body.env.unwrap().contains(&"TRAINYARD_PORT=8080".to_owned()));
        let network = service_name(Path::new(SERVICE));
        assert!(network.starts_with("trainyard-iris-"));
        let endpoint = &body.networking_config.unwrap().endpoints_config.unwrap()[&network];
        let address = endpoint.ipam_config.as_ref().unwrap().ipv4_address.as_deref();
        assert_eq!(address, Some("172.18.0.3"));
        let host = body.host_config.unwrap();
        assert_eq!(host.network_mode, Some(network));
        assert!(host.port_bindings.is_none());
    }

    #[test]
    fn on_the_hosts_network_the_program_takes_the_port_itself() {
        let body = created(Network::Host, ([127, 0, 0, 1], 4711), 51);
        assert!(body.env.unwrap().contains(&"TRAINYARD_PORT=4711".to_owned()));
        assert!(body.exposed_ports.is_none());
        assert_eq!(body.healthcheck.unwrap().start_interval, Some(START_INTERVAL));
        let host = body.host_config.unwrap();
        assert!(host.port_bindings.is_none());
        assert_eq!(host.network_mode.as_deref(), Some("host"));
    }
}
