//! A folder of artifacts: all that is in it, a part at a time.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use trainyard_mlflow::entities::FileInfo;

use crate::artifact_owner::Owner;
use crate::links::Links;
use crate::page::{self, Section};
use crate::pagination::Asked;
use crate::site::Web;
use crate::{format, plots};

/// The page of the folder at `path` ("" for all), which has these entries.
pub(crate) fn show(
    web: &Web,
    owner: &Owner,
    path: &str,
    entries: &[FileInfo],
    query: Option<&str>,
) -> Response {
    let address = match path {
        "" => Links::files(&owner.address),
        path => Links::file(&owner.address, path),
    };
    let name = match path.rsplit('/').next() {
        None | Some("") => "Files",
        Some(name) => name,
    };
    let rows = Asked::new(&address, query).rows("entries", entries);
    let body = html! {
        h1 { (name) " " small { (entries.len()) @if entries.len() == 1 { " entry" } @else { " entries" } } }
        @if entries.is_empty() { p.soft { "No files." } } @else { (table(&owner.address, rows.items)) }
        (rows.others())
        (plots::gallery(&owner.address, rows.items.iter()))
    };
    let trail = owner.trail(path);
    let page = page::layout(&web.links, name, Some(Section::Experiments), &trail, &body);
    page::respond(StatusCode::OK, &page)
}

fn table(owner: &str, entries: &[FileInfo]) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { th { "Name" } th.number { "Size" } } }
                tbody {
                    @for entry in entries {
                        @let name = entry.path.rsplit('/').next().unwrap_or_default();
                        tr {
                            td { a href=(Links::file(owner, &entry.path)) { (format::breakable(name)) @if entry.is_dir { "/" } } }
                            td.number { @if let Some(size) = entry.file_size { (format::bytes(size)) } }
                        }
                    }
                }
            }
        }
    }
}
