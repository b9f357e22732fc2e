//! The run of a service: found by the id in the state folder, made where there is none, told in one batch.

use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;
use trainyard_base::file::{self, Access};
use trainyard_base::service::{History, ServiceRecord, ServiceState, Teller, voucher_tag};
use trainyard_base::words::{self, tags};
use trainyard_mlflow::entities::{KeyValue, LifecycleStage, RunStatus, Tag};
use trainyard_mlflow::secrets::hide;
use trainyard_mlflow::{CreateRun, LogBatch, Tracking, UpdateRun};

use super::asked_release::last_asked_release;
use super::look::record_of;
use super::wish::TakenWish;
use crate::actor::cause;
use crate::baseline::serving;
use crate::labels::version_of;
use crate::owner::host;
use crate::service::service;
use crate::{Error, Project, Result};

/// How long the store may take: the next minute has more to tell.
const TELL_LIMIT: Duration = Duration::from_secs(20);

/// So often in a row another process may have recorded meanwhile: the one before this, or a command. Then it is one of
/// another host, to which the state folder was copied.
const STRANGERS_MAX: u32 = 1;

/// Whoever records a service.
#[derive(Debug)]
pub(super) struct Recorder {
    by: Teller,
    /// This one, among all.
    writer: String,
    history: History,
    /// The run, once it is known to be there and what it has is known here.
    run_id: Option<String>,
    /// How often in a row somebody else's record was found where this one's should be.
    strangers: u32,
    /// The run that the model vouches for, as far as is known here.
    vouched: Option<String>,
    /// Why it does not, as it was told last.
    trouble: Option<String>,
}

impl Recorder {
    pub(super) fn new(by: Teller) -> Self {
        let mut writer = uuid::Uuid::new_v4().simple().to_string();
        writer.truncate(12);
        Self {
            by,
            writer,
            history: History::default(),
            run_id: None,
            strangers: 0,
            vouched: None,
            trouble: None,
        }
    }

    /// Looks at the service, and keeps what went through until the store has it.
    pub(super) async fn look(&mut self, project: &Project) -> Result<ServiceRecord> {
        let status = Box::pin(trainyard_deploy::status(&service(project))).await?;
        let mut record = record_of(&status, self.by, Utc::now().timestamp_millis());
        record.writer.clone_from(&self.writer);
        record.takes_wishes = self.by == Teller::Up;
        // One that cannot be read is told of when the next one is taken.
        record.wish = TakenWish::last(project).ok().flatten().map(TakenWish::answer);
        record.takes_releases = record.takes_wishes && project.config.deploy.releases_from_pages;
        record.release = last_asked_release(project).ok().flatten();
        // Whoever asks for a release has to know what it is beside.
        record.serves = serving(project).await?;
        let returns_to = trainyard_deploy::returns_to(&service(project)).await?;
        record.returns_to = returns_to.as_ref().and_then(version_of).map(str::to_owned);
        // Nobody knows what went through where there is no gateway: that is no zero.
        if let Some(minute) = record.minute {
            self.history.note(record.at_ms, minute);
        }
        Ok(record)
    }

    /// Tells the store, with lines of what was said.
    pub(super) async fn tell(
        &mut self,
        project: &Project,
        tracking: &Tracking,
        record: &ServiceRecord,
        log: Option<String>,
    ) -> Result<()> {
        let telling = self.tell_at_length(project, tracking, record, log);
        let told = match tokio::time::timeout(TELL_LIMIT, telling).await {
            Ok(told) => told,
            Err(_elapsed) => Err(Error::io(
                "the tracking store",
                std::io::Error::other(format!("no answer within {} s", TELL_LIMIT.as_secs())),
            )),
        };
        if told.is_err() {
            // It may be gone, or another store may answer by now.
            self.run_id = None;
        }
        told
    }

    async fn tell_at_length(
        &mut self,
        project: &Project,
        tracking: &Tracking,
        record: &ServiceRecord,
        log: Option<String>,
    ) -> Result<()> {
        let run_id = match self.run_id.clone() {
            Some(run_id) if self.is_alone(tracking, &run_id).await? => run_id,
            Some(_of_another_host) => {
                tracing::warn!(
                    "another host records its service in the run of this one: its state folder was copied. This one \
                     has a run of its own from now on"
                );
                self.strangers = 0;
                self.history.lost();
                create(project, tracking, self.by).await?
            }
            None => match self.known(project, tracking).await? {
                Some(run_id) => run_id,
                // That nothing was ever released is no news for anybody.
                None if record.state == ServiceState::NeverReleased => return Ok(()),
                None => {
                    self.history.lost();
                    create(project, tracking, self.by).await?
                }
            },
        };
        let mut told = vec![KeyValue::new(tags::SERVICE, record.tag())];
        told.extend(log.map(|log| KeyValue::new(tags::SERVICE_LOG, log)));
        let history = self.history.untold().into_iter();
        told.extend(history.map(|(key, value)| KeyValue::new(key, value)));
        let batch = LogBatch { tags: told, ..LogBatch::default() };
        tracking.runs.log_batch(&run_id, batch).await?;
        self.history.told();
        // The right to have it do so may be given at any time.
        if self.vouched.as_ref() != Some(&run_id) {
            self.vouch(project, tracking, &run_id).await;
        }
        self.run_id = Some(run_id);
        Ok(())
    }

    /// Whether nobody else goes on recording in the run that this one recorded in. Of two that do, one makes room.
    async fn is_alone(&mut self, tracking: &Tracking, run_id: &str) -> Result<bool> {
        let run = tracking.runs.get(run_id).await?;
        let record = Tag::find(&run.data.tags, tags::SERVICE).and_then(ServiceRecord::read);
        let stranger = record.filter(|record| {
            let is_known = !record.writer.is_empty() && record.by != Teller::Command;
            is_known && record.writer != self.writer
        });
        let Some(stranger) = stranger else {
            self.strangers = 0;
            return Ok(true);
        };
        self.strangers += 1;
        Ok(self.strangers <= STRANGERS_MAX || self.writer < stranger.writer)
    }

    /// The run of before, where the store has it; what it says is known from then on.
    async fn known(&mut self, project: &Project, tracking: &Tracking) -> Result<Option<String>> {
        let Some(run_id) = run_id(project)? else { return Ok(None) };
        let run = match tracking.runs.get(&run_id).await {
            Ok(run) if run.info.lifecycle_stage == LifecycleStage::Active => run,
            Ok(_deleted) => return Ok(None),
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let tags = run.data.tags.iter();
        let tags = tags.map(|tag: &Tag| (tag.key.as_str(), tag.value.as_str()));
        self.history.merge(&History::read(tags));
        Ok(Some(run_id))
    }

    /// Has the model say that the run is the record of a service of it, which only those can who may change the model:
    /// pages take nobody else's word. Where this host may not, they say so, and it is tried again with the next record.
    async fn vouch(&mut self, project: &Project, tracking: &Tracking, run_id: &str) {
        let (models, name) = (&tracking.registered_models, &project.config.model.name);
        let key = voucher_tag(run_id);
        let vouching = async {
            let model = models.get(name).await?;
            match Tag::find(&model.tags, &key) {
                Some(_said) => Ok(()),
                None => models.set_tag(name, Tag::new(key.as_str(), host())).await,
            }
        };
        let Err(error) = vouching.await else {
            self.vouched = Some(run_id.to_owned());
            self.trouble = None;
            return;
        };
        let error = hide(&error.to_string()).into_owned();
        if self.trouble.as_ref() != Some(&error) {
            tracing::warn!(
                error,
                "the model cannot be made to vouch for the record of its service, so pages show nothing of it; the \
                 account of this host needs EDIT on the model"
            );
            self.trouble = Some(error);
        }
    }
}

/// A run for the service, in the experiment of those of its model.
async fn create(project: &Project, tracking: &Tracking, by: Teller) -> Result<String> {
    let model = &project.config.model.name;
    let experiment = words::service_experiment(model);
    let experiment_id = trainyard_train::experiment(tracking, &experiment).await?;
    let actor = cause(project, None).actor;
    let now = Utc::now().timestamp_millis();
    let source = match by {
        Teller::Up => "trainyard up",
        Teller::Watch => "trainyard run --watch",
        Teller::Command => "trainyard deploy",
    };
    let run = CreateRun {
        experiment_id,
        user_id: actor.clone(),
        run_name: Some(format!("service-{}", host())),
        start_time: now,
        tags: vec![
            KeyValue::new("mlflow.source.name", source),
            KeyValue::new("mlflow.user", actor),
            KeyValue::new(tags::MODEL, model),
        ],
    };
    let run_id = tracking.runs.create(run).await?.info.run_id;
    // A service is no training that goes on.
    let update = UpdateRun {
        run_id: run_id.clone(),
        status: Some(RunStatus::Finished),
        end_time: Some(now),
        run_name: None,
    };
    tracking.runs.update(update).await?;
    let path = run_id_file(project);
    let folder = project.state_folder();
    std::fs::create_dir_all(&folder).map_err(|source| Error::io(&folder, source))?;
    file::replace(&path, run_id.as_bytes(), Access::Private)
        .map_err(|source| Error::io(&path, source))?;
    Ok(run_id)
}

/// The run that was told last; none where there never was one.
pub(crate) fn run_id(project: &Project) -> Result<Option<String>> {
    let path = run_id_file(project);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|id| !id.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::io(&path, source)),
    }
}

fn run_id_file(project: &Project) -> PathBuf {
    project.state_folder().join("service-run")
}

#[cfg(test)]
mod tests {
    use trainyard_base::service::{GatewayMode, Traffic};
    use trainyard_mlflow::SearchRuns;
    use trainyard_mlflow::entities::{Run, ViewType};

    use super::*;

    fn project(folder: &std::path::Path) -> Project {
        let text = "[model]\nname = \"Churn\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\n";
        std::fs::write(folder.join(crate::FILE_NAME), text).unwrap();
        Project::open(folder, None).unwrap()
    }

    fn record(state: ServiceState, at_ms: i64) -> ServiceRecord {
        ServiceRecord { state, at_ms, mode: GatewayMode::Open, ..ServiceRecord::default() }
    }

    /// Runs of the service, deleted ones too.
    async fn runs(tracking: &Tracking) -> Vec<Run> {
        let Ok(found) = tracking.experiments.get_by_name("/Churn_service").await else {
            return Vec::new();
        };
        let search = SearchRuns {
            experiment_ids: vec![found.experiment_id],
            view_type: ViewType::All,
            ..SearchRuns::default()
        };
        tracking.runs.search(search).await.unwrap().items
    }

    #[tokio::test]
    async fn a_service_has_one_run_which_is_told_what_was_missed() {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path());
        let tracking = project.tracking().unwrap();
        let minute = 60_000;
        let traffic = Traffic { requests: 5, ..Traffic::default() };

        let mut first = Recorder::new(Teller::Up);
        let nothing = record(ServiceState::NeverReleased, 0);
        first.tell(&project, &tracking, &nothing, None).await.unwrap();
        assert!(runs(&tracking).await.is_empty(), "nothing was ever released");
        for number in 0..3 {
            first.history.note(number * minute, traffic);
            let serving = record(ServiceState::Serving, number);
            first.tell(&project, &tracking, &serving, Some("a line".to_owned())).await.unwrap();
        }
        let found = runs(&tracking).await;
        assert_eq!(found.len(), 1);
        let tag = |run: &Run, key: &str| Tag::find(&run.data.tags, key).map(str::to_owned);
        let read = ServiceRecord::read(&tag(&found[0], tags::SERVICE).unwrap()).unwrap();
        assert_eq!((read.at_ms, read.state), (2, ServiceState::Serving));
        assert_eq!(tag(&found[0], tags::SERVICE_LOG).as_deref(), Some("a line"));
        assert_eq!(found[0].info.status, RunStatus::Finished);

        // Another process goes on with it, also with minutes that the store was not told.
        let mut second = Recorder::new(Teller::Up);
        for number in 3..5 {
            second.history.note(number * minute, traffic);
        }
        let serving = record(ServiceState::Serving, 5);
        second.tell(&project, &tracking, &serving, None).await.unwrap();
        let minutes = |run: &Run| {
            let tags = run.data.tags.iter();
            let tags = tags.map(|tag: &Tag| (tag.key.as_str(), tag.value.as_str()));
            History::read(tags).minutes(0, i64::MAX).count()
        };
        let found = runs(&tracking).await;
        assert_eq!((found.len(), minutes(&found[0])), (1, 5));
        // Its model vouches for it with the first record that finds one.
        let models = &tracking.registered_models;
        models.create("Churn", &[], None).await.unwrap();
        second.tell(&project, &tracking, &serving, None).await.unwrap();
        let model = models.get("Churn").await.unwrap();
        let key = voucher_tag(&found[0].info.run_id);
        assert!(Tag::find(&model.tags, &key).is_some(), "{:?}", model.tags);

        // One that somebody deleted is followed by another, which has all.
        tracking.runs.delete(&found[0].info.run_id).await.unwrap();
        assert!(second.tell(&project, &tracking, &serving, None).await.is_err());
        second.tell(&project, &tracking, &serving, None).await.unwrap();
        let found = runs(&tracking).await;
        let active = found.iter().find(|run| run.info.lifecycle_stage == LifecycleStage::Active);
        assert_eq!((found.len(), minutes(active.unwrap())), (2, 5));
    }

    #[tokio::test]
    async fn two_hosts_with_one_state_folder_have_a_record_each() {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path());
        let tracking = project.tracking().unwrap();
        tracking.registered_models.create("Churn", &[], None).await.unwrap();
        let mut hosts = ["a", "b"].map(|writer| {
            let mut host = Recorder::new(Teller::Up);
            writer.clone_into(&mut host.writer);
            host
        });
        let told = async |host: &mut Recorder, at_ms| {
            let serving = ServiceRecord {
                by: host.by,
                writer: host.writer.clone(),
                ..record(ServiceState::Serving, at_ms)
            };
            host.tell(&project, &tracking, &serving, None).await.unwrap();
            host.run_id.clone().unwrap()
        };
        // One after the other is a new start of one host.
        let first = told(&mut hosts[0], 0).await;
        for minute in 1..4 {
            assert_eq!(told(&mut hosts[1], minute).await, first);
        }
        for minute in 4..8 {
            for host in &mut hosts {
                told(host, minute).await;
            }
        }
        let runs_of = hosts.each_ref().map(|host| host.run_id.clone().unwrap());
        assert_eq!(runs_of[0], first, "one of them stays");
        assert_ne!(runs_of[1], first);
        assert_eq!(runs(&tracking).await.len(), 2, "and that is all");
        let model = tracking.registered_models.get("Churn").await.unwrap();
        for run in runs_of {
            assert!(Tag::find(&model.tags, &voucher_tag(&run)).is_some(), "{:?}", model.tags);
        }
    }
}
