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
use crate::notify::{Happened, Occasion, Trouble, repeat, tell};
use crate::service::service;

/// Time between two looks at processes: what a user waits in vain at most before anything is done about it.
const PAUSE: Duration = Duration::from_millis(200);

/// The same where an engine is asked, for which that is work; it has a health check of its own.
const ENGINE_PAUSE: Duration = Duration::from_secs(1);

/// How long users may not be served before those who are named in `[notify]` hear of it: a new start takes less.
const OUTAGE_AFTER: Duration = Duration::from_secs(10);

/// How often an outage is said to an Alertmanager, which forgets what goes on when it is started again, and to all as long
/// as nobody heard of it.
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
    turn: Turn,
}

/// Whose turn it is to tell others.
type Turn = Arc<Mutex<()>>;

/// Users are not served.
struct Down {
    since: Instant,
    /// The same for whoever is told.
    trouble: Trouble,
    is_told: bool,
    /// Whether somebody heard what was told last.
    is_heard: Arc<AtomicBool>,
    /// When it was said last.
    said: Instant,
}

impl Down {
    fn new(reason: &str) -> Self {
        let now = Instant::now();
        let (trouble, is_heard) = (Trouble::new(reason), Arc::default());
        Self { since: now, trouble, is_told: false, is_heard, said: now }
    }

    /// Tells it, with this reason.
    fn tell(&mut self, turn: &Turn, project: &Arc<Project>, reason: String) {
        self.trouble.is_known = self.is_told;
        self.is_told = true;
        self.trouble.reason = reason;
        self.is_heard = Arc::default();
        self.say(turn, project);
    }

    /// Says it once more.
    fn say(&mut self, turn: &Turn, project: &Arc<Project>) {
        self.said = Instant::now();
        tell_aside(turn, project, Happened::Outage(self.trouble.clone()), &self.is_heard);
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
            turn: Turn::default(),
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
                    let down = self.down.get_or_insert_with(|| Down::new(&reason));
                    down.tell(&self.turn, project, reason);
                    self.paces.concluded(&found.id);
                    return;
                }
                Happened::Outage(Trouble::new(reason))
            }
        };
        self.paces.concluded(&found.id);
        tell_aside(&self.turn, project, happened, &Arc::default());
    }

    /// Tells when users are not served, and when they are again.
    fn tell_outage(&mut self, project: &Arc<Project>, standing: &Standing) {
        let model = &project.config.model.name;
        let Some(reason) = standing.outage() else {
            if let Some(down) = self.down.take().filter(|down| down.is_told) {
                let seconds = down.since.elapsed().as_secs();
                self.tell(&Said::note(model, format!("it serves again after {seconds} s")));
                let (from, since) = (Occasion::Outage, down.trouble.since);
                let over = Happened::Recovered { from, since };
                tell_aside(&self.turn, project, over, &Arc::default());
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
        let down = self.down.get_or_insert_with(|| Down::new(&reason));
        if down.is_told && down.said.elapsed() >= SAID_EVERY {
            down.say(&self.turn, project);
        }
        // What becomes of a way back is told, too.
        let is_told = down.is_told || self.going_back.is_under_way();
        if is_told || down.since.elapsed() < OUTAGE_AFTER {
            return;
        }
        down.tell(&self.turn, project, reason.clone());
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

/// Tells others, whom nobody waits for: users come first. One after the other: an outage that comes after its own end would
/// go on for whoever is told. What was heard is only said once more to those who forget it.
fn tell_aside(turn: &Turn, project: &Arc<Project>, happened: Happened, is_heard: &Arc<AtomicBool>) {
    let (turn, project, is_heard) = (Arc::clone(turn), Arc::clone(project), Arc::clone(is_heard));
    tokio::spawn(async move {
        let _turn = turn.lock().await;
        if is_heard.load(Ordering::Relaxed) {
            repeat(&project, &happened).await;
        } else if tell(&project, &happened).await {
            is_heard.store(true, Ordering::Relaxed);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex as StdMutex;

    use trainyard_deploy::{Condition, Ills, Post};

    use super::super::registry::opener;
    use super::*;
    use crate::notify::test_mail::{mailing, next_mail};

    #[tokio::test]
    async fn an_outage_is_told_before_its_end_and_once_more_when_nobody_heard() {
        let folder = tempfile::tempdir().unwrap();
        let (project, mut mails) =
            mailing(folder.path(), &["554 not here", "421 later", "220 here"]).await;
        let (project, turn) = (Arc::new(project), Turn::default());
        let mut down = Down::new("exit code 1");
        down.tell(&turn, &project, "exit code 1".to_owned());
        // The first is not heard, the second with the next try, and the third time there is nothing new.
        down.say(&turn, &project);
        down.say(&turn, &project);
        let since = down.trouble.since.clone();
        let over = Happened::Recovered { from: Occasion::Outage, since };
        tell_aside(&turn, &project, over, &Arc::default());
        let (first, last) = (next_mail(&mut mails).await, next_mail(&mut mails).await);
        assert!(first.contains("does not serve") && !first.contains("In-Reply-To"), "{first}");
        assert!(last.contains("the outage is over") && last.contains("In-Reply-To"), "{last}");
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
