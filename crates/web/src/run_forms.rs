//! What can be changed of a run: its name, description and tags, whether it is deleted, and the model that it made.

use maud::{Markup, html};
use trainyard_mlflow::entities::{LifecycleStage, Run, Tag};

use crate::form::Forms;
use crate::page;

/// The section of a run's page. `folders` are those of its artifacts that are models.
pub(crate) fn show(forms: Forms<'_>, run: &Run, folders: &[&str]) -> Markup {
    let is_deleted = run.info.lifecycle_stage == LifecycleStage::Deleted;
    let rename = html! {
        label { "Name " input type="text" name="name" value=(run.info.run_name) required; }
        button.quiet { "Rename" }
    };
    html! {
        @if is_deleted {
            h2 { "Change this run" }
            p.soft { "A deleted run is not changed; restore it first." }
            (forms.button("restore", "Restore"))
        } @else {
            details.more {
                summary { "Register a model of this run" }
                (forms.form("register", &register(run, folders)))
            }
            details.more {
                summary { "Change or delete this run" }
                (forms.form("rename", &rename))
                (forms.description(Tag::find(&run.data.tags, "mlflow.note.content").unwrap_or_default()))
                (forms.tags(&run.data.tags))
                (forms.button("delete", &format!("Delete {}", page::run_name(&run.info.run_name, &run.info.run_id))))
                p.soft { "A deleted run can be restored until it is removed for good." }
            }
        }
    }
}

/// Which of its models, and under which name.
fn register(run: &Run, folders: &[&str]) -> Markup {
    let models = &run.outputs.model_outputs;
    html! {
        @if models.is_empty() {
            label { "Folder among its artifacts " input type="text" name="path" value=(folders.first().unwrap_or(&"model")) list="model-folders" required; }
            datalist id="model-folders" { @for folder in folders { option value=(folder) {} } }
        } @else {
            label {
                "Logged model "
                select name="model" {
                    @for model in models.iter().rev() { option value=(model.model_id) { (model.model_id) " (step " (model.step) ")" } }
                }
            }
        }
        label { "Registered model " input type="text" name="name" required; }
        button.quiet { "Register" }
    }
}
