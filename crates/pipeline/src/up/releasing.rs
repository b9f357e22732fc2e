//! Releases, rollbacks and judgements that are asked for on pages: by the same steps as the commands of this host, for
//! whoever asked, one at a time. Beside a release that goes on only the way back is taken, which ends it.
//!
//! Each is done at most once. It is written down before it is begun; where this process ends on the way, the next one looks
//! at what became of the release, as its own files say it, and begins nothing again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use trainyard_base::Advise as _;
use trainyard_base::service::{
    ReleaseAnswer, ReleaseKind, ReleaseState, ReleaseWish, WISH_GOOD_FOR_MS, cut,
};
use trainyard_deploy::gateway::Mode;
use trainyard_deploy::{Error as DeployError, Outcome, ServiceStatus};
use trainyard_mlflow::secrets::hide;
use trainyard_mlflow::{Tracking, VersionId};

use super::said::{Said, Told};
use crate::baseline::serving;
use crate::deploy::{DeployOptions, deploy};
use crate::event::Event;
use crate::labels::version_of;
use crate::notify::{Happened, notify};
use crate::promote::{PromoteOptions, promote};
use crate::rollback::{RollbackOptions, rollback};
use crate::service::service;
use crate::service_record::{News, keep_asked_release, last_asked_release};
use crate::{Error, Project};

/// Characters of what is said of one, which is part of a record.
const SAID_CHARACTERS: usize = 800;

/// How often it is looked whether it is a release's turn.
const RETRY: Duration = Duration::from_millis(200);

/// Who is named where nobody has to say who they are.
const NOBODY: &str = "somebody";

/// Whoever does them for one project.
#[derive(Clone)]
struct Doer {
    program: PathBuf,
    told: Told,
    news: Arc<News>,
}

/// What is done of them, if anything is.
pub(super) struct Releasing {
    doer: Doer,
    doing: JoinSet<()>,
    /// The last one that was taken here, also where that cannot be written down.
    taken: String,
}

impl Releasing {
    pub(super) fn new(program: PathBuf, told: Told, news: Arc<News>) -> Self {
        let doer = Doer { program, told, news };
        Self { doer, doing: JoinSet::new(), taken: String::new() }
    }

    /// Takes what is asked for, unless it was taken before or something else is done. It is done meanwhile.
    pub(super) async fn look(
        &mut self,
        project: &Arc<Project>,
        tracking: &Tracking,
        wish: Option<ReleaseWish>,
    ) {
        while let Some(ended) = self.doing.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a release that was asked for broke off");
            }
        }
        // Where it is not known what was taken nothing is: what was asked before would be done again.
        let Ok(last) = last_asked_release(project) else { return };
        let doing = last.as_ref().filter(|last| last.state == ReleaseState::Doing);
        if let (Some(last), true) = (doing, self.doing.is_empty()) {
            if let Some(ended) = broken_off(project, last).await {
                self.doer.end(project, &ended);
            }
            return;
        }
        let Some(wish) = wish else { return };
        if wish.id == self.taken || last.as_ref().is_some_and(|last| last.id == wish.id) {
            return;
        }
        // A release that goes on may be ended, for hours where users get the new version little by little.
        let ends = wish.what == ReleaseKind::Rollback
            && doing.is_some_and(|last| last.what == ReleaseKind::Release);
        if !self.doing.is_empty() && !ends {
            return;
        }
        self.taken.clone_from(&wish.id);
        let answer = wish.taken(Utc::now().timestamp_millis());
        if let Err(error) = keep_asked_release(project, &answer) {
            // Done all the same, it might be done twice.
            let error = error.message();
            let text =
                format!("{} is not done, as it cannot be written down: {error}", named(&answer));
            (self.doer.told)(&Said::trouble(&project.config.model.name, text));
            return;
        }
        let (doer, project, tracking) = (self.doer.clone(), Arc::clone(project), tracking.clone());
        self.doing.spawn(async move { doer.take(&project, &tracking, &wish, answer).await });
    }
}

impl Doer {
    async fn take(
        &self,
        project: &Project,
        tracking: &Tracking,
        wish: &ReleaseWish,
        answer: ReleaseAnswer,
    ) {
        let text = format!("{} was asked on a page by {}", named(&answer), by(wish));
        (self.told)(&Said::note(&project.config.model.name, text));
        let now = Utc::now().timestamp_millis();
        let ended = match Box::pin(self.done(project, tracking, wish, now)).await {
            Ok(said) => (ReleaseState::Done, said),
            Err(ended) => ended,
        };
        self.news.do_now(None);
        let said = cut(&hide(&ended.1), SAID_CHARACTERS);
        self.end(project, &answer.ended(ended.0, said, Utc::now().timestamp_millis()));
    }

    /// Says how one ended.
    fn end(&self, project: &Project, answer: &ReleaseAnswer) {
        // Whoever ended it is what was taken last.
        let is_last = last_asked_release(project)
            .is_ok_and(|last| last.is_none_or(|last| last.id == answer.id));
        if is_last && let Err(error) = keep_asked_release(project, answer) {
            tracing::warn!(error = error.message(), "how a release ended is not written down");
        }
        let how = match answer.state {
            ReleaseState::Done => "is done",
            ReleaseState::Refused => "is refused",
            ReleaseState::Failed => "failed",
            ReleaseState::Doing | ReleaseState::Unknown => "ended, nobody knows how",
        };
        let model = &project.config.model.name;
        let text = format!("{} {how}: {}", named(answer), answer.said);
        let is_done = answer.state == ReleaseState::Done;
        let said = if is_done { Said::note(model, text) } else { Said::trouble(model, text) };
        (self.told)(&said);
    }

    /// Does what is asked; what it came to, or how it ended and why.
    async fn done(
        &self,
        project: &Project,
        tracking: &Tracking,
        wish: &ReleaseWish,
        now_ms: i64,
    ) -> Result<String, (ReleaseState, String)> {
        check(project, tracking, wish, now_ms).await.map_err(|why| (ReleaseState::Refused, why))?;
        let watcher = |event: Event| {
            if let Event::Progress { message, .. } = event {
                self.news.do_now(Some(&message));
            }
        };
        let version = wish.version.clone();
        let reason = Some(wish.reason.clone()).filter(|reason| !reason.is_empty());
        let asked_by = Some(by(wish).to_owned());
        let outcome = match wish.what {
            ReleaseKind::Release => {
                let options = DeployOptions {
                    program: self.program.clone(),
                    version: Some(version),
                    reason,
                    asked_by,
                    take_production: false,
                };
                let deployed = Box::pin(deploy(project, tracking, options, &watcher)).await;
                deployed.map(|deployed| {
                    let text = format!("version {} serves at {}", deployed.version, deployed.url);
                    let (version, url) = (deployed.version, Some(deployed.url));
                    (text, Some(Happened::Promoted { version, url }))
                })
            }
            ReleaseKind::Rollback => {
                let why = reason.clone().unwrap_or_else(|| format!("asked by {}", by(wish)));
                let options = RollbackOptions { to: Some(version), reason, asked_by };
                let rolled = Box::pin(rollback(project, tracking, options, &watcher)).await;
                rolled.map(|rolled| {
                    let text = format!("version {} serves at {}", rolled.version, rolled.url);
                    let version = Some(rolled.version);
                    (text, Some(Happened::RolledBack { version, reason: why }))
                })
            }
            ReleaseKind::Promote => {
                let (version, to_production) = (Some(version), false);
                let options = PromoteOptions { version, to_production, reason, asked_by };
                let promoted = Box::pin(promote(project, tracking, options, &watcher)).await;
                promoted
                    .map(|promoted| (format!("the gate passed: {}", promoted.gate.summary()), None))
            }
            ReleaseKind::Unknown => {
                return Err((ReleaseState::Refused, "nobody knows how".to_owned()));
            }
        };
        let (told, happened) = match outcome {
            Ok((said, happened)) => (Ok(said), happened),
            Err(error) => (Err(ended_with(&error)), Happened::of_failure(&error)),
        };
        notify(project, happened.as_slice()).await;
        told
    }
}

/// Why something is not done that was never begun, or failed on the way, in the words of the commands.
fn ended_with(error: &Error) -> (ReleaseState, String) {
    let state = match error.exit_code() {
        // Nothing of the failure is the host's: asked again it would end in the same way.
        2 | 3 => ReleaseState::Refused,
        _ => ReleaseState::Failed,
    };
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    (state, format!("{}{hint}", error.message()))
}

/// Refuses what was asked of another service than this is now.
async fn check(
    project: &Project,
    tracking: &Tracking,
    wish: &ReleaseWish,
    now_ms: i64,
) -> Result<(), String> {
    if !project.config.deploy.releases_from_pages {
        return Err("`releases_from_pages` is false under [deploy] of its project".to_owned());
    }
    if wish.is_untimely(now_ms) {
        let minutes = WISH_GOOD_FOR_MS / 60_000;
        return Err(format!(
            "it was asked more than {minutes} minutes before or after it was heard of, by this host's clock; ask again"
        ));
    }
    let id = VersionId { name: &project.config.model.name, version: &wish.version };
    // What else is wrong with it, whoever releases it says.
    if let Ok(found) = tracking.model_versions.get(id).await
        && found.creation_timestamp > wish.at_ms
    {
        return Err(format!(
            "version {} was made after it was asked for: it is another one",
            wish.version
        ));
    }
    if wish.what == ReleaseKind::Promote {
        return Ok(());
    }
    let status = in_turn(project, wish).await?;
    let gateway = status.as_ref().and_then(|status| status.gateway.as_ref());
    match (gateway.map(|gateway| &gateway.mode), wish.what) {
        (None, _) => {
            return Err(
                "the service does not run: it was stopped, or its gateway ended; `trainyard deploy` on its host \
                 brings it up"
                    .to_owned(),
            );
        }
        // Nothing would be known of how the new version does.
        (Some(Mode::Paused { .. }), ReleaseKind::Release) => {
            return Err("the service is paused; open it again first".to_owned());
        }
        (Some(Mode::Maintenance { .. }), ReleaseKind::Release) => {
            return Err("the service is closed for maintenance; open it again first".to_owned());
        }
        _ => {}
    }
    let serves = serving(project).await.map_err(|error| error.message())?;
    let is_as_asked = match &serves {
        Some(serves) => wish.beside.contains(serves),
        None => wish.beside.is_empty(),
    };
    if !is_as_asked {
        let serves = serves.map_or("no version".to_owned(), |serves| format!("version {serves}"));
        let beside = match wish.beside.as_slice() {
            [] => "none".to_owned(),
            beside => beside.join(" or "),
        };
        return Err(format!(
            "{serves} serves by now, and {beside} did where it was asked; look at it and ask again"
        ));
    }
    Ok(())
}

/// The service as soon as nobody changes it, or at once where that is what is to end; none where nothing is deployed.
async fn in_turn(project: &Project, wish: &ReleaseWish) -> Result<Option<ServiceStatus>, String> {
    let service = service(project);
    let start = Instant::now();
    loop {
        let status = match Box::pin(trainyard_deploy::status(&service)).await {
            Ok(status) => status,
            Err(DeployError::NotDeployed { .. }) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let Some(holder) = &status.holder else { return Ok(Some(status)) };
        let serves = serving(project).await.map_err(|error| error.message())?;
        if wish.what == ReleaseKind::Rollback && serves.as_ref() == Some(&wish.version) {
            return Ok(Some(status));
        }
        if start.elapsed() >= service.lock_wait {
            let now_ms = Utc::now().timestamp_millis().unsigned_abs();
            let (pid, what) = (holder.pid, holder.what.clone());
            let seconds = now_ms.saturating_sub(holder.since_ms) / 1000;
            return Err(
                DeployError::Locked { service: service.name, pid, what, seconds }.to_string()
            );
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// What became of one whose process ended before it was through; none while that is still to be settled.
async fn broken_off(project: &Project, last: &ReleaseAnswer) -> Option<ReleaseAnswer> {
    const ENDED: &str = "the supervisor of the host ended on the way";
    let now = Utc::now().timestamp_millis();
    let end = |state, said: String| Some(last.clone().ended(state, said, now));
    if last.what == ReleaseKind::Promote {
        let said = format!("{ENDED}; what the gate said by then is on the page of the version");
        return end(ReleaseState::Unknown, said);
    }
    let service = service(project);
    let status = match Box::pin(trainyard_deploy::status(&service)).await {
        Ok(status) => status,
        Err(DeployError::NotDeployed { .. }) => {
            return end(ReleaseState::Failed, format!("{ENDED}, and nothing is deployed"));
        }
        Err(_not_now) => return None,
    };
    // Whoever follows the alias settles it.
    if status.holder.is_some() || status.unfinished.is_some() {
        return None;
    }
    let version = &last.version;
    let history = trainyard_deploy::history(&service).ok()?;
    let since = last.taken_ms.unsigned_abs();
    let told = history
        .iter()
        .rev()
        .find(|entry| entry.at_ms >= since && version_of(&entry.label) == Some(version.as_str()));
    match told.map(|entry| &entry.outcome) {
        Some(Outcome::Released) => {}
        Some(Outcome::RolledBack(why) | Outcome::Failed(why)) => {
            return end(ReleaseState::Failed, format!("{ENDED}: {why}"));
        }
        Some(Outcome::Interrupted) | None => {
            let serves = serving(project).await.ok()?;
            if serves.as_ref() != Some(version) {
                let serves =
                    serves.map_or("nothing".to_owned(), |serves| format!("version {serves}"));
                let said =
                    format!("{ENDED}, before version {version} got requests; {serves} serves");
                return end(ReleaseState::Failed, said);
            }
        }
    }
    end(
        ReleaseState::Done,
        format!("version {version} serves; {ENDED}, and the release was finished"),
    )
}

fn by(wish: &ReleaseWish) -> &str {
    if wish.by.is_empty() { NOBODY } else { &wish.by }
}

/// One in a few words.
fn named(answer: &ReleaseAnswer) -> String {
    let version = &answer.version;
    match answer.what {
        ReleaseKind::Release => format!("the release of version {version}"),
        ReleaseKind::Rollback => format!("the way back to version {version}"),
        ReleaseKind::Promote => format!("the judgement of version {version}"),
        ReleaseKind::Unknown => "what nobody knows".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use trainyard_mlflow::CreateModelVersion;

    use super::*;

    const TEXT: &str = "[model]\nname = \"Churn\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\n";

    fn releasing(lines: &Arc<Mutex<Vec<String>>>) -> Releasing {
        let lines = Arc::clone(lines);
        let told: Told = Arc::new(move |said: &Said| lines.lock().unwrap().push(said.text.clone()));
        Releasing::new("/bin/true".into(), told, Arc::default())
    }

    #[tokio::test]
    async fn what_is_asked_is_taken_once_and_what_is_against_it_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(crate::FILE_NAME);
        std::fs::write(&file, TEXT).unwrap();
        let project = Arc::new(Project::open(folder.path(), None).unwrap());
        std::fs::create_dir_all(project.state_folder()).unwrap();
        let tracking = project.tracking().unwrap();
        tracking.registered_models.create("Churn", &[], None).await.unwrap();
        let new = CreateModelVersion {
            name: "Churn".to_owned(),
            source: folder.path().to_string_lossy().into_owned(),
            ..CreateModelVersion::default()
        };
        let made = tracking.model_versions.create(new).await.unwrap().creation_timestamp;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut host = releasing(&lines);
        let wish = |id: &str, at_ms| ReleaseWish {
            id: id.to_owned(),
            what: ReleaseKind::Release,
            version: "1".to_owned(),
            beside: Vec::new(),
            reason: String::new(),
            by: "ada".to_owned(),
            at_ms,
        };
        let now = Utc::now().timestamp_millis();
        let minute = 60_000;
        let rollback = ReleaseWish { what: ReleaseKind::Rollback, ..wish("d", now) };
        let missing =
            ReleaseWish { what: ReleaseKind::Promote, version: "9".to_owned(), ..wish("e", now) };
        for (wish, why) in [
            (wish("a", made - 1), "it is another one"),
            (wish("b", now - 11 * minute), "more than 10 minutes before or after"),
            (wish("c", now + 11 * minute), "more than 10 minutes before or after"),
            (rollback, "the service does not run"),
            (missing, "Churn has no version 9; `trainyard train` registers one"),
        ] {
            // Also by a process that begins after the one that took it.
            for host in [&mut host, &mut releasing(&lines)] {
                Box::pin(host.look(&project, &tracking, Some(wish.clone()))).await;
                while host.doing.join_next().await.is_some() {}
            }
            let last = last_asked_release(&project).unwrap().unwrap();
            assert_eq!((&last.id, last.state), (&wish.id, ReleaseState::Refused), "{last:?}");
            assert!(last.said.contains(why), "{why}: {last:?}");
            assert!(last.ended_ms.is_some() && last.by == "ada");
            let said = std::mem::take(&mut *lines.lock().unwrap());
            assert_eq!(said.len(), 2, "it is taken once: {said:?}");
            assert!(said[0].ends_with("was asked on a page by ada"), "{said:?}");
            assert!(said[1].contains("is refused"), "{said:?}");
        }

        // What a process left that died on the way is not begun again.
        let left = wish("f", now);
        keep_asked_release(&project, &left.taken(now)).unwrap();
        for _look in 0..2 {
            Box::pin(releasing(&lines).look(&project, &tracking, Some(left.clone()))).await;
        }
        let last = last_asked_release(&project).unwrap().unwrap();
        assert_eq!((last.id.as_str(), last.state), ("f", ReleaseState::Failed));
        assert!(last.said.contains("the supervisor of the host ended on the way"), "{last:?}");

        let text = format!("{TEXT}[deploy]\nreleases_from_pages = false\n");
        std::fs::write(&file, text).unwrap();
        let project = Arc::new(Project::open(folder.path(), None).unwrap());
        Box::pin(host.look(&project, &tracking, Some(wish("g", now)))).await;
        while host.doing.join_next().await.is_some() {}
        let last = last_asked_release(&project).unwrap().unwrap();
        assert!(last.said.contains("`releases_from_pages` is false"), "{last:?}");
    }
}
