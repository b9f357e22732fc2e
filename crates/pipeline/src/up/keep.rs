//! What serves a project is looked at several times a second, and started again where it ended. A version that cannot
//! live is rolled back, as long as there is one to go back to.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use trainyard_deploy::{Error as DeployError, Keeper, ReleaseEvent, Standing};

use super::pace::{CrashLoop, Paces};
use super::registry::Registry;
use super::said::{Once, Said, Told};
use crate::event::Event;
use crate::labels::version_of;
use crate::notify::{Happened, notify};
use crate::rollback::{RollbackOptions, rollback};
use crate::service::service;
use crate::{Error, Project};

/// Time between two looks at processes: what a user waits in vain at most before anything is done about it.
const PAUSE: Duration = Duration::from_millis(200);

/// The same where an engine is asked, for which that is work; it has a health check of its own.
const ENGINE_PAUSE: Duration = Duration::from_secs(1);

/// How long users may not be served before those who are named in `[notify]` hear of it: a new start takes less.
const OUTAGE_AFTER: Duration = Duration::from_secs(10);

/// How long the tracking store may take to be opened when traffic is to go back.
const REGISTRY_LIMIT: Duration = Duration::from_secs(30);

/// One project that is kept up.
pub(super) struct Keeping {
    projects: watch::Receiver<Arc<Project>>,
    registry: Arc<Registry>,
    told: Told,
    paces: Paces,
    /// The release of which it was told that it serves.
    serving: Option<String>,
    down: Option<Down>,
    trouble: Once,
}

/// Users are not served.
struct Down {
    since: Instant,
    is_told: bool,
}

impl Keeping {
    pub(super) fn new(
        projects: watch::Receiver<Arc<Project>>,
        registry: Arc<Registry>,
        told: Told,
    ) -> Self {
        Self {
            projects,
            registry,
            told,
            paces: Paces::default(),
            serving: None,
            down: None,
            trouble: Once::default(),
        }
    }

    /// Looks and acts until it is dropped, which is safe at any time.
    pub(super) async fn run(mut self) {
        let mut project = Arc::clone(&self.projects.borrow_and_update());
        let mut keeper = Keeper::new(service(&project));
        loop {
            if self.projects.has_changed().unwrap_or(false) {
                project = Arc::clone(&self.projects.borrow_and_update());
                keeper.set_service(service(&project));
            }
            let pause = match keeper.look().await {
                Ok(standing) => {
                    self.act(&project, &mut keeper, &standing).await;
                    self.tell_outage(&project, &standing);
                    if standing.uses_engine { ENGINE_PAUSE } else { PAUSE }
                }
                Err(error) => {
                    self.tell_trouble(&project, &format!("nobody can tell what runs: {error}"));
                    ENGINE_PAUSE
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn act(&mut self, project: &Arc<Project>, keeper: &mut Keeper, standing: &Standing) {
        let now = Instant::now();
        self.paces.note(standing, now);
        if let Some(found) = self.paces.crash_loop(standing) {
            self.give_up(project, standing, found).await;
            return;
        }
        let ills = self.paces.due(standing, now);
        if ills.is_empty() {
            return;
        }
        let model = &project.config.model.name;
        let told = Arc::clone(&self.told);
        let progress = |event: ReleaseEvent| {
            let is_told = matches!(
                event,
                ReleaseEvent::Revived { .. }
                    | ReleaseEvent::Killed { .. }
                    | ReleaseEvent::GatewayUpgraded { .. }
                    | ReleaseEvent::GatewayReady { started: true, .. }
            );
            if is_told {
                told(&Said::trouble(model, event.to_string()));
            }
        };
        match Box::pin(keeper.revive(&ills, &progress)).await {
            // Somebody changes the service, and knows better.
            Ok(None) => return,
            Ok(Some(revived)) => {
                for error in &revived.failures {
                    self.tell_trouble(project, &format!("it cannot be started again: {error}"));
                }
                if revived.failures.is_empty() {
                    self.trouble.clear();
                }
            }
            Err(error) => {
                self.tell_trouble(project, &format!("it cannot be started again: {error}"));
            }
        }
        self.paces.tried(&ills);
    }

    /// A version that cannot live: what served before is to serve again.
    async fn give_up(&mut self, project: &Arc<Project>, standing: &Standing, found: CrashLoop) {
        let CrashLoop { id, deaths, cause, is_first } = found;
        let model = project.config.model.name.clone();
        let version = version_of(&standing.label).unwrap_or("unknown");
        let reason = format!(
            "crash loop: {id} (version {version}) ended {deaths} times in a row, last with {cause}"
        );
        // Said once, also where somebody changes the service now and it is tried again.
        self.tell_trouble(project, &format!("{reason}; going back"));
        let opening = tokio::time::timeout(REGISTRY_LIMIT, self.registry.of(project));
        let outcome = match opening.await {
            Ok(Ok(opened)) => {
                let options = RollbackOptions { to: None, reason: Some(reason.clone()) };
                let watcher = |_event: Event| {};
                let rolling = Box::pin(rollback(project, &opened.tracking, options, &watcher));
                match rolling.await {
                    // Not now: whoever changes it may bring another version anyway.
                    Err(Error::Deploy(DeployError::Locked { .. })) => return,
                    outcome => outcome.map_err(|error| error.message()),
                }
            }
            Ok(Err(why)) => Err(why),
            Err(_elapsed) => Err("the tracking store does not answer".to_owned()),
        };
        self.paces.concluded(&id);
        let happened = match outcome {
            Ok(deployed) => {
                let version = deployed.version;
                self.tell(&Said::trouble(
                    &model,
                    format!("went back to version {version}: {reason}"),
                ));
                Happened::RolledBack { version: Some(version), reason }
            }
            Err(why) => {
                let reason = format!("{reason}; there is no way back: {why}");
                self.tell(&Said::trouble(&model, reason.clone()));
                if !is_first {
                    // The same again every few minutes, all night.
                    return;
                }
                Happened::Outage { reason }
            }
        };
        notify_aside(project, happened);
    }

    /// Tells when users are not served, and when they are again.
    fn tell_outage(&mut self, project: &Arc<Project>, standing: &Standing) {
        let model = &project.config.model.name;
        let Some(reason) = standing.outage() else {
            if let Some(down) = self.down.take().filter(|down| down.is_told) {
                let seconds = down.since.elapsed().as_secs();
                self.tell(&Said::note(model, format!("it serves again after {seconds} s")));
            }
            let is_news = standing.current.is_some() && self.serving != standing.current;
            if let Some(id) = standing.current.as_ref().filter(|_| is_news) {
                let version = version_of(&standing.label).unwrap_or("unknown");
                self.tell(&Said::note(model, format!("{id} (version {version}) serves")));
            }
            self.serving.clone_from(&standing.current);
            return;
        };
        self.serving = None;
        let down = self.down.get_or_insert_with(|| Down { since: Instant::now(), is_told: false });
        if down.is_told || down.since.elapsed() < OUTAGE_AFTER {
            return;
        }
        down.is_told = true;
        self.tell(&Said::trouble(model, format!("users are not served: {reason}")));
        notify_aside(project, Happened::Outage { reason });
    }

    fn tell(&self, said: &Said) {
        (self.told)(said);
    }

    /// The same trouble again is no news.
    fn tell_trouble(&mut self, project: &Project, text: &str) {
        if self.trouble.is_news(text) {
            self.tell(&Said::trouble(&project.config.model.name, text));
        }
    }
}

/// Tells others, whom nobody waits for: users come first.
fn notify_aside(project: &Arc<Project>, happened: Happened) {
    let project = Arc::clone(project);
    tokio::spawn(async move { notify(&project, &[happened]).await });
}
