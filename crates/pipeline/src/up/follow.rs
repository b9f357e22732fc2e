//! What `run --watch` does, for a project that is kept up: the alias is followed through releases, what was broken off
//! is settled, drift is looked for. And the beginning: where nothing serves, the version that should is released.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::watch;
use tokio::time::Instant;
use trainyard_deploy::{should_serve, was_stopped};

use super::registry::{Opened, Registry};
use super::said::{Once, Said, Told};
use crate::agreement::{LOOK, follow};
use crate::baseline::serving;
use crate::candidate::Candidate;
use crate::deploy::{DeployOptions, deploy};
use crate::event::Event;
use crate::notify::{Happened, notify};
use crate::refusal::is_verdict;
use crate::retrain::{Turn, turn};
use crate::run::RunOptions;
use crate::service::service;
use crate::states::State;
use crate::troubles::Troubles;
use crate::watch::Times;
use crate::{Error, Project, Result};

/// How long a version that was refused is not tried again: by itself it becomes no better.
const REFUSED_PAUSE: Duration = Duration::from_mins(30);

/// One project that is followed.
pub(super) struct Following {
    program: PathBuf,
    projects: watch::Receiver<Arc<Project>>,
    registry: Arc<Registry>,
    told: Told,
    /// Whether this process has just begun, and something is to serve.
    begins: bool,
    /// Also where it was stopped on purpose.
    is_by_hand: bool,
    /// Until when nothing is released by itself.
    resting: Option<Instant>,
    waiting: Once,
    trouble: Once,
}

impl Following {
    pub(super) fn new(
        program: PathBuf,
        is_by_hand: bool,
        projects: watch::Receiver<Arc<Project>>,
        registry: Arc<Registry>,
        told: Told,
    ) -> Self {
        Self {
            program,
            projects,
            registry,
            told,
            begins: true,
            is_by_hand,
            resting: None,
            waiting: Once::default(),
            trouble: Once::default(),
        }
    }

    /// Goes on until it is dropped, or nobody can change the project any more.
    pub(super) async fn run(mut self) {
        while self.projects.has_changed().is_ok() {
            let project = Arc::clone(&self.projects.borrow_and_update());
            // What was refused may be accepted by what the project says now.
            self.resting = None;
            match self.registry.of(&project).await {
                Ok(opened) => self.until_changed(&project, &opened).await,
                Err(reason) => {
                    let text = format!("the tracking store cannot be opened: {reason}");
                    self.tell_trouble(&project, &text);
                    self.pause(LOOK).await;
                }
            }
        }
    }

    /// Follows the project as it is until its file is read again.
    async fn until_changed(&mut self, project: &Arc<Project>, opened: &Opened) {
        let mut troubles = Troubles::default();
        let options = RunOptions {
            program: self.program.clone(),
            tracking_url: opened.tracking_url.clone(),
            only_if_new: true,
            look: None,
            take_production: false,
        };
        loop {
            let now = Utc::now();
            let times = Times::of(&project.config.watch).ok();
            let next = times.and_then(|times| times.after(now));
            // Without a next time (a 30th of February) drift is not looked for.
            let until = next.map(|next| Instant::now() + (next - now).to_std().unwrap_or_default());
            while until.is_none_or(|until| Instant::now() < until) {
                self.agree(project, opened).await;
                let left = until.map(|until| until.saturating_duration_since(Instant::now()));
                if self.pause(left.unwrap_or(LOOK).min(LOOK)).await {
                    return;
                }
            }
            let watcher = |_event: Event| {};
            let looking = turn(project, &opened.tracking, &options, &watcher, &mut troubles);
            let turn = Box::pin(looking).await.map_or_else(Turn::Failed, |looked| looked.turn);
            self.tell(&Said::note(&project.config.model.name, turn.sentence()));
        }
    }

    /// What serves, what is labelled and what was begun are brought into agreement.
    async fn agree(&mut self, project: &Project, opened: &Opened) {
        if let Err(error) = Box::pin(self.begin(project, opened)).await {
            self.begun_badly(project, &error).await;
        }
        let watcher = |_event: Event| {};
        let following = Box::pin(follow(project, &opened.tracking, &self.program, &watcher));
        match following.await {
            Ok(()) => self.trouble.clear(),
            Err(error) => {
                let text = format!("the alias cannot be followed now: {}", error.message());
                self.tell_trouble(project, &text);
            }
        }
    }

    /// Where nothing should serve, releases what served last when this process has just begun (unless somebody stopped
    /// it), and what is approved or in production where nothing ever served.
    async fn begin(&mut self, project: &Project, opened: &Opened) -> Result<()> {
        if should_serve(&service(project)).await? {
            self.begins = false;
            self.waiting.clear();
            return Ok(());
        }
        let model = &project.config.model.name;
        let last = serving(project).await?;
        if last.is_some() && self.begins && !self.is_by_hand && was_stopped(&service(project))? {
            self.begins = false;
        }
        if last.is_some() && !self.begins {
            self.tell_waiting(model, "it was stopped; `trainyard deploy` brings it up");
            return Ok(());
        }
        if self.resting.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        let options = DeployOptions {
            program: self.program.clone(),
            version: last,
            reason: Some("`trainyard up` brings it up".to_owned()),
            ..DeployOptions::default()
        };
        let watcher = |_event: Event| {};
        let is_first = options.version.is_none();
        if is_first {
            self.tell_first_release(project, opened).await?;
        }
        let deployed = deploy(project, &opened.tracking, options, &watcher).await?;
        self.begins = false;
        self.waiting.clear();
        let text = format!("version {} was brought up at {}", deployed.version, deployed.url);
        self.tell(&Said::note(model, text));
        if is_first {
            let url = Some(deployed.url);
            notify(project, &[Happened::Promoted { version: deployed.version, url }]).await;
        }
        Ok(())
    }

    /// Says what is about to go into production by itself, as nothing ever did.
    async fn tell_first_release(&mut self, project: &Project, opened: &Opened) -> Result<()> {
        let first = Candidate::to_release(project, &opened.tracking).await?;
        let why = if State::of(&first.version) == Some(State::Approved) {
            "as Staging approves it"
        } else {
            "as Production names it"
        };
        let version = &first.version.version;
        let text = format!(
            "nothing was ever released here: version {version} goes into production now, {why}; later versions wait \
             for `trainyard deploy`"
        );
        self.tell_waiting(&project.config.model.name, &text);
        Ok(())
    }

    /// Why nothing serves yet.
    async fn begun_badly(&mut self, project: &Project, error: &Error) {
        let model = &project.config.model.name;
        let message = error.message();
        let first = message.lines().next().unwrap_or_default();
        if let Error::Missing { .. } = error {
            self.tell_waiting(model, &format!("nothing to serve yet, waiting: {first}"));
            return;
        }
        // What served before is not refused for good: its host may have been slow.
        let is_slow = matches!(error, Error::Deploy(trainyard_deploy::Error::Unhealthy(_)));
        if is_verdict(error) && !is_slow {
            self.resting = Some(Instant::now() + REFUSED_PAUSE);
        }
        if self.waiting.is_news(first) {
            self.tell(&Said::trouble(model, format!("it cannot be brought up: {first}")));
            notify(project, Happened::of_failure(error).as_slice()).await;
        }
    }

    /// Waits; whether the project's file was read again meanwhile.
    async fn pause(&mut self, time: Duration) -> bool {
        tokio::select! {
            // An error would be that nobody reads it any more.
            _changed_or_over = self.projects.changed() => true,
            () = tokio::time::sleep(time) => false,
        }
    }

    fn tell(&self, said: &Said) {
        (self.told)(said);
    }

    fn tell_waiting(&mut self, model: &str, text: &str) {
        if self.waiting.is_news(text) {
            self.tell(&Said::note(model, text));
        }
    }

    fn tell_trouble(&mut self, project: &Project, text: &str) {
        if self.trouble.is_news(text) {
            self.tell(&Said::trouble(&project.config.model.name, text));
        }
    }
}
