//! What an instance of the project runs, by what `[deploy]` says of the runtime: this program as a process,
//! or that of an image as a container; what it is told, and what it sees of this machine.
//!
//! An instance serves one version for as long as it lives (`models:/name/3`): which version users get is
//! decided by a release, never by an instance that looks at an alias.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::PathBuf;

use trainyard_base::words::PROBE_ID_VARIABLE;
use trainyard_deploy::{
    BindMount, ContainerSpec, Network, Probe, ReleaseSpec, RuntimeKind, Workload,
};
use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::uri::ModelUri;
use trainyard_signature::model::InputExample;

use crate::review::{MODEL_LABEL, VERSION_LABEL};
use crate::{Error, FILE_NAME, Project, Result};

/// What a container is told of the tracking server's accounts; a process has it from its deployer.
const CREDENTIALS: [&str; 3] =
    ["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"];

/// How `serve` is told what to serve, and how it was told by programs whose instances followed the alias.
const PIN: &str = "--model-uri";
const FOLLOWED: [&str; 2] = ["MODEL_NAME", "MODEL_STAGE"];

/// Port of the model server in a network of its own.
const PORT: u16 = 8080;

/// A release of a version. `program` is the binary that serves where it is a process; `example` is what the
/// instance must be able to answer.
pub(crate) fn release_of(
    project: &Project,
    program: PathBuf,
    version: &ModelVersion,
    example: Option<InputExample>,
) -> Result<ReleaseSpec> {
    let config = &project.config.deploy;
    let mut spec = runtime(project, program)?;
    let log = project.prediction_log().display().to_string();
    let told =
        [("MLFLOW_TRACKING_URI", project.tracking_uri.clone()), ("TRAINYARD_PREDICTION_LOG", log)];
    spec.env.extend(told.map(|(name, value)| (name.to_owned(), value)));
    spec.port_env = None;
    spec.deadline = config.deadline;
    spec.drain_limit = config.drain;
    spec.bake = config.bake;
    let wrong = |reason: String| Error::config(&project.folder.join(FILE_NAME), reason);
    config.judge(&mut spec).map_err(wrong)?;
    spec.successes_in_row = config.successes;
    spec.prediction = example.map(|example| Probe::post_json("/invocations", example.payload));
    spec.label = [(MODEL_LABEL, &version.name), (VERSION_LABEL, &version.version)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect();
    pin(&mut spec);
    renew_probe(&mut spec);
    Ok(spec)
}

/// Makes of an earlier release one of today: pinned to its version, which releases of before were not, with
/// today's accounts and a probe of its own. All else stays as it was.
pub(crate) fn renew(spec: &mut ReleaseSpec) {
    pin(spec);
    renew_probe(spec);
    for (name, value) in &mut spec.env {
        if CREDENTIALS.contains(&name.as_str())
            && let Ok(today) = std::env::var(&*name)
            && !today.is_empty()
        {
            *value = today;
        }
    }
}

/// Has the instance serve the version of its label, and no other.
fn pin(spec: &mut ReleaseSpec) {
    spec.env.retain(|(name, _)| !FOLLOWED.contains(&name.as_str()));
    let label = |key: &str| spec.label.get(key).cloned();
    let (Some(name), Some(version)) = (label(MODEL_LABEL), label(VERSION_LABEL)) else { return };
    if !spec.args.iter().any(|argument| argument == PIN) {
        let uri = ModelUri::Version { name, version }.to_string();
        spec.args.extend([PIN.to_owned(), uri]);
    }
}

/// By its id the instance knows what it is asked for the release alone, and does not log that. It is new with
/// every release, so that nobody else can keep requests out of the log.
fn renew_probe(spec: &mut ReleaseSpec) {
    let probe_id = format!("probe-{}", uuid::Uuid::new_v4().simple());
    spec.env.retain(|(name, _)| name != PROBE_ID_VARIABLE);
    spec.env.push((PROBE_ID_VARIABLE.to_owned(), probe_id.clone()));
    if let Some(prediction) = &mut spec.prediction {
        prediction.request_id = probe_id;
    }
}

/// A release of the project's runtime.
fn runtime(project: &Project, program: PathBuf) -> Result<ReleaseSpec> {
    match project.config.deploy.runtime {
        RuntimeKind::Process => Ok(process(project, program)),
        RuntimeKind::Docker => container(project),
    }
}

fn process(project: &Project, program: PathBuf) -> ReleaseSpec {
    let mut spec = ReleaseSpec::new(Workload::process(program));
    // With -v its log says what it loaded, which is what one looks for when something is wrong.
    spec.args =
        ["-v", "serve", "--host", "127.0.0.1", "--port", "{port}"].map(str::to_owned).to_vec();
    // An embedded store keeps its artifacts beside the project.
    spec.working_dir = Some(project.folder.clone());
    spec
}

/// The image runs `trainyard serve`; settings reach it through its environment.
///
/// With an embedded store the container works in the project's own folder, as its owner, so that it
/// finds versions as a process would. With a tracking server it sees the prediction log alone.
fn container(project: &Project) -> Result<ReleaseSpec> {
    let config = &project.config.deploy;
    let wrong = |reason: String| Error::config(&project.folder.join(FILE_NAME), reason);
    let image = config.image.clone().unwrap_or_default();
    let mut container = ContainerSpec::new(image);
    container.pull = config.pull.unwrap_or_default();
    container.network = config.network();
    container.port = PORT;
    container.memory_bytes = config.memory_bytes().map_err(wrong)?;
    container.nano_cpus = config.nano_cpus().map_err(wrong)?;
    let is_host = container.network == Network::Host;
    if project.tracks_by_http() && !is_host && names_this_machine(&project.tracking_uri) {
        return Err(Error::Missing {
            what: format!(
                "a container in a network of its own does not reach {}",
                project.http_tracking_url().unwrap_or_default()
            ),
            hint:
                "set network = \"host\" under [deploy], or give the tracking server's address in \
                   the network"
                    .to_owned(),
        });
    }
    let log = project.prediction_log();
    // What clients sent is for nobody else, as the server itself would make it.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&log);
    made.map_err(|source| Error::io(&log, source))?;
    // With a tracking server the folder of the project is not there.
    let working_dir = (!project.tracks_by_http()).then(|| project.folder.clone());
    let seen = working_dir.clone().unwrap_or_else(|| log.clone());
    let owner = std::fs::metadata(&seen).map_err(|source| Error::io(&seen, source))?;
    container.user = Some(format!("{}:{}", owner.uid(), owner.gid()));
    let state = Some(log).filter(|log| !log.starts_with(&seen));
    for folder in std::iter::once(seen).chain(state) {
        container.mounts.push(BindMount {
            source: folder.clone(),
            target: folder,
            read_only: false,
        });
    }
    let mut spec = ReleaseSpec::new(Workload::Container(container));
    spec.working_dir = working_dir;
    let host = if is_host { "127.0.0.1" } else { "0.0.0.0" };
    // With -v its log says what it loaded, as that of a process does.
    spec.args = ["-v", "serve"].map(str::to_owned).to_vec();
    spec.env.push(("TRAINYARD_HOST".to_owned(), host.to_owned()));
    spec.env.push(("TRAINYARD_PORT".to_owned(), "{port}".to_owned()));
    for name in CREDENTIALS {
        if let Ok(value) = std::env::var(name)
            && !value.is_empty()
        {
            spec.env.push((name.to_owned(), value));
        }
    }
    Ok(spec)
}

fn names_this_machine(uri: &str) -> bool {
    let host = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    ["localhost", "127.", "[::1]"].iter().any(|name| host.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_pinned_once_whatever_it_followed() {
        let mut spec = ReleaseSpec::new(Workload::process("/bin/true"));
        spec.args = vec!["serve".to_owned()];
        spec.env = vec![
            ("MODEL_NAME".to_owned(), "Iris".to_owned()),
            ("MODEL_STAGE".to_owned(), "Production".to_owned()),
            ("OTHER".to_owned(), "stays".to_owned()),
        ];
        spec.label = [("model", "Iris"), ("version", "3")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        spec.prediction = Some(Probe::post_json("/invocations", "{}"));
        renew(&mut spec);
        let first = spec.prediction.clone().unwrap().request_id;
        renew(&mut spec);
        assert_eq!(spec.args, ["serve", "--model-uri", "models:/Iris/3"]);
        let second = spec.prediction.unwrap().request_id;
        assert_ne!(first, second);
        let names: Vec<_> = spec.env.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["OTHER", PROBE_ID_VARIABLE]);
        assert_eq!(spec.env.last().unwrap().1, second);
    }

    #[test]
    fn a_loopback_address_is_recognised() {
        assert!(names_this_machine("http://localhost:5000"));
        assert!(names_this_machine("https://me:x@127.0.0.1:5000/a"));
        assert!(!names_this_machine("http://mlflow.example.com:5000"));
    }
}
