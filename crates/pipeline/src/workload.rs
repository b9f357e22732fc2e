//! What an instance of the project runs, by what `[deploy]` says of the runtime: this program as a process,
//! or that of an image as a container; what it is told, and what it sees of this machine.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::PathBuf;

use trainyard_deploy::{BindMount, ContainerSpec, Network, ReleaseSpec, RuntimeKind, Workload};

use crate::{Error, FILE_NAME, Project, Result};

/// Port of the model server in a network of its own.
const PORT: u16 = 8080;

/// A release of the project's runtime. `program` is the binary that serves where it is a process.
pub(crate) fn release(project: &Project, program: PathBuf) -> Result<ReleaseSpec> {
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
/// follows the alias as a process would. With a tracking server it sees the prediction log alone.
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
    for name in ["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"] {
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
    fn a_loopback_address_is_recognised() {
        assert!(names_this_machine("http://localhost:5000"));
        assert!(names_this_machine("https://me:x@127.0.0.1:5000/a"));
        assert!(!names_this_machine("http://mlflow.example.com:5000"));
    }
}
