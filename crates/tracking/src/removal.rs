//! Removes for good what was deleted, with its files: `mlflow gc`, beside a running server.
//!
//! Rows go before files. A run that is restored in between keeps both; a removal that is broken off may leave
//! files that nothing speaks of, never a run without its files.
//!
//! What a registered version is made of stays. That is asked in the transaction that removes the rows, which whoever
//! registers a version of them waits for, or is waited for (`store/version_source.rs`); and once more before the files
//! go, for a registry in another database, and for sources that name no run of this one.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::uri::TrackingUri;
use trainyard_mlflow::{SearchModelVersions, Tracking};

use crate::error::{Error, Result, invalid};
use crate::open::share_store;
use crate::store::{Item, Removable, Removed, SqlStore, containing};
use crate::waiting::Opening;

/// What is to go.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only what was deleted at least so long ago.
    pub older_than: Duration,
    /// If any of these three is named, nothing else goes.
    pub run_ids: Vec<String>,
    /// With their runs and logged models.
    pub experiment_ids: Vec<String>,
    pub logged_model_ids: Vec<String>,
    /// Only says what would go.
    pub is_trial: bool,
}

/// One thing, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is gone, or would be.
    Removed { kind: &'static str, id: String },
    /// It stays: a registered version is made of it, or something in it is.
    Kept { kind: &'static str, id: String, why: String },
    /// Its rows are gone, and its files are not.
    FilesLeft { location: String, why: String },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Upstream's words.
            Self::Removed { kind, id } => {
                write!(f, "{kind} with ID {id} has been permanently deleted.")
            }
            Self::Kept { kind, id, why } => write!(f, "{kind} with ID {id} is kept: {why}"),
            Self::FilesLeft { location, why } => {
                write!(f, "the files at {location} were not removed: {why}")
            }
        }
    }
}

/// Removes what is selected, and tells of each.
pub async fn remove(
    opening: &Opening,
    selection: &Selection,
    mut tell: impl FnMut(Step),
) -> Result<()> {
    let Opening { uri, options, lending } = opening.clone();
    if let TrackingUri::Sqlite(path) = uri.parse()?
        && std::fs::metadata(&path).is_err()
    {
        return invalid!("there is no database at {}", path.display());
    }
    let opened = tokio::task::spawn_blocking(move || share_store(&uri, options, &lending)).await;
    let opened = opened
        .map_err(|error| Error::database(format!("opening the database broke off: {error}")))?;
    let (shared, store) = opened?;
    let copies = copies(&shared.lent).await?;
    let is_trial = selection.is_trial;
    let removal = Removal { store: &store, tracking: &shared.lent, copies, is_trial };
    let removable = chosen(removal.store.removable(selection.older_than).await?, selection)?;
    let before = removable.before;
    let mut kept = HashSet::new();
    for (kind, items) in [("Run", &removable.runs), ("Logged model", &removable.logged_models)] {
        for item in items {
            let steps = removal.remove(kind, item, before).await?;
            if steps.iter().any(|step| matches!(step, Step::Kept { .. })) {
                kept.insert(item.experiment_id.as_str());
            }
            for step in steps {
                tell(step);
            }
        }
    }
    for id in &removable.experiments {
        let kind = "Experiment";
        if kept.contains(id.as_str()) {
            let why = "it holds what a registered version is made of".to_owned();
            tell(Step::Kept { kind, id: id.clone(), why });
        } else if selection.is_trial || removal.store.remove_experiment(id, before).await? {
            tell(Step::Removed { kind, id: id.clone() });
        }
    }
    Ok(())
}

struct Removal<'a> {
    store: &'a SqlStore,
    /// Artifacts are removed below the roots of a server and nowhere else, whatever a run says.
    tracking: &'a Tracking,
    copies: Vec<Copied>,
    is_trial: bool,
}

impl Removal<'_> {
    /// A run or logged model.
    async fn remove(&self, kind: &'static str, item: &Item, before: i64) -> Result<Vec<Step>> {
        let id = item.id.clone();
        if let Some(version) = self.version_of(&id).await? {
            return Ok(vec![Step::Kept { kind, id, why: format!("{version} is made of it") }]);
        }
        if self.is_trial {
            return Ok(vec![Step::Removed { kind, id }]);
        }
        let removed = if kind == "Run" {
            self.store.remove_run(&id, before).await?
        } else {
            self.store.remove_logged_model(&id, before).await?
        };
        let location = match removed {
            Removed::Rows { location } => location,
            // Somebody has restored it, or removed it.
            Removed::NotDue => return Ok(Vec::new()),
            Removed::InUse { version } => {
                return Ok(vec![Step::Kept { kind, id, why: format!("{version} is made of it") }]);
            }
        };
        let left = match self.version_of(&id).await {
            // All places that are made up here and upstream do.
            Ok(None) if !location.contains(&id) => {
                Some("the location does not name it, so others may have files there".to_owned())
            }
            Ok(None) => {
                let deleted = self.tracking.artifacts.delete(&location, "").await;
                deleted.err().map(|error| error.to_string())
            }
            Ok(Some(version)) => Some(format!("{version} was made of them meanwhile")),
            Err(error) => Some(format!("whether a version is made of them is not known: {error}")),
        };
        let mut steps = vec![Step::Removed { kind, id }];
        steps.extend(left.map(|why| Step::FilesLeft { location, why }));
        Ok(steps)
    }

    /// A registered version whose files are those of a run or logged model.
    async fn version_of(&self, id: &str) -> Result<Option<String>> {
        if let Some(copy) = self.copies.iter().find(|copy| copy.location.contains(id)) {
            return Ok(Some(copy.version.clone()));
        }
        let search = SearchModelVersions {
            filter: format!("source_path LIKE '{}'", containing(id)),
            max_results: Some(1),
            ..SearchModelVersions::default()
        };
        let found = self.tracking.model_versions.search(search).await?;
        let version = found.items.into_iter().next();
        Ok(version.map(|version| name_of(&version)))
    }
}

/// A version that is a copy of another one, which may be gone: its source does not tell whose files it has.
struct Copied {
    version: String,
    location: String,
}

async fn copies(tracking: &Tracking) -> Result<Vec<Copied>> {
    let mut copies = Vec::new();
    let mut search = SearchModelVersions {
        filter: "source_path LIKE 'models:%'".to_owned(),
        ..SearchModelVersions::default()
    };
    loop {
        let page = tracking.model_versions.search(search.clone()).await?;
        for version in page.items {
            // A logged model's id is found in the source itself.
            let named = version.source.trim_start_matches("models:").trim_matches('/');
            if named.contains(['/', '@']) {
                let location = tracking.model_versions.download_uri(version.id()).await?;
                copies.push(Copied { version: name_of(&version), location });
            }
        }
        if page.next_page_token.is_none() {
            return Ok(copies);
        }
        search.page_token = page.next_page_token;
    }
}

fn name_of(version: &ModelVersion) -> String {
    format!("version {} of {}", version.version, version.name)
}

/// What of the removable is named; what is named and not removable is an error, and nothing goes.
fn chosen(removable: Removable, selection: &Selection) -> Result<Removable> {
    let Selection { run_ids, experiment_ids, logged_model_ids, .. } = selection;
    if run_ids.is_empty() && experiment_ids.is_empty() && logged_model_ids.is_empty() {
        return Ok(removable);
    }
    let ids = |items: &[Item]| items.iter().map(|item| item.id.clone()).collect::<Vec<_>>();
    let (runs, models) = (ids(&removable.runs), ids(&removable.logged_models));
    for (kind, named, found) in [
        ("Run", run_ids, &runs),
        ("Experiment", experiment_ids, &removable.experiments),
        ("Logged model", logged_model_ids, &models),
    ] {
        if let Some(id) = named.iter().find(|id| !found.contains(id)) {
            return invalid!(
                "{kind} {id} is not there, not in the deleted lifecycle stage, or not older than the required age; \
                 nothing was removed"
            );
        }
    }
    let is_named = |ids: &[String], item: &Item| {
        ids.contains(&item.id) || experiment_ids.contains(&item.experiment_id)
    };
    let Removable { before, mut runs, mut logged_models, mut experiments } = removable;
    runs.retain(|run| is_named(run_ids, run));
    logged_models.retain(|model| is_named(logged_model_ids, model));
    experiments.retain(|id| experiment_ids.contains(id));
    Ok(Removable { before, runs, logged_models, experiments })
}
