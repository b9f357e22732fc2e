//! From a release to what the swarm is told of one of its instances.

use std::net::SocketAddr;

use bollard::models::{
    EndpointPortConfig, EndpointPortConfigProtocolEnum, EndpointPortConfigPublishModeEnum,
    EndpointSpec, EndpointSpecModeEnum, HealthConfig, Limit, Mount, MountTmpfsOptions, MountType,
    NetworkAttachmentConfig, ServiceSpec, ServiceSpecMode, ServiceSpecModeReplicated, TaskSpec,
    TaskSpecContainerSpec, TaskSpecContainerSpecPrivileges, TaskSpecContainerSpecSecrets,
    TaskSpecLogDriver, TaskSpecPlacement, TaskSpecResources, TaskSpecRestartPolicy,
    TaskSpecRestartPolicyConditionEnum,
};
use trainyard_base::words::{TOKEN_FILE_VARIABLE, TOKEN_VARIABLE};

use super::super::create::{
    LOG_FILE_SIZE, LOG_FILES, PROCESSES_MAX, START_INTERVAL, START_INTERVAL_SINCE,
};
use super::owner::Owner;
use super::secrets::{TOKEN_FILE, token};
use super::volume;
use crate::runtime::instance::{InstanceSpec, fill};
use crate::workload::SwarmSpec;

/// Nanoseconds between the end of a task and the start of the next: a program that ends at once does not take a node's
/// whole time.
const RESTART_DELAY: i64 = 1_000_000_000;

/// Whoever runs in the container may write to `/tmp`.
const TEMPORARY_MODE: i64 = 0o1777;

/// What was chosen and made for an instance before its service.
#[derive(Debug)]
pub(super) struct Given {
    /// The image, by its digest where that is known: all nodes run the same.
    pub(super) image: String,
    pub(super) network: String,
    /// Of the node that it runs on.
    pub(super) port: u16,
    pub(super) secrets: Vec<TaskSpecContainerSpecSecrets>,
    /// Minor number of the API version in use.
    pub(super) api_minor: usize,
}

/// What to create.
pub(super) fn body(
    spec: &InstanceSpec<'_>,
    swarm: &SwarmSpec,
    owner: &Owner,
    given: Given,
) -> ServiceSpec {
    let bytes = swarm.memory_bytes.and_then(|bytes| i64::try_from(bytes).ok());
    let limits = Limit {
        memory_bytes: bytes,
        nano_cpus: swarm.nano_cpus.and_then(|cpus| i64::try_from(cpus).ok()),
        pids: Some(PROCESSES_MAX),
    };
    let mut labels = owner.labels_of(spec.id);
    for (key, value) in &spec.release.label {
        labels.insert(format!("trainyard.{key}"), value.clone());
    }
    let port = EndpointPortConfig {
        protocol: Some(EndpointPortConfigProtocolEnum::TCP),
        target_port: Some(swarm.port.into()),
        published_port: Some(given.port.into()),
        // At the node that has the task: Swarm's own balancing over all nodes would hide which one answers.
        publish_mode: Some(EndpointPortConfigPublishModeEnum::HOST),
        ..EndpointPortConfig::default()
    };
    let network = NetworkAttachmentConfig {
        target: Some(given.network.clone()),
        ..NetworkAttachmentConfig::default()
    };
    let log = [("max-size", LOG_FILE_SIZE), ("max-file", LOG_FILES)];
    ServiceSpec {
        name: Some(owner.service_name(spec.id)),
        labels: Some(labels),
        task_template: Some(TaskSpec {
            resources: Some(TaskSpecResources {
                limits: Some(limits),
                ..TaskSpecResources::default()
            }),
            restart_policy: Some(TaskSpecRestartPolicy {
                condition: Some(TaskSpecRestartPolicyConditionEnum::ANY),
                delay: Some(RESTART_DELAY),
                ..TaskSpecRestartPolicy::default()
            }),
            placement: Some(TaskSpecPlacement {
                constraints: Some(swarm.placement.clone()),
                ..TaskSpecPlacement::default()
            }),
            networks: Some(vec![network]),
            log_driver: Some(TaskSpecLogDriver {
                name: Some("json-file".to_owned()),
                options: Some(log.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            }),
            container_spec: Some(container(spec, swarm, owner, given)),
            ..TaskSpec::default()
        }),
        mode: Some(ServiceSpecMode {
            replicated: Some(ServiceSpecModeReplicated { replicas: Some(1) }),
            ..ServiceSpecMode::default()
        }),
        endpoint_spec: Some(EndpointSpec {
            // One task needs no address beside its own.
            mode: Some(EndpointSpecModeEnum::DNSRR),
            ports: Some(vec![port]),
        }),
        ..ServiceSpec::default()
    }
}

fn container(
    spec: &InstanceSpec<'_>,
    swarm: &SwarmSpec,
    owner: &Owner,
    given: Given,
) -> TaskSpecContainerSpec {
    let release = spec.release;
    // What the program itself listens on.
    let inside = SocketAddr::from(([0, 0, 0, 0], swarm.port));
    let fill = |text: &str| fill(text, inside);
    let open = release.env.iter().filter(|(name, _)| name != TOKEN_VARIABLE);
    let mut env: Vec<String> =
        open.map(|(name, value)| format!("{name}={}", fill(value))).collect();
    if token(release).is_some() {
        env.push(format!("{TOKEN_FILE_VARIABLE}={TOKEN_FILE}"));
    }
    if let Some(variable) = &release.port_env {
        env.push(format!("{variable}={}", swarm.port));
    }
    let args: Vec<String> = release.args.iter().map(|argument| fill(argument)).collect();
    let grace = i64::try_from(release.stop_grace.as_nanos()).ok();
    TaskSpecContainerSpec {
        image: Some(given.image),
        labels: Some(owner.labels_of(spec.id)),
        // Without arguments the image's own are used.
        args: (!args.is_empty()).then_some(args),
        env: Some(env),
        dir: release.working_dir.as_ref().map(|folder| folder.display().to_string()),
        user: swarm.user.clone(),
        privileges: Some(TaskSpecContainerSpecPrivileges {
            no_new_privileges: Some(true),
            ..TaskSpecContainerSpecPrivileges::default()
        }),
        read_only: Some(true),
        capability_drop: Some(vec!["ALL".to_owned()]),
        mounts: Some(mounts(swarm, owner)),
        secrets: Some(given.secrets),
        stop_grace_period: grace,
        health_check: (given.api_minor >= START_INTERVAL_SINCE).then(|| HealthConfig {
            start_interval: Some(START_INTERVAL),
            ..HealthConfig::default()
        }),
        ..TaskSpecContainerSpec::default()
    }
}

fn mounts(swarm: &SwarmSpec, owner: &Owner) -> Vec<Mount> {
    // What is in it counts as memory: a program that fills half of that is told so when it writes.
    let half = swarm.memory_bytes.and_then(|bytes| i64::try_from(bytes / 2).ok());
    let temporary = Mount {
        typ: Some(MountType::TMPFS),
        target: Some("/tmp".to_owned()),
        tmpfs_options: Some(MountTmpfsOptions {
            size_bytes: half,
            mode: Some(TEMPORARY_MODE),
            ..MountTmpfsOptions::default()
        }),
        ..Mount::default()
    };
    let folders = swarm.mounts.iter().map(|mount| Mount {
        typ: Some(MountType::BIND),
        source: Some(mount.source.display().to_string()),
        target: Some(mount.target.display().to_string()),
        read_only: Some(mount.read_only),
        ..Mount::default()
    });
    let volume = swarm.volume.as_ref().map(|target| volume::mount(owner, target));
    std::iter::once(temporary).chain(folders).chain(volume).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::labels::INSTANCE_LABEL;
    use super::*;
    use crate::release::ReleaseSpec;
    use crate::workload::Workload;

    fn created(api_minor: usize) -> (ServiceSpec, Owner) {
        let root = tempfile::tempdir().unwrap();
        let owner = Owner::provide(root.path()).unwrap();
        let mut swarm = SwarmSpec::new("iris:1");
        swarm.memory_bytes = Some(64 << 20);
        swarm.nano_cpus = Some(500_000_000);
        swarm.placement = vec!["node.labels.gpu==true".to_owned()];
        swarm.volume = Some("/data".into());
        let mut release = ReleaseSpec::new(Workload::Swarm(swarm.clone()));
        release.args = vec!["--port".to_owned(), "{port}".to_owned()];
        release.env.push(("WHERE".to_owned(), "{address}".to_owned()));
        release.env.push((TOKEN_VARIABLE.to_owned(), "pl4nted".to_owned()));
        release.label.insert("version".to_owned(), "3".to_owned());
        let spec = InstanceSpec { id: "r1.2", service_root: root.path(), release: &release };
        let given = Given {
            image: "iris:1@sha256:00".to_owned(),
            network: "shop".to_owned(),
            port: 20_007,
            secrets: Vec::new(),
            api_minor,
        };
        (body(&spec, &swarm, &owner, given), owner)
    }

    #[test]
    fn a_service_is_one_task_at_a_port_of_its_node() {
        let (service, owner) = created(41);
        let labels = service.labels.as_ref().unwrap();
        assert_eq!(labels[INSTANCE_LABEL], "r1.2");
        assert_eq!(labels["trainyard.version"], "3");
        assert_eq!(service.name.as_deref(), Some(owner.service_name("r1.2").as_str()));
        let replicated = service.mode.as_ref().unwrap().replicated.clone().unwrap();
        assert_eq!(replicated.replicas, Some(1));
        let endpoint = service.endpoint_spec.as_ref().unwrap();
        let port = &endpoint.ports.as_ref().unwrap()[0];
        assert_eq!((port.target_port, port.published_port), (Some(8080), Some(20_007)));
        assert_eq!(port.publish_mode, Some(EndpointPortConfigPublishModeEnum::HOST));
        let task = service.task_template.as_ref().unwrap();
        assert_eq!(task.networks.as_ref().unwrap()[0].target.as_deref(), Some("shop"));
        let limits = task.resources.as_ref().unwrap().limits.as_ref().unwrap();
        assert_eq!((limits.memory_bytes, limits.nano_cpus), (Some(64 << 20), Some(500_000_000)));
        let constraints = task.placement.as_ref().unwrap().constraints.as_ref().unwrap();
        assert_eq!(constraints, &["node.labels.gpu==true"]);
    }

    #[test]
    fn its_container_is_locked_down_and_its_token_is_no_variable() {
        let (service, owner) = created(44);
        let shown = serde_json::to_string(&service).unwrap();
        assert!(!shown.contains("pl4nted"), "{shown}");
        let container = service.task_template.unwrap().container_spec.unwrap();
        assert_eq!(container.args.unwrap(), ["--port", "8080"]);
        let env = container.env.unwrap();
        assert!(env.contains(&format!("{TOKEN_FILE_VARIABLE}={TOKEN_FILE}")), "{env:?}");
        assert!(env.contains(&"WHERE=0.0.0.0:8080".to_owned()), "{env:?}");
        assert_eq!(container.read_only, Some(true));
        assert_eq!(container.capability_drop.unwrap(), ["ALL"]);
        assert_eq!(container.health_check.unwrap().start_interval, Some(START_INTERVAL));
        let mounts = container.mounts.unwrap();
        let [temporary, volume] = mounts.as_slice() else { panic!("{mounts:?}") };
        assert_eq!(temporary.tmpfs_options.as_ref().unwrap().size_bytes, Some(32 << 20));
        assert_eq!(
            (volume.source.as_deref(), volume.target.as_deref()),
            (Some(owner.name().as_str()), Some("/data"))
        );
        assert!(
            created(41).0.task_template.unwrap().container_spec.unwrap().health_check.is_none()
        );
    }
}
