//! The supervisor of this host: takes what it is to keep up, keeps it up until it is dropped, and reads its projects
//! again when it is told to.
//!
//! Each project is kept up by a task of its own: a training, or a registry that does not answer, holds up no new start.

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;
use trainyard_deploy::{Error as DeployError, HEARTBEAT, Service, Supervision, end_supervisor};

use super::follow::Following;
use super::keep::Keeping;
use super::recording;
use super::registry::{Open, Registry};
use super::releasing::Releasing;
use super::said::{Said, Told, logged};
use super::wishes;
use crate::service::service;
use crate::service_record::News;
use crate::{Error, Project, Result};

/// What a supervisor needs beside its projects.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// The binary that serves.
    pub program: PathBuf,
    /// The user's choice of a tracking store for all projects, before what they say.
    pub tracking_uri: Option<String>,
    /// Whether somebody typed it: what was stopped on purpose is to serve again. A boot, or a new start by a service
    /// manager, says nothing of that.
    pub is_by_hand: bool,
}

/// A project that is kept up, and who hears of it.
struct Kept {
    project: watch::Sender<Arc<Project>>,
    told: Told,
    /// What was told, for the record of the service.
    news: Arc<News>,
}

/// Projects that this process keeps up.
pub struct Up {
    options: UpOptions,
    open: Open,
    projects: Vec<Kept>,
    supervisions: Vec<Supervision>,
}

impl std::fmt::Debug for Up {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Up").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Up {
    /// Begins to keep projects up. Whoever keeps one of them up is ended first with `take_over`; what serves goes on
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// Where another process keeps one of them up, or two of them are one deployment.
    pub async fn begin(
        projects: Vec<Project>,
        options: UpOptions,
        open: Open,
        told: Told,
        take_over: bool,
    ) -> Result<Self> {
        let folders: Vec<PathBuf> = projects.iter().map(|project| project.folder.clone()).collect();
        if let Some(twice) = folders.iter().enumerate().find_map(|(place, folder)| {
            folders.get(..place).is_some_and(|before| before.contains(folder)).then_some(folder)
        }) {
            return Err(Error::Settings(format!("{} is named twice", twice.display())));
        }
        let mut supervisions = Vec::with_capacity(projects.len());
        let mut kept = Vec::with_capacity(projects.len());
        for project in projects {
            let service = service(&project);
            let ended = take_over && end_supervisor(&service).await?;
            supervisions.push(Supervision::begin(&service, &folders)?);
            let news = Arc::new(News::default());
            let told = logged(&told, service.clone(), Arc::clone(&news));
            let model = &project.config.model.name;
            if ended {
                told(&Said::note(model, "took over from another supervisor"));
            }
            warn(&service, &told, model);
            kept.push(Kept { project: watch::channel(Arc::new(project)).0, told, news });
        }
        Ok(Self { options, open, projects: kept, supervisions })
    }

    /// Keeps them up until the future is dropped, which leaves all that serves as it is. They are read again with
    /// each change of `reloads`.
    ///
    /// # Errors
    ///
    /// Only where a part of it ended, which is a mistake of the program.
    pub async fn run(self, reloads: watch::Receiver<()>) -> Result<()> {
        let Self { options, open, projects, supervisions } = self;
        let mut tasks = JoinSet::new();
        // Its end, which is a mistake of the program, is no reason to end the others: pages say that nobody knows.
        let mut records = JoinSet::new();
        let mut followed = Vec::with_capacity(projects.len());
        for Kept { project, told, news } in &projects {
            let registry = Arc::new(Registry::new(Arc::clone(&open)));
            let keeping =
                Keeping::new(project.subscribe(), Arc::clone(&registry), Arc::clone(told));
            tasks.spawn(keeping.run());
            let registered = Arc::clone(&registry);
            records.spawn(recording::run(project.subscribe(), registered, Arc::clone(news)));
            let (program, by_hand) = (options.program.clone(), options.is_by_hand);
            let (told_of, news) = (Arc::clone(told), Arc::clone(news));
            let releasing = Releasing::new(program.clone(), told_of, news);
            let (asked, teller) = (Arc::clone(&registry), Arc::clone(told));
            records.spawn(wishes::run(project.subscribe(), asked, teller, releasing));
            let told = Arc::clone(told);
            let following = Following::new(program, by_hand, project.subscribe(), registry, told);
            followed.push(Box::pin(following.run()));
        }
        tasks.spawn(beat(supervisions));
        let reloading = reload(&projects, &options, reloads);
        let part = tokio::select! {
            _all = join_all(followed) => "what follows the projects",
            _one = tasks.join_next() => "what keeps a project up",
            () = reloading => "what reads projects again",
        };
        Err(Error::PartEnded { part })
    }
}

/// Says what strangers could do with a service that nobody may want.
fn warn(service: &Service, told: &Told, model: &str) {
    if let Some(warning) = service.warning() {
        told(&Said::trouble(model, warning));
    }
}

/// Says that this process lives.
async fn beat(mut supervisions: Vec<Supervision>) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        for supervision in &mut supervisions {
            if let Err(error) = supervision.beat() {
                tracing::warn!(%error, "the supervisor looks silent to others");
            }
        }
    }
}

/// Reads projects again when that is wanted. One that is wrong is kept as it was.
async fn reload(projects: &[Kept], options: &UpOptions, mut reloads: watch::Receiver<()>) {
    while reloads.changed().await.is_ok() {
        for Kept { project, told, .. } in projects {
            let before = Arc::clone(&project.borrow());
            let model = &before.config.model.name;
            match reopened(&before, options) {
                Ok(now) => {
                    project.send_replace(Arc::new(now));
                    told(&Said::note(model, "its project file was read again"));
                }
                Err(error) => {
                    let text = format!("its project file is as before: {}", error.message());
                    told(&Said::trouble(model, text));
                }
            }
            let service = service(&project.borrow());
            match trainyard_deploy::reload(&service, &|_event| {}).await {
                // One that is started later has them from the start.
                Ok(()) | Err(DeployError::NotDeployed { .. }) => {}
                Err(error) => {
                    let text = format!("the gateway goes on with the settings before: {error}");
                    told(&Said::trouble(model, text));
                }
            }
            warn(&service, told, model);
        }
    }
    // Nobody can want it any more.
    std::future::pending::<()>().await;
}

/// A project as its file says now, if it is still the same deployment.
fn reopened(before: &Project, options: &UpOptions) -> Result<Project> {
    let now = Project::open(&before.folder, options.tracking_uri.as_deref())?;
    let (old, new) = (service(before), service(&now));
    if (&old.name, &old.state_dir) != (&new.name, &new.state_dir) {
        return Err(Error::Settings(
            "`model.name` and `deploy.state` name another deployment now: end this one with `trainyard up --down` \
             before they change"
                .to_owned(),
        ));
    }
    Ok(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::up::registry::opener;

    const TEXT: &str = "[model]\nname = \"Churn\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\n";

    fn options() -> UpOptions {
        UpOptions { program: "/bin/true".into(), tracking_uri: None, is_by_hand: true }
    }

    #[test]
    fn a_project_is_read_again_unless_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| {
            std::fs::write(folder.path().join(crate::FILE_NAME), text).unwrap();
        };
        write(TEXT);
        let before = Project::open(folder.path(), None).unwrap();
        write(&format!("{TEXT}[watch]\nmax_per_day = 9\n"));
        assert_eq!(reopened(&before, &options()).unwrap().config.watch.max_per_day, 9);
        write(&TEXT.replace("Churn", "Other"));
        let refused = reopened(&before, &options()).unwrap_err().to_string();
        assert!(refused.contains("another deployment"), "{refused}");
        write("[model");
        assert!(reopened(&before, &options()).is_err());
    }

    #[tokio::test]
    async fn a_project_has_one_supervisor() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(crate::FILE_NAME), TEXT).unwrap();
        let project = || Project::open(folder.path(), None).unwrap();
        let open = opener(|_project| std::future::ready(Err("closed".to_owned())));
        let told: Told = Arc::new(|_said: &Said| {});
        let begin = |projects: Vec<Project>| {
            Up::begin(projects, options(), Arc::clone(&open), Arc::clone(&told), false)
        };
        let twice = begin(vec![project(), project()]).await.unwrap_err();
        assert!(twice.to_string().contains("is named twice"), "{twice}");
        let first = begin(vec![project()]).await.unwrap();
        let second = begin(vec![project()]).await.unwrap_err();
        let expected = format!("is kept up by process {} already", std::process::id());
        assert!(second.to_string().contains(&expected), "{second}");
        drop(first);
        begin(vec![project()]).await.unwrap();
    }
}
