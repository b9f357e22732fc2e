//! `trainyard up`: keeps deployments up until it is told to end, which ends none of them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::sync::Mutex;
use trainyard_deploy::{Error as DeployError, end_supervisor, supervisor};
use trainyard_mlflow::secrets::hide;
use trainyard_pipeline::{
    Open, Opened, Project, Said, Up, UpOptions, opener, record_stop, service,
};
use trainyard_tracking::Shared;

use super::project::{TrackingArguments, program};
use super::ready::Ready;
use super::tracking_pages::TrackingPages;
use super::{server_signals, systemd, up_install};
use crate::failure::Failure;
use crate::printer;

/// Keep deployments up: start what should serve, start again what dies or hangs, follow aliases, look for drift.
///
/// Where nothing was ever released it releases by itself, once: the approved version of Staging, else that of Production.
/// Whoever does not want that types `trainyard up` after the first `trainyard deploy`. Later versions wait for
/// `trainyard deploy`, or for the alias Production to move.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trainyard up examples/iris\n  trainyard up /srv/churn /srv/fraud\n  trainyard up --install --print /srv/churn"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Arguments {
    /// Project folders, each with a trainyard.toml
    #[arg(value_name = "DIR", default_value = ".")]
    folders: Vec<PathBuf>,
    #[command(flatten)]
    tracking: TrackingArguments,
    /// Take over from the supervisor that runs; what serves goes on
    #[arg(long, conflicts_with_all = ["down", "install"])]
    take_over: bool,
    /// End the supervisor, and drain and stop all that it keeps up
    #[arg(long, conflicts_with = "install")]
    down: bool,
    /// Write a unit for systemd that starts this at boot
    #[arg(long)]
    install: bool,
    /// With --install: for the systemd of this user rather than of the host
    #[arg(long, requires = "install")]
    user: bool,
    /// With --install: print the unit, and write nothing
    #[arg(long, requires = "install")]
    print: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let tracking_uri = arguments.tracking.tracking_uri.clone();
    let opened =
        arguments.folders.iter().map(|folder| Project::open(folder, tracking_uri.as_deref()));
    let projects = opened.collect::<Result<Vec<_>, _>>()?;
    if arguments.install {
        return up_install::install(&projects, arguments.user, arguments.print);
    }
    if arguments.down {
        return down(&projects).await;
    }
    let (reloads, end) = server_signals("projects and the settings of gateways are read again");
    for project in &projects {
        let gateway = service(project).gateway;
        let scheme = if gateway.is_encrypted() { "https" } else { "http" };
        Ready {
            what: &format!("keeping up {}", project.config.model.name),
            url: &format!("{scheme}://{}", project.config.deploy.listen),
            stores: vec![format!("store {}", project.tracking_uri)],
            asks: gateway.asks().then_some("a token or certificate"),
            is_encrypted: gateway.is_encrypted(),
        }
        .say();
    }
    let options =
        UpOptions { program: program()?, tracking_uri, is_by_hand: !systemd::is_manager() };
    let beginning = Up::begin(projects, options, open(), Arc::new(tell), arguments.take_over);
    let up = beginning.await?;
    systemd::ready();
    let running = Box::pin(up.run(reloads.clone()));
    tokio::select! {
        ended = running => ended?,
        () = systemd::watchdog(reloads) => {}
        () = end => {}
    }
    systemd::stopping();
    printer::hint("what serves goes on; `trainyard up` keeps it up again, `up --down` ends it");
    Ok(ExitCode::SUCCESS)
}

/// A line for each thing that was done or found.
fn tell(said: &Said) {
    let time = chrono::Local::now().format("%H:%M:%S");
    let line = format!("{}: {}", said.model, said.text);
    systemd::status(&hide(&line));
    let line = format!("{time}  {line}");
    if said.is_trouble { printer::warning(&line) } else { printer::line(&hide(&line)) }
}

/// Opens tracking stores.
fn open() -> Open {
    let pages: Arc<Mutex<Vec<TrackingPages>>> = Arc::default();
    opener(move |project| open_store(project, Arc::clone(&pages)))
}

/// Opens the tracking store of a project. Training programs get one by HTTP, from a server in this process where there
/// is no other.
async fn open_store(
    project: Arc<Project>,
    pages: Arc<Mutex<Vec<TrackingPages>>>,
) -> Result<Opened, String> {
    let opening = Arc::clone(&project);
    let opening = move || opening.shared_tracking().map_err(|error| error.message());
    let opened = tokio::task::spawn_blocking(opening).await;
    let Shared { own, lent, changes, .. } = opened.map_err(|error| error.to_string())??;
    if project.tracks_by_http() || project.config.train.command.is_none() {
        return Ok(Opened { tracking: own, tracking_url: project.http_tracking_url() });
    }
    let started = TrackingPages::start(lent, changes).await.map_err(|failure| failure.message)?;
    let tracking_url = Some(started.url.clone());
    // It ends with this process.
    pages.lock().await.push(started);
    Ok(Opened { tracking: own, tracking_url })
}

/// Ends supervisor and service.
async fn down(projects: &[Project]) -> Result<ExitCode, Failure> {
    for project in projects {
        let Some(seen) = supervisor(&service(project))? else { continue };
        let is_named = |folder: &&PathBuf| projects.iter().any(|named| named.folder == **folder);
        if let Some(other) = seen.projects.iter().find(|folder| !is_named(folder)) {
            let message = format!("process {} keeps up {}, too", seen.pid, other.display());
            let hint = "name all of its projects, or stop this one with `trainyard deploy stop`";
            return Err(Failure::input(message).hint(hint));
        }
    }
    for project in projects {
        let service = service(project);
        end_supervisor(&service).await?;
        match trainyard_deploy::stop(&service, &|_event| {}).await {
            Ok(()) => record_stop(project).await,
            Err(DeployError::NotDeployed { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(ExitCode::SUCCESS)
}
