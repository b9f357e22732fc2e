//! Services as they are recorded: a run each, in the experiment of their model. Tags are people's, so nothing in them is
//! taken on trust; whose model it is the experiment says, and no record. Whoever may make an experiment may write such
//! runs, so a record is believed only where the model vouches for it, by a tag that takes the right to change the model.

use std::collections::BTreeMap;

use trainyard_base::service::{
    GatewayMode, History, InstanceRole, ReleaseAnswer, ReleaseKind, ReleaseState, ReleaseWish,
    SILENT_AFTER_MS, ServiceRecord, ServiceState, ServiceWish, Teller, Traffic, release_wish_tag,
    vouched_run, voucher_tag, wish_tag,
};
use trainyard_base::words::{
    SERVICE_EXPERIMENTS, model_of_service_experiment, service_experiment, tags,
};
use trainyard_mlflow::entities::{Experiment, LifecycleStage, RegisteredModel, Run, Tag, ViewType};
use trainyard_mlflow::{Error, ErrorCode, Result, SearchExperiments, SearchRuns};

use crate::cockpit::Health;
use crate::run_list;
use crate::site::Web;

/// Experiments of services that are looked through, the last changed.
const EXPERIMENTS_MAX: i64 = 1000;
/// Services that are read. Each has up to a hundred kilobytes.
pub(super) const SERVICES_MAX: i64 = 100;
/// Services of one model.
const OF_MODEL_MAX: i64 = 10;
/// Runs that say so of themselves and for which no model vouches: whoever may make them may make any number. They are read
/// beside the others, and take no place of theirs.
const UNVOUCHED_MAX: i64 = 20;
/// Runs of one model, and of all, for which models may vouch: the newest of them are read.
const VOUCHERS_OF_MODEL_MAX: usize = 1_000;
const VOUCHERS_MAX: usize = 10_000;
/// A clock may be ahead of this server's by so much.
const AHEAD_MS: i64 = 60_000;
/// What serves and has so many errors in its last minute, as a share of its requests, somebody should look at.
const ERRORS_SHARE: f64 = 0.05;

/// A service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) model: String,
    pub(crate) run_id: String,
    pub(crate) record: ServiceRecord,
    /// Whether the model says that this is the record of a service of it. Where it does not, nothing of the record is to
    /// be shown.
    pub(crate) is_vouched: bool,
    /// What was asked of it last.
    pub(crate) wish: Option<ServiceWish>,
    /// The release that was asked of it last.
    pub(crate) release: Option<ReleaseWish>,
    tags: Vec<Tag>,
}

/// The services of a model that whoever asks may see.
#[derive(Debug, Clone, Default)]
pub(crate) struct OfModel {
    pub(crate) services: Vec<Service>,
    /// There are others, or may be, of which nothing is known here.
    pub(crate) has_more: bool,
}

impl OfModel {
    /// What they say of their model; none where they say nothing.
    pub(crate) fn health(&self, now: i64) -> Option<Health> {
        match health_of(&self.services, now) {
            // One of the others may be worse.
            Some(Health::Good) | None if self.has_more => Some(Health::Unknown),
            known => known,
        }
    }
}

/// Whether what is recorded is about now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    Lately,
    /// Too long ago to say how it is.
    LongAgo,
    /// At a moment that is yet to come.
    Ahead,
}

impl Service {
    /// The one that is recorded in a run, where the model has these tags.
    fn of(run: Run, model: &str, said: &[Tag]) -> Option<Self> {
        let record = ServiceRecord::read(Tag::find(&run.data.tags, tags::SERVICE)?)?;
        let is_there = run.info.lifecycle_stage == LifecycleStage::Active;
        let run_id = run.info.run_id;
        is_there.then(|| Self {
            model: model.to_owned(),
            record,
            is_vouched: Tag::find(said, &voucher_tag(&run_id)).is_some(),
            wish: Tag::find(said, &wish_tag(&run_id)).and_then(ServiceWish::read),
            release: Tag::find(said, &release_wish_tag(&run_id)).and_then(ReleaseWish::read),
            run_id,
            tags: run.data.tags,
        })
    }

    pub(super) fn heard(&self, now: i64) -> Heard {
        match now.saturating_sub(self.record.at_ms) {
            ..=SILENT_AFTER_MS if self.record.at_ms > now.saturating_add(AHEAD_MS) => Heard::Ahead,
            ..=SILENT_AFTER_MS => Heard::Lately,
            _ => Heard::LongAgo,
        }
    }

    /// Whether it was told of lately, so that what is told is how it is.
    pub(crate) fn is_heard(&self, now: i64) -> bool {
        self.heard(now) == Heard::Lately
    }

    /// How it is now.
    pub(super) fn health(&self, now: i64) -> Health {
        if !self.is_vouched || !self.is_heard(now) {
            return Health::Unknown;
        }
        let errors = self.record.minute.as_ref().map_or(0.0, Traffic::error_share);
        let refuses = self.record.minute.as_ref().and_then(Traffic::much_refused).is_some();
        match self.record.state {
            ServiceState::Serving if errors >= 1.0 => Health::Bad,
            ServiceState::Serving
                if self.record.mode == GatewayMode::Open && errors < ERRORS_SHARE && !refuses =>
            {
                Health::Good
            }
            ServiceState::Serving | ServiceState::Degraded => Health::Warning,
            ServiceState::Down => Health::Bad,
            ServiceState::Stopped | ServiceState::NeverReleased | ServiceState::Unknown => {
                Health::Unknown
            }
        }
    }

    /// What went through over time.
    pub(super) fn history(&self) -> History {
        History::read(self.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())))
    }

    /// Whether its host does what is asked of it here.
    pub(super) fn takes_wishes(&self, now: i64) -> bool {
        self.is_vouched && self.record.takes_wishes && self.is_heard(now)
    }

    /// Whether its host does the releases that are asked for here.
    pub(crate) fn takes_releases(&self, now: i64) -> bool {
        self.takes_wishes(now) && self.record.takes_releases
    }

    /// Whether its host may take this: what was asked before is through, or is a release that gives users a version and
    /// that a rollback would end.
    pub(crate) fn is_free_for(&self, what: ReleaseKind, now: i64) -> bool {
        let answer = self.record.release.as_ref();
        let is_answered = |wish: &ReleaseWish| answer.is_some_and(|answer| answer.id == wish.id);
        let waits = |wish: &ReleaseWish| !is_answered(wish) && !wish.is_untimely(now);
        let doing = answer.filter(|answer| answer.state == ReleaseState::Doing);
        let is_ended_by = |doing: &ReleaseAnswer| {
            let Self { record, .. } = self;
            let is_back = doing.what == ReleaseKind::Release && what == ReleaseKind::Rollback;
            is_back && record.returns_to.is_some() && record.returns_to == record.serves
        };
        !self.release.as_ref().is_some_and(waits) && doing.is_none_or(is_ended_by)
    }

    /// The versions that users have, as far as its host says, or are about to get.
    pub(crate) fn beside(&self) -> Vec<&str> {
        let record = &self.record;
        let mut versions: Vec<&str> = record.serves.as_deref().into_iter().collect();
        versions.extend(record.candidate.as_ref().map(|candidate| candidate.version.as_str()));
        let current = record.instances.iter().filter(|one| one.role == InstanceRole::Current);
        versions.extend(current.map(|one| one.version.as_str()));
        versions.retain(|version| !version.is_empty());
        versions.sort_unstable();
        versions.dedup();
        versions
    }

    /// What whoever keeps it up said last.
    pub(super) fn log(&self) -> &str {
        Tag::find(&self.tags, tags::SERVICE_LOG).unwrap_or_default()
    }
}

/// What a service says of its model; none where it says nothing: where it is not to serve, or only a command told, of
/// which nobody hears more.
pub(super) fn says(service: &Service, now: i64) -> Option<Health> {
    match (service.heard(now), service.record.by) {
        // It may be a true one, of a host that may not have the model say so.
        (Heard::Lately, _) if !service.is_vouched => Some(Health::Unknown),
        (Heard::Lately, _) => {
            let is_meant_to = !matches!(
                service.record.state,
                ServiceState::Stopped | ServiceState::NeverReleased
            );
            is_meant_to.then(|| service.health(now))
        }
        (_, Teller::Command) => None,
        (_, Teller::Up | Teller::Watch) => {
            (service.record.state != ServiceState::Stopped).then_some(Health::Unknown)
        }
    }
}

/// What services say of their model, the worst of them; none where they say nothing.
fn health_of(services: &[Service], now: i64) -> Option<Health> {
    let told = services.iter().filter_map(|service| says(service, now));
    told.min_by_key(|health| health.rank())
}

/// Those that whoever asks may see, of all models, and whether there are more.
pub(super) async fn read_all(web: &Web) -> Result<(Vec<Service>, bool)> {
    let search = SearchExperiments {
        view_type: ViewType::ActiveOnly,
        filter: format!("name LIKE '{SERVICE_EXPERIMENTS}'"),
        max_results: Some(EXPERIMENTS_MAX),
        order_by: vec!["last_update_time DESC".to_owned()],
        ..SearchExperiments::default()
    };
    let found = web.tracking.experiments.search(search).await?;
    let mut experiments = found.items;
    experiments.retain(|one| model_of_service_experiment(&one.name).is_some());
    let models = experiments.iter().filter_map(|one| model_of_service_experiment(&one.name));
    let said = said_by_models(web, models.map(str::to_owned).collect()).await;
    let mut vouched: Vec<&str> = said.values().flat_map(|said| vouched_by(said)).collect();
    let has_more_vouchers = vouched.len() > VOUCHERS_MAX;
    vouched.truncate(VOUCHERS_MAX);
    let (runs, has_more) = read(web, &experiments, &vouched, SERVICES_MAX).await?;
    let service = |(run, model): (Run, String)| {
        let said = said.get(&model).map_or(&[][..], Vec::as_slice);
        Service::of(run, &model, said)
    };
    let services = runs.into_iter().filter_map(service).collect();
    Ok((services, has_more || has_more_vouchers || found.next_page_token.is_some()))
}

/// The runs that a model vouches for, by its tags.
fn vouched_by(said: &[Tag]) -> impl Iterator<Item = &str> {
    let vouched = said.iter().filter_map(|tag| vouched_run(&tag.key));
    vouched.take(VOUCHERS_OF_MODEL_MAX)
}

/// The tags of models; none of a model that is not there, or not for whoever asks.
async fn said_by_models(web: &Web, mut names: Vec<String>) -> BTreeMap<String, Vec<Tag>> {
    names.sort_unstable();
    names.dedup();
    match web.tracking.registered_models.tags_of(names).await {
        Ok(said) => said,
        Err(error) => {
            // Then no record is vouched for, which is said of each.
            tracing::debug!(%error, "models cannot be asked for which records they vouch");
            BTreeMap::new()
        }
    }
}

/// Those of a model; none where they are not for whoever asks.
pub(crate) async fn read_of(web: &Web, model: &RegisteredModel) -> OfModel {
    let experiment = service_experiment(&model.name);
    let found = match web.tracking.experiments.get_by_name(&experiment).await {
        Ok(found) if found.lifecycle_stage == LifecycleStage::Active => {
            let vouched: Vec<&str> = vouched_by(&model.tags).collect();
            read(web, &[found], &vouched, OF_MODEL_MAX).await
        }
        Ok(_deleted) => return OfModel::default(),
        Err(error) => Err(error),
    };
    match found {
        Ok((runs, has_more)) => {
            let runs = runs.into_iter();
            let services = runs.filter_map(|(run, name)| Service::of(run, &name, &model.tags));
            OfModel { services: services.collect(), has_more }
        }
        Err(error) => {
            tracing::debug!(%error, "no services of a model are shown");
            // What cannot be read is no news, but for what is not there or not for whoever asks.
            let is_none = error.is_not_found() || error.code() == ErrorCode::PermissionDenied;
            OfModel { services: Vec::new(), has_more: !is_none }
        }
    }
}

/// The one that is recorded in a run.
pub(super) async fn read_one(web: &Web, run_id: &str) -> Result<Service> {
    let run = web.tracking.runs.get(run_id).await?;
    let experiment = web.tracking.experiments.get(&run.info.experiment_id).await?;
    let none = || Error::not_found("No service is recorded in this run.");
    let model = model_of_service_experiment(&experiment.name).ok_or_else(none)?;
    let said = said_by_models(web, vec![model.to_owned()]).await.remove(model);
    Service::of(run, model, &said.unwrap_or_default()).ok_or_else(none)
}

/// Runs with records, each with the model that its experiment is named by: the newest of those that models vouch for, and
/// some others. Whether there are more is told of the former.
async fn read(
    web: &Web,
    experiments: &[Experiment],
    vouched: &[&str],
    most: i64,
) -> Result<(Vec<(Run, String)>, bool)> {
    if experiments.is_empty() {
        return Ok((Vec::new(), false));
    }
    let is_record = format!("tags.`{}` LIKE '%'", tags::SERVICE);
    let search = SearchRuns {
        experiment_ids: experiments.iter().map(|one| one.experiment_id.clone()).collect(),
        filter: is_record.clone(),
        max_results: Some(UNVOUCHED_MAX),
        order_by: vec!["attributes.start_time DESC".to_owned()],
        ..SearchRuns::default()
    };
    let mut runs = Vec::new();
    let mut has_more = false;
    let mut others = search.clone();
    let ids = run_list::quoted(vouched);
    if !vouched.is_empty() {
        let filter = format!("{is_record} AND attributes.run_id IN ({ids})");
        let search = SearchRuns { filter, max_results: Some(most), ..search };
        let found = web.tracking.runs.search(search).await?;
        has_more = found.next_page_token.is_some();
        runs = found.items;
        others.filter = format!("{is_record} AND attributes.run_id NOT IN ({ids})");
    }
    runs.extend(web.tracking.runs.search(others).await?.items);
    let of_model = |run: Run| {
        let id = &run.info.experiment_id;
        let experiment = experiments.iter().find(|one| one.experiment_id == *id)?;
        let model = model_of_service_experiment(&experiment.name)?;
        Some((run, model.to_owned()))
    };
    Ok((runs.into_iter().filter_map(of_model).collect(), has_more))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::services) fn service(record: ServiceRecord) -> Service {
        Service {
            model: "m".to_owned(),
            run_id: "r".to_owned(),
            record,
            is_vouched: true,
            release: None,
            wish: None,
            tags: Vec::new(),
        }
    }

    fn of(state: ServiceState, by: Teller, at_ms: i64) -> Service {
        service(ServiceRecord {
            at_ms,
            by,
            state,
            mode: GatewayMode::Open,
            ..ServiceRecord::default()
        })
    }

    #[test]
    fn silence_is_never_green() {
        let now = 1_000_000_000_000;
        let serving = |at_ms| of(ServiceState::Serving, Teller::Up, at_ms);
        for (at, heard, health) in [
            (now, Heard::Lately, Health::Good),
            (now - SILENT_AFTER_MS, Heard::Lately, Health::Good),
            (now - SILENT_AFTER_MS - 1, Heard::LongAgo, Health::Unknown),
            (now + AHEAD_MS, Heard::Lately, Health::Good),
            (now + AHEAD_MS + 1, Heard::Ahead, Health::Unknown),
            (i64::MIN, Heard::LongAgo, Health::Unknown),
            (i64::MAX, Heard::Ahead, Health::Unknown),
            (0, Heard::LongAgo, Health::Unknown),
        ] {
            let service = serving(at);
            assert_eq!((service.heard(now), service.health(now)), (heard, health), "{at}");
        }
        let mut closed = serving(now);
        closed.record.mode = GatewayMode::Maintenance;
        assert_eq!(closed.health(now), Health::Warning);
        let other = of(ServiceState::Unknown, Teller::Up, now);
        assert_eq!(other.health(now), Health::Unknown);
    }

    #[test]
    fn what_answers_with_errors_is_not_well() {
        let now = 1_000_000_000_000;
        for (requests, errors, health) in [
            (0, 0, Health::Good),
            (100, 4, Health::Good),
            (100, 5, Health::Warning),
            (100, 99, Health::Warning),
            (1, 1, Health::Bad),
        ] {
            let mut service = of(ServiceState::Serving, Teller::Up, now);
            service.record.minute = Some(Traffic { requests, errors, ..Traffic::default() });
            assert_eq!(service.health(now), health, "{errors} of {requests}");
        }
    }

    #[test]
    fn whom_the_model_does_not_vouch_for_makes_nothing_better_or_worse_than_unknown() {
        let now = 1_000_000_000_000;
        for state in [ServiceState::Serving, ServiceState::Down, ServiceState::Stopped] {
            let mut forged = of(state, Teller::Up, now);
            forged.is_vouched = false;
            assert_eq!(forged.health(now), Health::Unknown, "{state:?}");
            assert_eq!(health_of(&[forged], now), Some(Health::Unknown), "{state:?}");
        }
    }

    #[test]
    fn a_model_is_as_the_worst_of_what_is_to_serve_it() {
        use ServiceState::{Degraded, Down, Serving, Stopped};
        let now = 1_000_000_000_000;
        let old = now - 10 * SILENT_AFTER_MS;
        let all = |services: &[Service]| health_of(services, now);
        assert_eq!(all(&[]), None);
        assert_eq!(all(&[of(Serving, Teller::Up, now)]), Some(Health::Good));
        assert_eq!(all(&[of(Serving, Teller::Up, old)]), Some(Health::Unknown));
        assert_eq!(all(&[of(Serving, Teller::Command, old)]), None, "nobody promised more");
        assert_eq!(all(&[of(Stopped, Teller::Up, old), of(Stopped, Teller::Up, now)]), None);
        let both = [of(Serving, Teller::Up, now), of(Degraded, Teller::Up, now)];
        assert_eq!(all(&both), Some(Health::Warning));
        for both in [[now, old], [old, now]] {
            let both = both.map(|at| of(Serving, Teller::Up, at));
            assert_eq!(all(&both), Some(Health::Unknown));
        }
        let worst = [of(Down, Teller::Watch, now), of(Serving, Teller::Up, old)];
        assert_eq!(all(&worst), Some(Health::Bad));
    }

    #[test]
    fn one_that_is_not_read_may_be_worse() {
        use ServiceState::{Down, Serving, Stopped};
        let now = 1_000_000_000_000;
        for (state, known, health) in [
            (Serving, Some(Health::Good), Some(Health::Unknown)),
            (Stopped, None, Some(Health::Unknown)),
            (Down, Some(Health::Bad), Some(Health::Bad)),
        ] {
            let services = vec![of(state, Teller::Up, now)];
            let mut all = OfModel { services, has_more: false };
            assert_eq!(all.health(now), known, "{state:?}");
            all.has_more = true;
            assert_eq!(all.health(now), health, "{state:?}");
        }
    }
}
