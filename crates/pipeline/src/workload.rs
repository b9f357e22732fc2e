//! What an instance of the project runs, by what `[deploy]` says of the runtime: this program as a process,
//! or that of an image as a container, here or in a swarm; what it is told, and what it sees of this machine.
//!
//! An instance serves one version for as long as it lives (`models:/name/3`): which version users get is
//! decided by a release, never by an instance that looks at an alias.

use std::collections::BTreeSet;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::PathBuf;

use trainyard_base::words::{PROBE_ID_VARIABLE, TOKEN_VARIABLE};
use trainyard_deploy::{
    BindMount, ContainerSpec, Network, Probe, ReleaseSpec, RuntimeKind, SwarmSpec, Workload,
};
use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::uri::ModelUri;
use trainyard_signature::model::InputExample;

use crate::labels::{MODEL_LABEL, VERSION_LABEL};
use crate::python::{CACHE, container_cache, makes_environments};
use crate::{Error, FILE_NAME, Project, Result, accounts, serve_environment};

/// How `serve` is told what to serve, and how it was told by programs whose instances followed the alias.
const PIN: &str = "--model-uri";
const FOLLOWED: [&str; 2] = ["MODEL_NAME", "MODEL_STAGE"];

/// Port of the model server in a network of its own.
const PORT: u16 = 8080;

/// Where the image has a folder that its user may write to, whose owner a new volume gets.
const VOLUME: &str = "/data";

/// A release of a version. `program` is the binary that serves where it is a process; `example` is what the
/// instance must be able to answer.
pub(crate) fn release_of(
    project: &Project,
    program: PathBuf,
    version: &ModelVersion,
    example: Option<InputExample>,
) -> Result<ReleaseSpec> {
    let (config, serve) = (&project.config.deploy, &project.config.serve);
    let mut spec = runtime(project, program)?;
    let folder = |folder: PathBuf| folder.display().to_string();
    set(&mut spec, "MLFLOW_TRACKING_URI", project.tracking_uri.clone());
    let log = config.predictions.clone().unwrap_or_else(|| folder(project.prediction_log()));
    set(&mut spec, "TRAINYARD_PREDICTION_LOG", log);
    let cache = match &spec.workload {
        Workload::Swarm(SwarmSpec { volume: Some(volume), .. }) => volume.join("models"),
        _ => project.model_cache(),
    };
    set(&mut spec, "TRAINYARD_MODEL_CACHE", folder(cache));
    let environments = match &spec.workload {
        Workload::Process(_) => None,
        Workload::Swarm(SwarmSpec { volume: Some(volume), .. }) => Some(volume.join("python")),
        _ => Some(container_cache(project)),
    };
    if let Some(environments) = environments.filter(|_| makes_environments(project)) {
        set(&mut spec, CACHE, folder(environments));
    }
    let wrong = |reason: String| Error::config(&project.folder.join(FILE_NAME), reason);
    for (name, value) in
        serve_environment::taken(&serve.env, &serve_environment::lookup).map_err(wrong)?
    {
        set(&mut spec, &name, value);
    }
    if let Some(token) = token(project)? {
        set(&mut spec, TOKEN_VARIABLE, token);
    }
    spec.replicas = serve.replicas();
    spec.port_env = None;
    spec.deadline = config.deadline;
    spec.drain_limit = config.drain;
    spec.bake = config.bake;
    config.judge(&mut spec).map_err(wrong)?;
    spec.successes_in_row = config.successes;
    spec.prediction = example.map(|example| Probe::post_json("/invocations", example.payload));
    spec.label = [(MODEL_LABEL, &version.name), (VERSION_LABEL, &version.version)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect();
    spec.args.extend(serve.arguments().map_err(wrong)?);
    // The first model is the one at the root.
    pin(&mut spec);
    for model in serve.further_models() {
        spec.args.extend([PIN.to_owned(), model]);
    }
    spec.args.extend(serve.extra_args.iter().cloned());
    renew_probe(&mut spec);
    Ok(spec)
}

/// Makes of an earlier release one of today: pinned to its version, which releases of before were not, with
/// today's accounts, today's token and a probe of its own. All else stays as it was.
pub(crate) fn renew(project: &Project, spec: &mut ReleaseSpec) {
    pin(spec);
    renew_probe(spec);
    accounts::renew(spec, accounts::accounts(project));
    match token(project) {
        Ok(Some(token)) => set(spec, TOKEN_VARIABLE, token),
        Ok(None) => {}
        // Users come first: what serves again takes the token that it took then.
        Err(error) => tracing::warn!(%error, "the token is that of the earlier release"),
    }
}

/// The bearer token of the instances; none if they want none.
fn token(project: &Project) -> Result<Option<String>> {
    let Some(source) = project.config.serve.token(&project.folder) else { return Ok(None) };
    let wrong = |reason: String| Error::config(&project.folder.join(FILE_NAME), reason);
    serve_environment::token(&source, &serve_environment::lookup).map(Some).map_err(wrong)
}

/// Sets a variable of the instances, once.
fn set(spec: &mut ReleaseSpec, name: &str, value: String) {
    spec.env.retain(|(known, _)| known != name);
    spec.env.push((name.to_owned(), value));
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
        RuntimeKind::Swarm => swarm(project),
    }
}

fn process(project: &Project, program: PathBuf) -> ReleaseSpec {
    let mut spec = ReleaseSpec::new(Workload::process(program));
    spec.env = accounts::accounts(project);
    // With -v its log says what it loaded, which is what one looks for when something is wrong.
    spec.args =
        ["-v", "serve", "--host", "127.0.0.1", "--port", "{port}"].map(str::to_owned).to_vec();
    // An embedded store keeps its artifacts beside the project.
    spec.working_dir = Some(project.folder.clone());
    spec
}

/// The image runs `trainyard serve`; settings reach it through its environment.
fn container(project: &Project) -> Result<ReleaseSpec> {
    let config = &project.config.deploy;
    let wrong = |reason: String| Error::config(&project.folder.join(FILE_NAME), reason);
    let mut container = ContainerSpec::new(config.image.clone().unwrap_or_default());
    container.pull = config.pull.unwrap_or_default();
    container.network = config.network();
    container.port = PORT;
    container.memory_bytes = config.memory_bytes().map_err(wrong)?;
    container.nano_cpus = config.nano_cpus().map_err(wrong)?;
    let is_host = container.network == Network::Host;
    if !is_host {
        reaches_tracking(project, "set network = \"host\" under [deploy], or give")?;
    }
    let Seen { working_dir, user, folders } = seen(project)?;
    container.user = Some(user);
    let services = accounts::accounts(project);
    let files = service_files(&services)
        .into_iter()
        .filter(|file| !folders.first().is_some_and(|seen| file.starts_with(seen)));
    container.mounts = folders.iter().map(|folder| mounted(folder.clone(), false)).collect();
    container.mounts.extend(files.map(|file| mounted(file, true)));
    let mut spec = ReleaseSpec::new(Workload::Container(container));
    spec.working_dir = working_dir;
    serve_in_container(&mut spec, if is_host { "127.0.0.1" } else { "0.0.0.0" }, services);
    Ok(spec)
}

/// The same on a node of a swarm. With a tracking server, and a prediction log in an object store, it needs nothing of
/// this machine, and keeps models in a volume of its node; else it sees the folders that a container would, which a
/// swarm of one node has.
fn swarm(project: &Project) -> Result<ReleaseSpec> {
    let config = &project.config.deploy;
    let wrong = |reason: String| Error::config(&project.folder.join(FILE_NAME), reason);
    reaches_tracking(project, "give")?;
    let mut swarm = SwarmSpec::new(config.image.clone().unwrap_or_default());
    swarm.pull = config.pull.unwrap_or_default();
    swarm.network = match config.network() {
        Network::Named(name) => Some(name),
        Network::Own | Network::Host => None,
    };
    swarm.port = PORT;
    swarm.memory_bytes = config.memory_bytes().map_err(wrong)?;
    swarm.nano_cpus = config.nano_cpus().map_err(wrong)?;
    swarm.placement.clone_from(&config.placement);
    let mut working_dir = None;
    if project.tracks_by_http() && config.predictions.is_some() {
        swarm.volume = Some(PathBuf::from(VOLUME));
    } else {
        let seen = seen(project)?;
        swarm.user = Some(seen.user);
        swarm.mounts = seen.folders.into_iter().map(|folder| mounted(folder, false)).collect();
        working_dir = seen.working_dir;
    }
    let is_mounted =
        |file: &PathBuf| swarm.mounts.iter().any(|mount| file.starts_with(&mount.source));
    let services = accounts::accounts(project);
    let files = service_files(&services).into_iter().filter(|file| !is_mounted(file)).collect();
    swarm.files = files;
    let mut spec = ReleaseSpec::new(Workload::Swarm(swarm));
    spec.working_dir = working_dir;
    serve_in_container(&mut spec, "0.0.0.0", services);
    Ok(spec)
}

/// What a container is told of serving.
fn serve_in_container(spec: &mut ReleaseSpec, host: &str, services: Vec<(String, String)>) {
    // With -v its log says what it loaded, as that of a process does.
    spec.args = ["-v", "serve"].map(str::to_owned).to_vec();
    spec.env.push(("TRAINYARD_HOST".to_owned(), host.to_owned()));
    spec.env.push(("TRAINYARD_PORT".to_owned(), "{port}".to_owned()));
    spec.env.extend(services);
}

/// Refuses a tracking server that a network of its own hides from a container.
fn reaches_tracking(project: &Project, advice: &str) -> Result<()> {
    if !project.tracks_by_http() || !names_this_machine(&project.tracking_uri) {
        return Ok(());
    }
    Err(Error::Missing {
        what: format!(
            "a container in a network of its own does not reach {}",
            project.http_tracking_url().unwrap_or_default()
        ),
        hint: format!("{advice} the tracking server's address in the network"),
    })
}

/// What a container sees of this machine.
struct Seen {
    working_dir: Option<PathBuf>,
    /// The owner of what it writes.
    user: String,
    folders: Vec<PathBuf>,
}

/// With an embedded store a container works in the project's own folder, as its owner, so that it finds versions as a
/// process would. With a tracking server it sees the prediction log, the kept models and their Python environments alone.
fn seen(project: &Project) -> Result<Seen> {
    let (log, cache) = (project.prediction_log(), project.model_cache());
    let environments = makes_environments(project).then(|| container_cache(project));
    for folder in [&log, &cache].into_iter().chain(&environments) {
        // What clients sent is for nobody else, as the server itself would make it.
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| Error::io(folder, source))?;
    }
    // With a tracking server the folder of the project is not there.
    let working_dir = (!project.tracks_by_http()).then(|| project.folder.clone());
    let first = working_dir.clone().unwrap_or_else(|| log.clone());
    let owner = std::fs::metadata(&first).map_err(|source| Error::io(&first, source))?;
    let state = [log, cache].into_iter().chain(environments);
    let state = state.filter(|folder| !folder.starts_with(&first));
    let folders = std::iter::once(first.clone()).chain(state).collect();
    Ok(Seen { working_dir, user: format!("{}:{}", owner.uid(), owner.gid()), folders })
}

/// Keys and certificates that variables name, which are where a container looks for them.
fn service_files(services: &[(String, String)]) -> BTreeSet<PathBuf> {
    let named = services.iter().map(|(_, value)| PathBuf::from(value));
    named.filter(|path| path.is_absolute() && path.is_file()).collect()
}

fn mounted(path: PathBuf, read_only: bool) -> BindMount {
    BindMount { source: path.clone(), target: path, read_only }
}

fn names_this_machine(uri: &str) -> bool {
    let host = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    ["localhost", "127.", "[::1]"].iter().any(|name| host.starts_with(name))
}

#[cfg(test)]
mod tests {
    use trainyard_deploy::service_environment;

    use super::*;

    fn project(folder: &std::path::Path, serve: &str) -> Project {
        let text = format!(
            "[model]\nname = \"Iris\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\n[serve]\n{serve}"
        );
        std::fs::write(folder.join(FILE_NAME), text).unwrap();
        Project::open(folder, None).unwrap()
    }

    fn names(spec: &ReleaseSpec) -> Vec<&str> {
        let is_ours = |name: &str| !service_environment().iter().any(|(known, _)| known == name);
        spec.env.iter().map(|(name, _)| name.as_str()).filter(|name| is_ours(name)).collect()
    }

    fn variable<'s>(spec: &'s ReleaseSpec, wanted: &str) -> Option<&'s str> {
        let mut found = spec.env.iter().filter(|(name, _)| name == wanted);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{wanted} is set twice");
        value
    }

    #[test]
    fn an_instance_is_pinned_once_whatever_it_followed() {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path(), "");
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
        renew(&project, &mut spec);
        let first = spec.prediction.clone().unwrap().request_id;
        renew(&project, &mut spec);
        assert_eq!(spec.args, ["serve", "--model-uri", "models:/Iris/3"]);
        let second = spec.prediction.clone().unwrap().request_id;
        assert_ne!(first, second);
        assert_eq!(names(&spec), ["OTHER", PROBE_ID_VARIABLE]);
        let probe = spec.env.iter().find(|(name, _)| name == PROBE_ID_VARIABLE);
        assert_eq!(probe.unwrap().1, second);
    }

    #[test]
    fn a_release_has_all_that_serve_is_told_and_a_rollback_todays_token() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "first\n").unwrap();
        let keys = "token_file = \"token\"\nlenient = true\nreplicas = 2\nenv = { MODE = \"fast\" }\n\
                    extra_args = [\"--max-requests\", \"9\"]\n\
                    models = { wine = \"models:/Wine@Production\" }\n";
        let project = project(folder.path(), keys);
        let version = ModelVersion {
            name: "Iris".to_owned(),
            version: "3".to_owned(),
            ..ModelVersion::default()
        };
        let mut spec = release_of(&project, PathBuf::from("/bin/true"), &version, None).unwrap();
        let told = spec.args.join(" ");
        let end = "--lenient --model-uri models:/Iris/3 --model-uri wine=models:/Wine@Production \
                   --max-requests 9";
        assert!(told.ends_with(end), "{told}");
        assert_eq!((spec.replicas, variable(&spec, TOKEN_VARIABLE)), (2, Some("first")));
        let cache = project.model_cache().display().to_string();
        assert_eq!(variable(&spec, "MODE"), Some("fast"));
        assert_eq!(variable(&spec, "TRAINYARD_MODEL_CACHE"), Some(cache.as_str()));
        // Clients have the token of today.
        std::fs::write(folder.path().join("token"), "second\n").unwrap();
        renew(&project, &mut spec);
        assert_eq!(variable(&spec, TOKEN_VARIABLE), Some("second"));
        assert_eq!(spec.args.join(" "), told);
        // One that cannot be read is no reason not to go back.
        std::fs::remove_file(folder.path().join("token")).unwrap();
        renew(&project, &mut spec);
        assert_eq!(variable(&spec, TOKEN_VARIABLE), Some("second"));
        assert!(release_of(&project, PathBuf::from("/bin/true"), &version, None).is_err());
    }

    #[test]
    fn a_swarm_with_several_nodes_needs_nothing_of_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let version = ModelVersion {
            name: "Iris".to_owned(),
            version: "3".to_owned(),
            ..ModelVersion::default()
        };
        let deploy = "[deploy]\nruntime = \"swarm\"\nimage = \"iris:1\"\n";
        let placement = "placement = [\"node.labels.gpu==true\"]\n";
        let elsewhere = "predictions = \"s3://bucket/iris\"\n\
                         [tracking]\nuri = \"http://mlflow.example:5000\"\n";
        let keys = format!("{deploy}{placement}{elsewhere}");
        let project = project(folder.path(), &keys);
        assert_eq!(project.config.monitor.current.as_deref(), Some("s3://bucket/iris"));
        let spec = release_of(&project, PathBuf::from("/bin/true"), &version, None).unwrap();
        let Workload::Swarm(swarm) = &spec.workload else { panic!("{spec:?}") };
        assert_eq!((swarm.mounts.len(), swarm.user.as_deref()), (0, None));
        assert_eq!(swarm.placement, ["node.labels.gpu==true"]);
        assert_eq!(variable(&spec, "TRAINYARD_PREDICTION_LOG"), Some("s3://bucket/iris"));
        assert_eq!(variable(&spec, "TRAINYARD_MODEL_CACHE"), Some("/data/models"));
        assert_eq!(variable(&spec, "TRAINYARD_HOST"), Some("0.0.0.0"));
        assert_eq!(spec.working_dir, None);

        // Tracking that is embedded is in the project's folder, and so is the log.
        let project = self::project(folder.path(), deploy);
        let spec = release_of(&project, PathBuf::from("/bin/true"), &version, None).unwrap();
        let Workload::Swarm(swarm) = &spec.workload else { panic!("{spec:?}") };
        assert_eq!(swarm.mounts[0].source, project.folder);
        assert!(swarm.volume.is_none() && swarm.user.is_some());
        assert_eq!(spec.working_dir.as_ref(), Some(&project.folder));

        // Environments of workers are kept from release to release: in the volume, or in a folder of this machine.
        let workers = "python_workers = 1\n";
        let cache_of = |keys: &str| {
            let project = self::project(folder.path(), &format!("{workers}{keys}"));
            let spec = release_of(&project, PathBuf::from("/bin/true"), &version, None).unwrap();
            variable(&spec, CACHE).map(PathBuf::from)
        };
        assert_eq!(cache_of(&keys).unwrap(), PathBuf::from("/data/python"));
        assert!(cache_of(deploy).unwrap().is_dir());
        let own = format!("python = \"/usr/bin/python3\"\n{deploy}");
        assert_eq!(cache_of(&own), None);
        assert_eq!(cache_of(""), None, "that of its user");

        let here = "[tracking]\nuri = \"http://127.0.0.1:5000\"\n";
        let project = self::project(folder.path(), &format!("{deploy}{here}"));
        let refused = release_of(&project, PathBuf::from("/bin/true"), &version, None);
        assert!(refused.unwrap_err().to_string().contains("does not reach"));
    }

    #[test]
    fn a_loopback_address_is_recognised() {
        assert!(names_this_machine("http://localhost:5000"));
        assert!(names_this_machine("https://me:x@127.0.0.1:5000/a"));
        assert!(!names_this_machine("http://mlflow.example.com:5000"));
    }
}
