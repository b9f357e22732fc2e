//! The tables and notes of a run that are worth seeing at once, in short.

use futures::future::join_all;
use maud::{Markup, html};
use trainyard_mlflow::Result;
use trainyard_mlflow::entities::FileInfo;

use super::measure::INLINE;
use super::show::{File, show};
use crate::artifact_kind::Kind;
use crate::artifact_tree::Tree;
use crate::links::Links;
use crate::site::Web;

/// Files that are shown: with [`INLINE`] they are some hundred kilobytes that a page reads and writes at most.
const FILES_MAX: usize = 4;

/// What the files of a run hold that are read by people; nothing if there are none.
pub(crate) async fn section(web: &Web, root_uri: &str, owner: &str, tree: &Tree) -> Markup {
    let files = tree.own_files();
    let mut files: Vec<(u8, &FileInfo)> =
        files.into_iter().filter_map(|file| Some((rank(file)?, file))).collect();
    files.sort_by_key(|(rank, _)| *rank);
    files.truncate(FILES_MAX);
    let read = files.iter().map(|(_, file)| one(web, root_uri, File { owner, path: &file.path }));
    let shown = join_all(read).await;
    html! {
        @if !shown.is_empty() {
            h2 #previews { "Tables and notes" }
            @for ((_, file), shown) in files.iter().zip(&shown) {
                section.preview {
                    h3 { a href=(Links::file(owner, &file.path)) { (file.path) } }
                    @match shown {
                        Ok(shown) => (shown),
                        Err(error) => p.soft { (error.for_clients()) },
                    }
                }
            }
        }
    }
}

async fn one(web: &Web, root_uri: &str, file: File<'_>) -> Result<Markup> {
    let body = web.tracking.artifacts.download(root_uri, file.path).await?;
    show(web, file, body, &INLINE).await
}

/// What comes first; none for what is not shown beside others.
fn rank(file: &FileInfo) -> Option<u8> {
    let fits = |bytes: usize| {
        file.file_size.is_none_or(|size| usize::try_from(size).is_ok_and(|size| size <= bytes))
    };
    match Kind::of(&file.path) {
        Kind::Markdown => Some(0),
        Kind::Delimited => Some(1),
        Kind::Parquet if fits(INLINE.parquet_bytes) => Some(2),
        Kind::Json if fits(INLINE.json_bytes) => Some(3),
        Kind::Pdf if fits(INLINE.pdf_bytes) => Some(4),
        Kind::Notebook if fits(INLINE.json_bytes) => Some(5),
        _ => None,
    }
}
