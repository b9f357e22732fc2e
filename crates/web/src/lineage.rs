//! Where a run stands between data and deployment: what it read, what it made, what became of that, and what it is itself
//! a record of.

use maud::{Markup, html};
use trainyard_base::words::tags;
use trainyard_mlflow::entities::{DatasetInput, Experiment, ModelVersion, Run, RunInputs, Tag};

use crate::links::query;
use crate::pagination::Asked;
use crate::site::Web;
use crate::{format, grammar, page};

/// Models that are listed, read or made.
const MODELS_MAX: usize = 100;
/// Datasets that stand on the page of what was made of them.
const DATASETS_SHOWN: usize = 5;

/// The models that a run read and made, and the versions that were registered of it, with what became of them.
pub(crate) fn models(web: &Web, run: &Run, versions: &[ModelVersion]) -> Markup {
    let (made, read) = (&run.outputs.model_outputs, &run.inputs.model_inputs);
    html! {
        @if !made.is_empty() || !read.is_empty() || !versions.is_empty() {
            h2 #models { "Models" }
            div.scroll {
                table {
                    thead { tr { th { "Model" } th { "What became of it" } } }
                    tbody {
                        @for version in versions {
                            tr {
                                td.named {
                                    a href=(web.links.version(&version.name, &version.version)) { (format::name(&version.name, 120)) " version " (version.version) }
                                }
                                td { (state(web, version)) }
                            }
                        }
                        @for model in made.iter().take(MODELS_MAX) {
                            tr {
                                td { a href=(web.links.logged_model(&model.model_id)) { "logged model " (format::short(&model.model_id, 12)) } }
                                td.soft { "made here" @if model.step != 0 { ", step " (model.step) } }
                            }
                        }
                        @for model in read.iter().take(MODELS_MAX) {
                            tr {
                                td { a href=(web.links.logged_model(&model.model_id)) { "logged model " (format::short(&model.model_id, 12)) } }
                                td.soft { "read here" }
                            }
                        }
                    }
                }
            }
            @if made.len().max(read.len()) > MODELS_MAX { p.soft { "The first " (MODELS_MAX) " of each; the API has all." } }
        }
    }
}

/// Aliases of a version, the state that a pipeline wrote down, and the way to its releases.
fn state(web: &Web, version: &ModelVersion) -> Markup {
    let state = Tag::find(&version.tags, tags::STATE).filter(|state| !state.is_empty());
    html! {
        @for alias in &version.aliases { span.badge { (alias) } }
        @if let Some(state) = state { span.badge.plain { (format::short(&state.replace('_', " "), 60)) } }
        @if !version.aliases.is_empty() || state.is_some() {
            a href=(web.links.model(&version.name)) { "what serves, and since when" }
        }
    }
}

/// The version that a run is about, where it is the record of a release, a look at production data or a scoring.
pub(crate) fn record(web: &Web, run: &Run, experiment: &Experiment) -> Markup {
    let Some((model, version, what)) = subject(run, &experiment.name) else { return html! {} };
    html! {
        p {
            (what) " " a href=(web.links.model(model)) { (model) }
            @if !version.is_empty() { ", " a href=(web.links.version(model, version)) { "version " (version) } }
            "."
        }
    }
}

fn subject<'a>(run: &'a Run, experiment: &'a str) -> Option<(&'a str, &'a str, &'static str)> {
    let tag = |key: &str| Tag::find(&run.data.tags, key).filter(|value| !value.is_empty());
    if let Some(model) = tag("trainyard.model") {
        let version = tag("trainyard.model_version").unwrap_or_default();
        let is_look = tag(tags::VERDICT).is_some();
        let what = if is_look { "A look at production data of" } else { "About" };
        return Some((model, version, what));
    }
    tag(tags::OUTCOME)?;
    let model = experiment.strip_prefix('/')?.strip_suffix("_releases")?;
    let version = Tag::find(&run.data.params, "to").unwrap_or_default();
    Some((model, version, "The record of a release of"))
}

/// What a run read, each with the way to other runs that read the same.
pub(crate) fn datasets(
    web: &Web,
    experiment_id: &str,
    inputs: &RunInputs,
    asked: Asked<'_>,
) -> Markup {
    let rows = asked.rows("datasets", &inputs.dataset_inputs);
    let others = |input: &DatasetInput| {
        let same = grammar::equals("datasets.digest", &input.dataset.digest);
        format!("{}{}", web.links.experiment(experiment_id), query(&[("q", same.as_str())]))
    };
    html! {
        @if inputs.dataset_inputs.is_empty() { p.soft { "None were logged." } } @else {
            div.scroll {
                table {
                    thead { tr { th { "Name" } th { "Used for" } th { "Digest" } th { "Source" } } }
                    tbody {
                        @for input in rows.items {
                            tr {
                                td.named { (input.dataset.name) }
                                td { (context(input)) }
                                td {
                                    code { (input.dataset.digest) } " "
                                    @if !input.dataset.digest.is_empty() { a href=(others(input)) { "runs with it" } }
                                }
                                td { (page::value(&source(&input.dataset.source))) }
                            }
                        }
                    }
                }
            }
            (rows.others())
        }
    }
}

/// Rows of a model's or version's table: what the run read that made it. None where it cannot be read: the page is as
/// good without.
pub(crate) async fn learned_from(web: &Web, run_id: Option<&str>) -> Markup {
    let Some(run_id) = run_id.filter(|id| !id.is_empty()) else { return html! {} };
    let run = match web.tracking.runs.get(run_id).await {
        Ok(run) => run,
        Err(error) => {
            tracing::debug!(%error, run_id, "what a run read is not shown");
            return html! {};
        }
    };
    let inputs = &run.inputs.dataset_inputs;
    html! {
        @for input in inputs.iter().take(DATASETS_SHOWN) {
            tr {
                th scope="row" { "Learned from" }
                td { (input.dataset.name) " " code { (input.dataset.digest) } " " span.soft { (context(input)) } }
            }
        }
        @if inputs.len() > DATASETS_SHOWN {
            tr { th scope="row" { "and" } td { a href=(web.links.run(run_id)) { (inputs.len() - DATASETS_SHOWN) " more" } } }
        }
    }
}

/// What a dataset was used for.
fn context(input: &DatasetInput) -> &str {
    Tag::find(&input.tags, "mlflow.data.context").unwrap_or_default()
}

/// The address within a source's JSON (`{"uri": …}`, or the script that made the data), or the
/// source as it is.
fn source(text: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let places = ["/uri", "/url", "/path", "/tags/mlflow.source.name"];
    let address = places.iter().find_map(|place| value.pointer(place)?.as_str());
    address.map_or_else(|| text.to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_name_their_version() {
        let mut run = Run::default();
        assert_eq!(subject(&run, "/Iris_releases"), None);
        run.data.tags = vec![Tag::new(tags::OUTCOME, "released")];
        run.data.params = vec![Tag::new("to", "3")];
        let release = Some(("Iris", "3", "The record of a release of"));
        assert_eq!(subject(&run, "/Iris_releases"), release);
        assert_eq!(subject(&run, "other"), None);
        run.data.tags =
            vec![Tag::new("trainyard.model", "Iris"), Tag::new("trainyard.model_version", "2")];
        assert_eq!(subject(&run, "x"), Some(("Iris", "2", "About")));
        run.data.tags.push(Tag::new(tags::VERDICT, "stable"));
        assert_eq!(subject(&run, "x"), Some(("Iris", "2", "A look at production data of")));
    }
}
