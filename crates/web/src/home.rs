//! The first page: what runs now, what failed lately, which models are in production and how they are, and the
//! experiments that were last run.

use std::cmp::Reverse;

use axum::extract;
use axum::http::{HeaderMap, StatusCode};
use futures::future::{join_all, join3, try_join_all};
use maud::{Markup, html};
use trainyard_base::words::is_kept_experiment;
use trainyard_mlflow::entities::{
    AliasAt, Experiment, ModelVersion, RegisteredModel, Run, ViewType,
};
use trainyard_mlflow::{
    ErrorCode, Result as StoreResult, SearchExperiments, SearchRegisteredModels, SearchRuns,
    VersionId, Wanted,
};

use crate::cockpit::{Health, PRODUCTION, Records};
use crate::columns::{Column, Kind};
use crate::direction::{Direction, Directions};
use crate::error::Result;
use crate::experiments::{first_steps, last_run, only_the_default};
use crate::services;
use crate::site::Web;
use crate::{format, live, page, pinned};

/// Experiments whose runs are looked through, the last changed.
const EXPERIMENTS_MAX: i64 = 1000;
/// Runs of each kind.
const RUNS_SHOWN: i64 = 8;
/// How long a failure is news: a week.
const LATELY_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Runs that are read to see which experiments were run last.
const RECENT_RUNS: i64 = 20;
const EXPERIMENTS_SHOWN: usize = 10;
/// Characters of a name.
const NAME_SHOWN: usize = 120;
/// Models that are looked through for those in production, and how many at a time.
const MODELS_MAX: usize = 500;
const MODELS_AT_ONCE: i64 = 50;
/// Models that are shown with their state, which is some queries each.
const MODELS_SHOWN: usize = 12;

pub(crate) async fn show(extract::State(web): extract::State<Web>, headers: HeaderMap) -> Result {
    let search = SearchExperiments {
        view_type: ViewType::ActiveOnly,
        max_results: Some(EXPERIMENTS_MAX),
        order_by: vec!["last_update_time DESC".to_owned()],
        ..SearchExperiments::default()
    };
    let experiments = web.tracking.experiments.search(search).await?;
    if only_the_default(&web, &experiments).await? {
        let body = html! { h1 { "Trainyard" } (live::part("home", &first_steps(&headers))) };
        return Ok(page::respond(StatusCode::OK, &layout(&web, &body)));
    }
    let experiments = experiments.items;
    let now = chrono::Utc::now().timestamp_millis();
    let failed = format!(
        "attributes.status = 'FAILED' AND attributes.start_time > {}",
        now.saturating_sub(LATELY_MS)
    );
    let (running, failed, recent) = join3(
        runs(&web, &experiments, "attributes.status = 'RUNNING'".to_owned(), RUNS_SHOWN),
        runs(&web, &experiments, failed, RUNS_SHOWN),
        runs(&web, &experiments, String::new(), RECENT_RUNS),
    )
    .await;
    let (running, failed, recent) = (running?, failed?, recent?);
    let shown = Shown { web: &web, experiments: &experiments, pinned: &pinned::of(&headers), now };
    let experiments_by_run = shown.by_last_run(&recent).await?;
    let models = production(&web, now).await;
    let approvals = approvals(&web).await;
    let content = html! {
        (approvals)
        h2 { "In production" }
        (models)
        p { a href=(web.links.recent()) { "What happened lately" } }
        div.columns {
            section { h2 { "Running now" } (list(&web, &experiments, &running, now, "Nothing runs.")) }
            section { h2 { "Failed in the last week" } (list(&web, &experiments, &failed, now, "Nothing failed.")) }
        }
        h2 { "Experiments " small { "by their last run" } }
        (experiments_by_run)
        p { a href=(web.links.experiments()) { "All experiments" } }
    };
    let body = html! { h1 { "Trainyard" } (live::part("home", &content)) };
    Ok(page::respond(StatusCode::OK, &layout(&web, &body)))
}

/// How many approvals wait for whoever looks; nothing where they cannot be read.
async fn approvals(web: &Web) -> Markup {
    let waiting = match web.tracking.approvals.waiting().await {
        Ok(requests) => requests.len(),
        Err(error) => {
            tracing::debug!(%error, "no approvals are shown");
            0
        }
    };
    html! {
        @if waiting > 0 {
            p.notice {
                a href=(web.links.approvals()) {
                    @if waiting == 1 { "1 approval waits" } @else { (waiting) " approvals wait" }
                    " for you"
                }
            }
        }
    }
}

fn layout(web: &Web, body: &Markup) -> Markup {
    page::layout(&web.links, "Home", None, &[], body)
}

async fn runs(
    web: &Web,
    experiments: &[Experiment],
    filter: String,
    most: i64,
) -> StoreResult<Vec<Run>> {
    if experiments.is_empty() {
        return Ok(Vec::new());
    }
    let search = SearchRuns {
        experiment_ids: experiments.iter().map(|one| one.experiment_id.clone()).collect(),
        filter,
        max_results: Some(most),
        order_by: vec!["attributes.start_time DESC".to_owned()],
        ..SearchRuns::default()
    };
    Ok(web.tracking.runs.search_for(search, Wanted::Nothing).await?.items)
}

fn name_of<'a>(experiments: &'a [Experiment], id: &'a str) -> &'a str {
    let found = experiments.iter().find(|experiment| experiment.experiment_id == id);
    found.map_or(id, |experiment| experiment.name.as_str())
}

fn list(web: &Web, experiments: &[Experiment], runs: &[Run], now: i64, nothing: &str) -> Markup {
    html! {
        @if runs.is_empty() { p.soft { (nothing) } } @else {
            div.scroll {
                table {
                    thead { tr { th { "Run" } th { "Experiment" } th { "Started" } th { "By" } } }
                    tbody {
                        @for run in runs {
                            @let info = &run.info;
                            tr {
                                td.named { a href=(web.links.run(&info.run_id)) { (format::short(page::run_name(&info.run_name, &info.run_id), 60)) } }
                                td.named { a href=(web.links.experiment(&info.experiment_id)) { (format::name(name_of(experiments, &info.experiment_id), 60)) } }
                                td.tight { @if let Some(at) = info.start_time { span title=(format::time_text(at)) { (format::ago(at, now)) } } }
                                td { (format::short(&info.user_id, 40)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Experiments, and those of them that somebody pinned.
struct Shown<'a> {
    web: &'a Web,
    experiments: &'a [Experiment],
    pinned: &'a [String],
    now: i64,
}

impl Shown<'_> {
    /// Those that are pinned, then others in the order of their last runs, then of their last changes. A run that is not
    /// among the recent ones is looked for.
    async fn by_last_run(&self, recent: &[Run]) -> StoreResult<Markup> {
        let Self { web, experiments, pinned, now } = *self;
        let is_pinned = |experiment: &Experiment| pinned.contains(&experiment.experiment_id);
        let mut shown: Vec<(&Experiment, Option<i64>)> = Vec::new();
        let own = pinned.iter().filter_map(|id| {
            let found = experiments.iter().find(|experiment| experiment.experiment_id == *id)?;
            let last = recent.iter().find(|run| run.info.experiment_id == *id);
            Some((found, last.and_then(|run| run.info.start_time)))
        });
        let run = recent.iter().filter_map(|run| {
            let id = &run.info.experiment_id;
            let found = experiments.iter().find(|experiment| experiment.experiment_id == *id)?;
            Some((found, run.info.start_time))
        });
        for (experiment, at) in
            own.chain(run).chain(experiments.iter().map(|experiment| (experiment, None)))
        {
            let is_known =
                shown.iter().any(|(known, _)| known.experiment_id == experiment.experiment_id);
            // Those of people come first, and others are in the list of all.
            let is_shown = is_pinned(experiment) || !is_kept_experiment(&experiment.name);
            if is_shown && !is_known && shown.len() < EXPERIMENTS_SHOWN {
                shown.push((experiment, at));
            }
        }
        let times = shown.iter().map(|(experiment, at)| async move {
            match at {
                Some(at) => Ok(Some(*at)),
                None => last_run(web, experiment).await,
            }
        });
        let times = try_join_all(times).await?;
        let bests = shown.iter().map(|(experiment, _)| best_run(web, experiment));
        let bests = try_join_all(bests).await?;
        let has_best = bests.iter().any(Option::is_some);
        let mut shown: Vec<(&Experiment, Option<i64>, Option<BestRun>)> = shown
            .iter()
            .zip(times)
            .zip(bests)
            .map(|(((experiment, _), at), best)| (*experiment, at, best))
            .collect();
        shown.sort_by_key(|(experiment, at, _)| (!is_pinned(experiment), Reverse(*at)));
        Ok(html! {
            div.scroll {
                table {
                    thead { tr { th { "Experiment" } th { "Last run" } @if has_best { th { "Best run" } } } }
                    tbody {
                        @for (experiment, at, best) in shown {
                            tr {
                                td.named {
                                    a href=(web.links.experiment(&experiment.experiment_id)) { (format::name(&experiment.name, NAME_SHOWN)) }
                                    @if is_pinned(experiment) { " " span.badge.plain { "pinned" } }
                                }
                                td.tight { @if let Some(at) = at { span title=(format::time_text(at)) { (format::ago(at, now)) } } }
                                @if has_best { td.sentence { @if let Some(best) = best { (best.show(web)) } } }
                            }
                        }
                    }
                }
            }
        })
    }
}

/// The best run of an experiment by its main metric.
struct BestRun {
    run: Run,
    metric: String,
    value: f64,
    direction: Direction,
}

impl BestRun {
    fn show(&self, web: &Web) -> Markup {
        let Self { run, metric, value, direction } = self;
        let name = page::run_name(&run.info.run_name, &run.info.run_id);
        html! {
            a href=(web.links.run(&run.info.run_id)) { (format::short(name, 60)) }
            " " (format::short(metric, 40)) " " (format::number(*value))
            " " span.soft { "(" (direction.told()) ")" }
        }
    }
}

/// None where neither people nor the gate named a metric, or no run has it.
async fn best_run(web: &Web, experiment: &Experiment) -> StoreResult<Option<BestRun>> {
    let directions = Directions::of(experiment);
    let mut named = directions.named().into_iter();
    let Some((metric, direction)) =
        named.find_map(|metric| Some((metric, directions.find(metric)?)))
    else {
        return Ok(None);
    };
    let Some(field) = Column::new(Kind::Metric, metric).field() else { return Ok(None) };
    let search = SearchRuns {
        experiment_ids: vec![experiment.experiment_id.clone()],
        max_results: Some(1),
        order_by: vec![format!("{field} {}", direction.order())],
        ..SearchRuns::default()
    };
    let wanted = Wanted::Metrics(vec![metric.to_owned()]);
    let found = match web.tracking.runs.search_for(search, wanted).await {
        // Somebody wrote a tag that names no metric.
        Err(error) if error.code() == ErrorCode::InvalidParameterValue => return Ok(None),
        other => other?.items.pop(),
    };
    let Some(run) = found else { return Ok(None) };
    let value = run.data.metric(metric).filter(|value| value.is_finite());
    Ok(value.map(|value| BestRun { run, metric: metric.to_owned(), value, direction }))
}

/// Models in production, each with a dot; a registry that cannot be read is told.
async fn production(web: &Web, now: i64) -> Markup {
    let serving = match serving(web).await {
        Ok(serving) => serving,
        Err(error) => return html! { p.notice.bad { (error.for_clients()) } },
    };
    let states =
        serving.iter().take(MODELS_SHOWN).map(|(model, version)| state(web, model, version, now));
    let mut states: Vec<State<'_>> = join_all(states).await;
    states.sort_by_key(|state| state.health.rank());
    html! {
        @if serving.is_empty() { p.soft { "No version of a model has the alias " (PRODUCTION) "." } } @else {
            div.scroll {
                table {
                    thead { tr { th { "Model" } th.number { "Version" } th { "Service" } th { "Data" } } }
                    tbody {
                        @for state in &states {
                            tr {
                                td.named { (state.health.dot()) a href=(web.links.model(&state.model.name)) { (format::name(&state.model.name, NAME_SHOWN)) } }
                                td.number { a href=(web.links.version(&state.model.name, state.version)) { (state.version) } }
                                td.sentence { (state.service) }
                                td.sentence { (state.data) }
                            }
                        }
                    }
                }
            }
            @if serving.len() > states.len() { p { a href=(web.links.models()) { "All models" } } }
        }
    }
}

/// The models in production that were changed last, with the version: as many as are shown, and whether there are more.
async fn serving(web: &Web) -> StoreResult<Vec<(RegisteredModel, String)>> {
    let mut search = SearchRegisteredModels {
        max_results: Some(MODELS_AT_ONCE),
        order_by: vec!["last_updated_timestamp DESC".to_owned()],
        ..SearchRegisteredModels::default()
    };
    let (mut serving, mut looked) = (Vec::new(), 0);
    loop {
        let found = web.tracking.registered_models.search(search.clone()).await?;
        looked += found.items.len();
        serving.extend(found.items.into_iter().filter_map(|model| {
            let alias = model.aliases.iter().find(|alias| alias.alias == PRODUCTION)?;
            let version = alias.version.clone();
            Some((model, version))
        }));
        search.page_token = found.next_page_token;
        if serving.len() > MODELS_SHOWN || looked >= MODELS_MAX || search.page_token.is_none() {
            return Ok(serving);
        }
    }
}

/// How a model in production is: whether it is served, and its data.
struct State<'a> {
    model: &'a RegisteredModel,
    version: &'a str,
    /// The worst of both.
    health: Health,
    service: Markup,
    data: Markup,
}

async fn state<'a>(web: &Web, model: &'a RegisteredModel, number: &'a str, now: i64) -> State<'a> {
    let id = VersionId { name: &model.name, version: number };
    let version = match web.tracking.model_versions.get(id).await {
        Ok(version) => version,
        Err(error) => {
            tracing::debug!(%error, "the state of a model is not shown");
            ModelVersion::default()
        }
    };
    let (records, services, since) = join3(
        Records::last_look(web, &model.name, &version),
        services::read_of(web, model),
        in_production_since(web, model, number, now),
    )
    .await;
    let looked_at = |run: &Run| run.info.end_time.or(run.info.start_time);
    let last = records.looks.first();
    // A look at what another version was given says nothing of this one.
    let moved = since.filter(|since| last.and_then(looked_at).is_some_and(|at| at < *since));
    let look = last.filter(|_| moved.is_none());
    let glance = services.at_a_glance(number, now);
    let health = Health::of(&version, look).and(glance.as_ref().and_then(|glance| glance.health));
    let monitoring = web.links.monitoring(&model.name);
    let data = html! {
        @match (records.verdict(), moved) {
            (Some(_of_another), Some(since)) => {
                a href=(monitoring) { "data: not looked at" }
                " since version " (number) " came into production " (format::ago(since, now))
            }
            (Some(verdict), None) => {
                a href=(monitoring) { "data: " (format::short(verdict, 40)) }
                @if let Some(at) = last.and_then(looked_at) { " (looked at " (format::ago(at, now)) ")" }
            }
            (None, _) => {
                @if let Some(windows) = records.windows.first() {
                    a href=(monitoring) { "data: in windows" }
                    @if let Some(at) = looked_at(windows) { " (looked at " (format::ago(at, now)) ")" }
                } @else { span.soft { "no look at its data" } }
            }
        }
    };
    let service = html! {
        @match glance {
            Some(glance) => {
                @if let Some(run_id) = &glance.run_id { a href=(web.links.service(run_id)) { (glance.words) } }
                @else { (glance.words) }
            }
            None => { span.soft { "no service is recorded" } }
        }
    };
    State { model, version: number, health, service, data }
}

/// When a version came into production; none where that is not written down.
async fn in_production_since(
    web: &Web,
    model: &RegisteredModel,
    version: &str,
    now: i64,
) -> Option<i64> {
    let registry = web.tracking.audit.registry_at(now, Some(model.name.as_str())).await.ok()?;
    let is_it =
        |alias: &&AliasAt| alias.alias == PRODUCTION && alias.version == version && !alias.is_found;
    registry.aliases.iter().find(is_it).map(|alias| alias.since)
}
