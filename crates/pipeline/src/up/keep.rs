//! What serves a project is looked at several times a second, and started again where it ended. A version that cannot
//! live is rolled back, as long as there is one to go back to. People hear of one cause once, however many replicas end of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use trainyard_deploy::{Keeper, ReleaseEvent, Standing};

use super::going_back::{Ended, GoingBack, Outcome};
use super::pace::{CrashLoop, Paces};
use super::registry::Registry;
use super::said::{Once, Said, Told};
use crate::Project;
use crate::labels::version_of;
use crate::notify::{About, Happened, Ongoing, Trouble, notify};
use crate::service::service;

/// Time between two looks at processes: what a user waits in vain at most before anything is done about it.
const PAUSE: Duration = Duration::from_millis(200);

/// The same where an engine is asked, for which that is work; it has a health check of its own.
const ENGINE_PAUSE: Duration = Duration::from_secs(1);

/// How long users may not be served before those who are named in `[notify]` hear of it: a new start takes less.
const OUTAGE_AFTER: Duration = Duration::from_secs(10);

/// How often an outage is said to an Alertmanager, which forgets what goes on when it is started again, and to all as long
/// as somebody did not hear of it, or of its end.
const SAID_EVERY: Duration = Duration::from_mins(5);

/// One project that is kept up.
pub(super) struct Keeping {
    projects: watch::Receiver<Arc<Project>>,
    registry: Arc<Registry>,
    told: Told,
    paces: Paces,
    going_back: GoingBack,
    /// The release of which it was told that it serves.
    serving: Option<String>,
    down: Option<Down>,
    trouble: Once,
    outage: Outage,
}

/// Users are not served.
struct Down {
    since: Instant,
    is_told: bool,
    /// Why, as it was told.
    reason: String,
}

impl Down {
    fn new() -> Self {
        Self { since: Instant::now(), is_told: false, reason: String::new() }
    }
}

/// What others are told of outages. Nobody waits for them: users come first. One is told after the other: an outage that
/// came after its own end would go on for whoever is told.
#[derive(Default)]
struct Outage {
    ongoing: Arc<Mutex<Ongoing>>,
    /// When something was said last; nothing yet, and a process before this one may have told of an outage.
    said: Option<Instant>,
    /// Whether all heard it.
    is_heard: Arc<AtomicBool>,
}

impl Outage {
    /// Says that there is one for this reason, or that there is none.
    fn say(&mut self, project: &Arc<Project>, reason: Option<&str>) {
        self.said = Some(Instant::now());
        self.is_heard = Arc::default();
        let (ongoing, is_heard) = (Arc::clone(&self.ongoing), Arc::clone(&self.is_heard));
        let (project, reason) = (Arc::clone(project), reason.map(str::to_owned));
        tokio::spawn(async move {
            let mut ongoing = ongoing.lock().await;
            let have_heard = ongoing.say(&project, About::KeptUp, reason.as_deref()).await;
            is_heard.store(have_heard, Ordering::Relaxed);
            // What somebody did not hear of what happened before.
            notify(&project, &[]).await;
        });
    }

    /// Whether it is time to say it once more.
    fn is_due(&self) -> bool {
        self.said.is_none_or(|said| said.elapsed() >= SAID_EVERY)
    }

    /// Whether somebody has not heard what was said last.
    fn is_open(&self) -> bool {
        !self.is_heard.load(Ordering::Relaxed)
    }

    /// Tells something else in its turn.
    fn tell(&self, project: &Arc<Project>, happened: Happened) {
        let (ongoing, project) = (Arc::clone(&self.ongoing), Arc::clone(project));
        tokio::spawn(async move {
            let _turn = ongoing.lock().await;
            notify(&project, &[happened]).await;
        });
    }
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
            going_back: GoingBack::default(),
            serving: None,
            down: None,
            trouble: Once::default(),
            outage: Outage::default(),
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
        if let Some(ended) = self.going_back.ended() {
            self.gone_back(project, standing, ended);
        }
        if !self.going_back.is_under_way()
            && let Some(found) = self.paces.crash_loop(standing)
        {
            self.give_up(project, standing, found);
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
    fn give_up(&mut self, project: &Arc<Project>, standing: &Standing, found: CrashLoop) {
        let CrashLoop { id, deaths, cause, .. } = &found;
        let version = version_of(&standing.label).unwrap_or("unknown");
        let reason = format!(
            "crash loop: {id} (version {version}) ended {deaths} times in a row, last with {cause}"
        );
        // Said once, also where somebody changes the service now and it is tried again.
        self.tell_trouble(project, &format!("{reason}; going back"));
        self.going_back.begin(project, &self.registry, found, reason);
    }

    /// What became of it.
    fn gone_back(&mut self, project: &Arc<Project>, standing: &Standing, ended: Ended) {
        let Ended { found, reason, outcome } = ended;
        let model = project.config.model.name.clone();
        let happened = match outcome {
            // It is found again.
            Outcome::NotNow => return,
            Outcome::Back { version } => {
                self.tell(&Said::trouble(
                    &model,
                    format!("went back to version {version}: {reason}"),
                ));
                Happened::RolledBack { version: Some(version), reason }
            }
            Outcome::NoWay { why } => {
                let reason = format!("{reason}; there is no way back: {why}");
                self.tell(&Said::trouble(&model, reason.clone()));
                if !found.is_first {
                    // The same again every few minutes, all night.
                    self.paces.concluded(&found.id);
                    return;
                }
                if standing.outage().is_some() {
                    // That users are not served is the same piece of news.
                    self.outage.say(project, Some(&reason));
                    let down = self.down.get_or_insert_with(Down::new);
                    (down.is_told, down.reason) = (true, reason);
                    self.paces.concluded(&found.id);
                    return;
                }
                Happened::Outage(Trouble::new(reason))
            }
        };
        self.paces.concluded(&found.id);
        self.outage.tell(project, happened);
    }

    /// Tells when users are not served, and when they are again.
    fn tell_outage(&mut self, project: &Arc<Project>, standing: &Standing) {
        let model = &project.config.model.name;
        let Some(reason) = standing.outage() else {
            if let Some(down) = self.down.take().filter(|down| down.is_told) {
                let seconds = down.since.elapsed().as_secs();
                self.tell(&Said::note(model, format!("it serves again after {seconds} s")));
                self.outage.say(project, None);
            } else if self.outage.is_open() && self.outage.is_due() {
                // Whoever was away, or was told by a process before this one.
                self.outage.say(project, None);
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
        let down = self.down.get_or_insert_with(Down::new);
        if down.is_told && self.outage.is_due() {
            self.outage.say(project, Some(&down.reason));
        }
        // What becomes of a way back is told, too.
        let is_told = down.is_told || self.going_back.is_under_way();
        if is_told || down.since.elapsed() < OUTAGE_AFTER {
            return;
        }
        (down.is_told, down.reason) = (true, reason.clone());
        self.outage.say(project, Some(&reason));
        self.tell(&Said::trouble(model, format!("users are not served: {reason}")));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex as StdMutex;

    use trainyard_deploy::{Condition, Ills, Post};

    use super::super::registry::opener;
    use super::*;
    use crate::notify::test_mail::{MailServer, mailing, next_mail};

    #[tokio::test]
    async fn an_outage_is_told_before_its_end_and_its_end_by_whoever_comes_after() {
        let folder = tempfile::tempdir().unwrap();
        let (project, mut mails) = mailing(folder.path(), MailServer::default()).await;
        let project = Arc::new(project);
        let mut before = Outage::default();
        before.say(&project, Some("exit code 1"));
        before.say(&project, Some("exit code 1"));
        let first = next_mail(&mut mails).await;
        assert!(first.contains("does not serve") && !first.contains("In-Reply-To"), "{first}");
        let is_said = async {
            while before.is_open() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(2), is_said).await.unwrap();
        // Another process, which knows nothing of it, finds that all is well.
        drop(before);
        let (_sender, projects) = watch::channel(Arc::clone(&project));
        let registry = Arc::new(Registry::new(opener(|_project| std::future::pending())));
        let mut keeping = Keeping::new(projects, registry, Arc::new(|_said: &Said| {}));
        let standing = Standing {
            current: Some("r1".to_owned()),
            label: BTreeMap::new(),
            gateway: Condition::Well,
            instances: vec![Post {
                id: "r1".to_owned(),
                condition: Condition::Well,
                is_by_hand: false,
            }],
            uses_engine: false,
        };
        for _look in 0..3 {
            keeping.tell_outage(&project, &standing);
        }
        let last = next_mail(&mut mails).await;
        assert!(last.contains("the outage is over") && last.contains("In-Reply-To"), "{last}");
        // What is said last is said after all that was said before.
        keeping.outage.say(&project, Some("exit code 2"));
        let next = next_mail(&mut mails).await;
        assert!(next.contains("exit code 2") && !next.contains("In-Reply-To"), "{next}");
        assert!(mails.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_registry_that_is_silent_holds_up_no_look_and_replicas_are_one_cause() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[model]\nname = \"Iris\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\n";
        std::fs::write(folder.path().join(crate::FILE_NAME), text).unwrap();
        let project = Arc::new(Project::open(folder.path(), None).unwrap());
        let (_sender, projects) = watch::channel(Arc::clone(&project));
        let registry = Arc::new(Registry::new(opener(|_project| std::future::pending())));
        let lines = Arc::new(StdMutex::new(Vec::new()));
        let told: Told = {
            let lines = Arc::clone(&lines);
            Arc::new(move |said: &Said| lines.lock().unwrap().push(said.text.clone()))
        };
        let mut keeping = Keeping::new(projects, registry, told);
        let mut keeper = Keeper::new(service(&project));
        let post = |id: &str| Post {
            id: id.to_owned(),
            condition: Condition::Ended("exit code 1".to_owned()),
            is_by_hand: false,
        };
        let standing = Standing {
            current: Some("r1".to_owned()),
            label: BTreeMap::new(),
            gateway: Condition::Well,
            instances: vec![post("r1"), post("r1.2")],
            uses_engine: false,
        };
        let ills = Ills { gateway: None, instances: standing.instances.clone() };
        for _death in 0..4 {
            keeping.paces.note(&standing, Instant::now());
            keeping.paces.tried(&ills);
        }
        // This would wait for the registry.
        for _look in 0..3 {
            keeping.act(&project, &mut keeper, &standing).await;
            assert!(keeping.going_back.is_under_way());
        }
        let lines = lines.lock().unwrap();
        let going = lines.iter().filter(|line| line.ends_with("; going back")).count();
        assert_eq!(going, 1, "{lines:?}");
    }
}
