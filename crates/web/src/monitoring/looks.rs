//! Single looks at production data: each has a report of its own, in its run.

use maud::{Markup, html};
use trainyard_base::words::tags;
use trainyard_mlflow::entities::{Run, Tag};

use crate::site::Web;
use crate::{format, page};

/// What the last of them found, which is what the first page and the model's page say of the data.
pub(super) fn last(web: &Web, look: Option<&Run>) -> Markup {
    html! {
        @if let Some(run) = look {
            @let verdict = Tag::find(&run.data.tags, tags::VERDICT).unwrap_or_default();
            p {
                "The last look at all columns found: "
                strong { a href=(web.links.run(&run.info.run_id)) { (format::short(verdict, 40)) } }
                @if let Some(at) = run.info.end_time.or(run.info.start_time) { ", " (format::time(at)) }
                ". Alerts are of rules about windows, and are told of apart."
            }
        }
    }
}

/// Their list, the newest first; nothing where there are none.
pub(super) fn list(web: &Web, title: &str, looks: &[Run]) -> Markup {
    html! {
        @if !looks.is_empty() {
            h2 { (title) }
            ul {
                @for run in looks {
                    li {
                        a href=(web.links.run(&run.info.run_id)) { (format::short(page::run_name(&run.info.run_name, &run.info.run_id), 60)) }
                        " " (Tag::find(&run.data.tags, tags::VERDICT).unwrap_or_default())
                        @if let Some(at) = run.info.start_time { ", " (format::time(at)) }
                    }
                }
            }
        }
    }
}
