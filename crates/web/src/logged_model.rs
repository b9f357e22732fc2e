//! One logged model: what it is, where it came from, its files.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use maud::{Markup, html};
use trainyard_mlflow::entities::{LoggedModel, LoggedModelStatus, Tag};

use crate::artifact_tree::Tree;
use crate::error::Result;
use crate::page::{self, Section};
use crate::pagination::Asked;
use crate::site::Web;
use crate::{format, lineage, signature};

pub(crate) async fn show(
    State(web): State<Web>,
    Path(model_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result {
    let model = web.tracking.logged_models.get(&model_id).await?;
    let root = &model.info.artifact_uri;
    let file = signature::read(&web.tracking, root).await;
    let tree = Tree::read(&web.tracking, root).await;
    let data = lineage::learned_from(&web, model.info.source_run_id.as_deref()).await;
    let owner = web.links.logged_model(&model.info.model_id);
    let asked = Asked::new(&owner, query.as_deref());
    let body = html! {
        h1 { (model.info.name) " " (status(model.info.status)) }
        div.columns {
            section {
                h2 { "About" }
                (about(&web, &model, &data, asked))
                h2 { "Params " small { (model.data.params.len()) } }
                @if model.data.params.is_empty() { p.soft { "None were logged." } } @else { (page::long_key_values(asked, "params", &model.data.params)) }
                h2 { "Metrics " small { (model.data.metrics.len()) } }
                (metrics(&model, asked))
            }
            section { h2 { "Signature" } (signature::show(&file)) }
        }
        h2 { "Files" }
        (tree.show(&owner))
    };
    let trail = [
        (web.links.experiments(), "Experiments".to_owned()),
        (web.links.experiment(&model.info.experiment_id), "Runs".to_owned()),
    ];
    let page =
        page::layout(&web.links, &model.info.name, Some(Section::Experiments), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

fn status(status: LoggedModelStatus) -> Markup {
    let (class, word) = match status {
        LoggedModelStatus::Ready => ("good", "ready"),
        LoggedModelStatus::Pending => ("running", "pending"),
        LoggedModelStatus::UploadFailed => ("bad", "upload failed"),
        LoggedModelStatus::Unspecified => ("plain", "unknown state"),
    };
    html! { span class={ "badge " (class) } { (word) } }
}

fn about(web: &Web, model: &LoggedModel, data: &Markup, asked: Asked<'_>) -> Markup {
    let info = &model.info;
    let own: Vec<&Tag> = info.tags.iter().filter(|tag| !tag.key.starts_with("mlflow.")).collect();
    let tags = asked.rows("tags", &own);
    html! {
        div.scroll {
            table.pairs {
                tbody {
                    tr { th scope="row" { "Model id" } td { code { (info.model_id) } } }
                    tr { th scope="row" { "Logged (UTC)" } td { (format::time(info.creation_timestamp_ms)) } }
                    @if let Some(run_id) = info.source_run_id.as_deref().filter(|id| !id.is_empty()) {
                        tr { th scope="row" { "Run" } td { a href=(web.links.run(run_id)) { (run_id) } } }
                    }
                    (data)
                    @if let Some(kind) = &info.model_type { tr { th scope="row" { "Kind" } td { (kind) } } }
                    @for registration in &info.registrations {
                        tr { th scope="row" { "Registered as" } td { a href=(web.links.version(&registration.name, &registration.version)) { (format::name(&registration.name, 120)) " version " (registration.version) } } }
                    }
                    @for tag in tags.items {
                        tr { th scope="row" { (tag.key) } td { (page::value(&tag.value)) } }
                    }
                }
            }
        }
        (tags.others())
    }
}

fn metrics(model: &LoggedModel, asked: Asked<'_>) -> Markup {
    let rows = asked.rows("metrics", &model.data.metrics);
    html! {
        @if model.data.metrics.is_empty() { p.soft { "None were logged." } } @else {
            div.scroll {
                table {
                    thead { tr { th { "Metric" } th.number { "Value" } th { "Dataset" } th.number { "Step" } } }
                    tbody {
                        @for metric in rows.items {
                            tr {
                                td.named { (metric.key) }
                                td.number title=(metric.value.to_string()) { (format::number(metric.value)) }
                                td { (metric.dataset_name.as_deref().unwrap_or("")) }
                                td.number { (metric.step) }
                            }
                        }
                    }
                }
            }
            (rows.others())
        }
    }
}
