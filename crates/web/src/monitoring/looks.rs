//! Single looks at production data: each has a report of its own, in its run.

use maud::{Markup, html};
use trainyard_base::words::tags;
use trainyard_mlflow::entities::{Run, Tag};

use crate::site::Web;
use crate::{format, page};

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
