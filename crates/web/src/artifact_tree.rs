//! Artifacts as a tree of names, and which of them is the report.

use std::collections::{BTreeMap, VecDeque};

use maud::{Markup, html};
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::{FileInfo, Tag};

use crate::artifact_kind::Kind;
use crate::format;
use crate::links::Links;
use crate::page;

/// Most entries that are shown; a page with more would be slow and unreadable.
const ENTRIES_MAX: usize = 400;
/// Most entries of a folder that are shown, so that one of thousands does not hide the others.
const FOLDER_ENTRIES_MAX: usize = 100;
/// Most folders that are opened: each is a question to the storage.
const FOLDERS_MAX: usize = 60;
/// Deepest directory that is opened.
const DEPTH_MAX: usize = 6;
/// Tag that names the page of a run which is worth seeing first.
const REPORT_TAG: &str = "trainyard.report";
/// The file that makes a folder a model.
const MODEL_FILE: &str = "MLmodel";

/// The files below an artifact root.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    entries: Vec<FileInfo>,
    /// The folders that were opened, and how many of their entries are not shown. The others have pages of their own.
    opened: BTreeMap<String, usize>,
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
            let is_full = tree.entries.len() >= ENTRIES_MAX || tree.opened.len() >= FOLDERS_MAX;
            if is_full || depth > DEPTH_MAX {
                break;
            }
            match tracking.artifacts.list(root_uri, &directory).await {
                Ok(mut found) => {
                    let place = FOLDER_ENTRIES_MAX.min(ENTRIES_MAX - tree.entries.len());
                    tree.opened.insert(directory, found.len().saturating_sub(place));
                    found.truncate(place);
                    let folders = found.iter().filter(|entry| entry.is_dir);
                    pending.extend(folders.map(|entry| (entry.path.clone(), depth + 1)));
                    tree.entries.append(&mut found);
                }
                Err(error) => {
                    tracing::warn!(%error, "artifacts could not be listed");
                    tree.problem = Some(error.for_clients().to_owned());
                    break;
                }
            }
        }
        tree
    }

    /// Folders that are models.
    pub(crate) fn models(&self) -> Vec<&str> {
        let models = self.entries.iter().filter_map(|entry| match entry.path.rsplit_once('/') {
            Some((folder, MODEL_FILE)) if !entry.is_dir => Some(folder),
            _ => None,
        });
        models.collect()
    }

    /// The files that are no part of a model.
    pub(crate) fn own_files(&self) -> Vec<&FileInfo> {
        let models = self.models();
        let is_below = |path: &str, folder: &str| {
            path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        };
        let own = |entry: &&FileInfo| {
            !entry.is_dir && !models.iter().any(|folder| is_below(&entry.path, folder))
        };
        self.entries.iter().filter(own).collect()
    }

    /// Whether there is a folder of this name at the top.
    pub(crate) fn has_folder(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.is_dir && entry.path == name)
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
                p { a href=(Links::files(owner)) { "All files, a folder at a time" } }
            }
        }
    }

    fn level(&self, directory: &str, owner: &str) -> Markup {
        let children = self.entries.iter().filter(|entry| parent(&entry.path) == directory);
        let hidden = self.opened.get(directory).copied().unwrap_or_default();
        html! {
            ul.tree {
                @for entry in children {
                    @let name = entry.path.rsplit('/').next().unwrap_or_default();
                    li {
                        @if !entry.is_dir {
                            a href=(Links::file(owner, &entry.path)) { (name) }
                            @if let Some(size) = entry.file_size { span.soft { (format::bytes(size)) } }
                        } @else if self.opened.contains_key(&entry.path) {
                            details open[directory.is_empty()] { summary { (name) "/" } (self.level(&entry.path, owner)) }
                        } @else {
                            a href=(Links::file(owner, &entry.path)) { (name) "/" }
                        }
                    }
                }
                @if hidden > 0 {
                    @let folder = if directory.is_empty() { Links::files(owner) } else { Links::file(owner, directory) };
                    li { a href=(folder) { "and " (hidden) " more" } }
                }
            }
        }
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}
