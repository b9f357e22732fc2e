//! Artifacts as a tree of names, and which of them is the report.

use std::collections::VecDeque;

use maud::{Markup, html};
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::{FileInfo, Tag};

use crate::artifact_kind::Kind;
use crate::format;
use crate::links::Links;
use crate::page;

/// Most entries that are shown; a page with more would be slow and unreadable.
const ENTRIES_MAX: usize = 400;
/// Deepest directory that is opened.
const DEPTH_MAX: usize = 6;
/// Tag that names the page of a run which is worth seeing first.
const REPORT_TAG: &str = "trainyard.report";

/// The files below an artifact root.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    entries: Vec<FileInfo>,
    is_cut: bool,
    /// Why there is none.
    problem: Option<String>,
}

impl Tree {
    /// Lists, widest first, so that a cut takes the deepest files. A root that cannot be read is
    /// shown as such: the rest of the page is still worth seeing.
    pub(crate) async fn read(tracking: &Tracking, root_uri: &str) -> Self {
        let mut tree = Self::default();
        let mut pending = VecDeque::from([(String::new(), 0)]);
        while let Some((directory, depth)) = pending.pop_front() {
            if tree.entries.len() >= ENTRIES_MAX || depth > DEPTH_MAX {
                tree.is_cut = true;
                break;
            }
            match tracking.artifacts.list(root_uri, &directory).await {
                Ok(entries) => {
                    for entry in entries {
                        if entry.is_dir {
                            pending.push_back((entry.path.clone(), depth + 1));
                        }
                        tree.entries.push(entry);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "artifacts could not be listed");
                    tree.problem = Some(error.for_clients().to_owned());
                    break;
                }
            }
        }
        tree.entries.truncate(ENTRIES_MAX);
        tree
    }

    /// The page to see first: the one that a tag names, or the only one at the top.
    pub(crate) fn report(&self, tags: &[Tag]) -> Option<String> {
        let named = Tag::find(tags, REPORT_TAG);
        if let Some(path) = named.filter(|path| self.entries.iter().any(|file| file.path == *path))
        {
            return Some(path.to_owned());
        }
        let is_page = |file: &&FileInfo| {
            !file.is_dir && !file.path.contains('/') && Kind::is_page(&file.path)
        };
        let mut pages = self.entries.iter().filter(is_page);
        let first = pages.next()?;
        pages.next().is_none().then(|| first.path.clone())
    }

    /// The tree with links to the pages of its files.
    pub(crate) fn show(&self, owner: &str) -> Markup {
        html! {
            @if let Some(problem) = &self.problem { p.notice.bad { (problem) } }
            @else if self.entries.is_empty() {
                (page::empty("No files.", &html! { p { "Log some with " code { "mlflow.log_artifact(\"plot.png\")" } "." } }))
            } @else {
                div.box { (self.level("", owner)) }
                @if self.is_cut { p.soft { "Only the first " (self.entries.len()) " entries are shown." } }
            }
        }
    }

    fn level(&self, directory: &str, owner: &str) -> Markup {
        let children = self.entries.iter().filter(|entry| parent(&entry.path) == directory);
        html! {
            ul.tree {
                @for entry in children {
                    @let name = entry.path.rsplit('/').next().unwrap_or_default();
                    li {
                        @if entry.is_dir {
                            details open[directory.is_empty()] { summary { (name) "/" } (self.level(&entry.path, owner)) }
                        } @else {
                            a href=(Links::file(owner, &entry.path)) { (name) }
                            @if let Some(size) = entry.file_size { span.soft { (format::bytes(size)) } }
                        }
                    }
                }
            }
        }
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}
