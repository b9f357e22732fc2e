//! Anything by its name, id or a tag (`team=risk`).

use axum::extract::{Query, State};
use axum::http::StatusCode;
use futures::future::join3;
use maud::{Markup, html};
use serde::Deserialize;
use trainyard_mlflow::entities::{Experiment, ModelVersion, RegisteredModel, Run, ViewType};
use trainyard_mlflow::{
    Page, Result as StoreResult, SearchExperiments, SearchModelVersions, SearchRegisteredModels,
    SearchRuns, Wanted,
};

use crate::error::Result;
use crate::site::Web;
use crate::{format, grammar, page};

/// What is found of each kind.
const FOUND_MAX: i64 = 20;
/// The same, to count with.
const FOUND_SHOWN: usize = 20;
/// Experiments whose runs are looked through, the last changed.
const EXPERIMENTS_MAX: i64 = 1000;
/// Characters of a question: longer than names.
const CHARACTERS_MAX: usize = 500;

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    q: String,
}

pub(crate) async fn show(State(web): State<Web>, Query(asked): Query<Asked>) -> Result {
    let text: String = asked.q.trim().chars().take(CHARACTERS_MAX).collect();
    // No name that is to be found has one, and a store may read a text to its first NUL only.
    let is_odd = text.chars().any(char::is_control);
    let found =
        if text.is_empty() || is_odd { Found::default() } else { Found::look(&web, &text).await? };
    let body = html! {
        h1 { "Search" }
        form.filter method="get" action=(web.links.search()) role="search" aria-label="By name, id or tag" {
            input type="search" name="q" value=(text) aria-label="Name, id or tag" placeholder="part of a name, an id, or a tag: team=risk";
            button.quiet { "Search" }
        }
        @if text.is_empty() {
            p.soft { "Experiments, runs, models and versions by a part of their name, by id, or by a tag written " code { "key=value" } "." }
        } @else { (found.show(&web)) }
    };
    Ok(page::respond(StatusCode::OK, &page::layout(&web.links, "Search", None, &[], &body)))
}

/// What was found of each kind.
#[derive(Debug, Default)]
struct Found {
    experiments: Vec<Experiment>,
    runs: Vec<Run>,
    models: Vec<RegisteredModel>,
    versions: Vec<ModelVersion>,
    /// Id and name.
    logged_model: Option<(String, String)>,
    /// Kinds that were not searched, and why.
    failed: Vec<String>,
}

impl Found {
    async fn look(web: &Web, text: &str) -> Result<Self> {
        let by_tag = text.split_once('=').and_then(|(key, value)| {
            Some(grammar::contains(&grammar::tag(key.trim())?, value.trim()))
        });
        let by_name =
            |field: &str| by_tag.clone().unwrap_or_else(|| grammar::contains(field, text));
        let everywhere = SearchExperiments {
            view_type: ViewType::ActiveOnly,
            max_results: Some(EXPERIMENTS_MAX),
            order_by: vec!["last_update_time DESC".to_owned()],
            ..SearchExperiments::default()
        };
        let experiments = SearchExperiments {
            filter: by_name("name"),
            max_results: Some(FOUND_MAX),
            ..everywhere.clone()
        };
        let runs = SearchRuns {
            experiment_ids: ids(web, everywhere).await?,
            filter: by_tag.clone().unwrap_or_else(|| grammar::run(text)),
            max_results: Some(FOUND_MAX),
            order_by: vec!["attributes.start_time DESC".to_owned()],
            ..SearchRuns::default()
        };
        let models = SearchRegisteredModels {
            filter: by_name("name"),
            max_results: Some(FOUND_MAX),
            ..SearchRegisteredModels::default()
        };
        let (experiments, runs, models) = join3(
            web.tracking.experiments.search(experiments),
            web.tracking.runs.search_for(runs, Wanted::Nothing),
            web.tracking.registered_models.search(models),
        )
        .await;
        let mut failed = Vec::new();
        let mut found = Self {
            experiments: some("Experiments", experiments, &mut failed),
            runs: some("Runs", runs, &mut failed),
            models: some("Models", models, &mut failed),
            ..Self::default()
        };
        if let Some(filter) = by_tag.or_else(|| grammar::version(text)) {
            let search = SearchModelVersions {
                filter,
                max_results: Some(FOUND_MAX),
                ..SearchModelVersions::default()
            };
            let versions = web.tracking.model_versions.search(search).await;
            found.versions = some("Versions", versions, &mut failed);
        }
        found.failed = failed;
        found.add_by_id(web, text).await;
        Ok(found)
    }

    /// What has this very id comes first.
    async fn add_by_id(&mut self, web: &Web, text: &str) {
        let is_run = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_run && let Ok(run) = web.tracking.runs.get(text).await {
            self.runs.retain(|other| other.info.run_id != run.info.run_id);
            self.runs.insert(0, run);
        }
        let is_experiment = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_experiment && let Ok(experiment) = web.tracking.experiments.get(text).await {
            self.experiments.retain(|other| other.experiment_id != experiment.experiment_id);
            self.experiments.insert(0, experiment);
        }
        if text.starts_with("m-")
            && let Ok(model) = web.tracking.logged_models.get(text).await
        {
            self.logged_model = Some((model.info.model_id, model.info.name));
        }
    }

    fn show(&self, web: &Web) -> Markup {
        let experiments = self
            .experiments
            .iter()
            .map(|one| (web.links.experiment(&one.experiment_id), one.name.clone()));
        let runs = self.runs.iter().map(|run| {
            let name = page::run_name(&run.info.run_name, &run.info.run_id);
            (web.links.run(&run.info.run_id), name.to_owned())
        });
        let models =
            self.models.iter().map(|model| (web.links.model(&model.name), model.name.clone()));
        let versions = self.versions.iter().map(|version| {
            let name = format!("{} version {}", version.name, version.version);
            (web.links.version(&version.name, &version.version), name)
        });
        let logged =
            self.logged_model.iter().map(|(id, name)| (web.links.logged_model(id), name.clone()));
        let kinds: [(&str, Vec<(String, String)>); 5] = [
            ("Models", models.collect()),
            ("Versions", versions.collect()),
            ("Experiments", experiments.collect()),
            ("Runs", runs.collect()),
            ("Logged models", logged.collect()),
        ];
        html! {
            @for told in &self.failed { p.notice.bad { (told) } }
            @if kinds.iter().all(|(_, found)| found.is_empty()) {
                (page::empty("Nothing has this name, id or tag.", &html! { p { "Try a shorter name." } }))
            }
            @for (title, found) in &kinds {
                @if !found.is_empty() {
                    h2 { (title) }
                    ul { @for (address, name) in found { li { a href=(address) { (format::name(name, 200)) } } } }
                    @if found.len() >= FOUND_SHOWN { p.soft { "The first of them; a longer name finds fewer." } }
                }
            }
        }
    }
}

async fn ids(web: &Web, search: SearchExperiments) -> StoreResult<Vec<String>> {
    let found = web.tracking.experiments.search(search).await?.items;
    Ok(found.into_iter().map(|experiment| experiment.experiment_id).collect())
}

/// What was found of a kind; nothing where it cannot be searched so (its tags have other rules) or not now, which is
/// told: whoever reads that nothing was found goes and makes it once more.
fn some<T>(kind: &str, found: StoreResult<Page<T>>, failed: &mut Vec<String>) -> Vec<T> {
    match found {
        Ok(found) => found.items,
        Err(error) => {
            tracing::debug!(%error, kind, "a kind of things is not searched");
            failed.push(format!("{kind} were not searched: {}", error.for_clients()));
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use trainyard_mlflow::Error as StoreError;

    use super::*;

    #[test]
    fn what_was_not_searched_is_told() {
        let mut failed = Vec::new();
        let slow: StoreResult<Page<Run>> = Err(StoreError::invalid("too slow"));
        assert!(some("Runs", slow, &mut failed).is_empty());
        assert!(some::<Run>("Models", Ok(Page::default()), &mut failed).is_empty());
        assert_eq!(failed, ["Runs were not searched: too slow"]);
    }
}
