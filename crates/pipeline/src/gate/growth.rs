//! The gate over a file that grows: real trainings, a real store.

use std::fmt::Write as _;
use std::fs;

use tempfile::TempDir;
use trainyard_mlflow::entities::KeyValue;
use trainyard_mlflow::{Tracking, VersionId};
use trainyard_train::Rule;

use super::{Verdict, gate};
use crate::alias::{PRODUCTION, production};
use crate::candidate::Candidate;
use crate::{Project, Result, TrainOptions, Trained, train};

/// A forest that knows its training rows by heart, on answers of which one in five is noise.
const PROJECT: &str = "[model]\nname = \"Churn\"\n[train]\ndata = \"data.csv\"\ntarget = \"answer\"\n\
                       params = { n_estimators = 10 }\n[gate]\nnot_worse_than_production.accuracy = 0.02\n";

struct Place {
    folder: TempDir,
    project: Project,
    tracking: Tracking,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("trainyard.toml"), PROJECT).unwrap();
        let project = Project::open(folder.path(), None).unwrap();
        let tracking = project.tracking().unwrap();
        Self { folder, project, tracking }
    }

    /// The data, as long as they are so far.
    fn write_rows(&self, rows: u64) {
        let mut text = "a,b,answer\n".to_owned();
        for row in 0..rows {
            let (a, b, is_noise) = (share(3 * row), share(3 * row + 1), share(3 * row + 2) < 0.2);
            let answer = if (a + b > 1.0) == is_noise { "stays" } else { "leaves" };
            writeln!(text, "{a:.6},{b:.6},{answer}").unwrap();
        }
        fs::write(self.folder.path().join("data.csv"), text).unwrap();
    }

    async fn train(&self) -> Trained {
        train(&self.project, &self.tracking, &TrainOptions::default(), &|_| ()).await.unwrap()
    }

    async fn judge(&self, project: &Project) -> Result<Verdict> {
        let candidate = Candidate::find(project, &self.tracking, None).await?;
        let production = production(&self.tracking, "Churn").await?;
        gate(project, &self.tracking, &candidate, production.as_ref(), &|_| ()).await
    }
}

/// Between 0 and 1 without a pattern, and the same each time (splitmix64).
fn share(number: u64) -> f64 {
    let mut word = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (word ^ (word >> 31)) as f64 / u64::MAX as f64
}

#[tokio::test(flavor = "multi_thread")]
async fn honest_retraining_passes_and_what_nobody_can_compare_is_said() {
    let place = Place::new();
    place.write_rows(1_000);
    let first = place.train().await;
    let name = "Churn";
    let id = VersionId { name, version: &first.version };
    place.tracking.registered_models.set_alias(id, PRODUCTION).await.unwrap();
    place.write_rows(1_200);
    let second = place.train().await;

    let verdict = place.judge(&place.project).await.unwrap();
    let difference = verdict.checks[0].difference.clone().unwrap();
    // On its own training rows it would be right nearly always.
    assert!(difference.old < 0.9, "{difference:?}");
    assert!((150..350).contains(&difference.rows), "{difference:?}");
    let id = VersionId { name, version: &second.version };
    let version = place.tracking.model_versions.get(id).await.unwrap();
    let tag = KeyValue::find(&version.tags, "trainyard.gate.accuracy").unwrap();
    assert!(tag.contains("McNemar") && tag.contains("by more than 0.02"), "{tag}");

    // A version of before rules were recorded.
    place.tracking.runs.delete_tag(&first.run_id, Rule::TAG).await.unwrap();
    let check = place.judge(&place.project).await.unwrap().checks.remove(0);
    assert!(check.passed && check.undecided, "{check:?}");
    let note = check.note.unwrap();
    assert!(note.contains("version 1") && note.contains("trainyard.holdout"), "{note}");

    let strict = PROJECT.replace("[gate]\n", "[gate]\nundecided = \"refuse\"\n");
    fs::write(place.folder.path().join("trainyard.toml"), strict).unwrap();
    let strict = Project::open(place.folder.path(), None).unwrap();
    assert_eq!(place.judge(&strict).await.unwrap_err().exit_code(), 3);
}

#[tokio::test]
async fn a_metric_that_the_data_do_not_have_stops_before_anything_is_made() {
    let place = Place::new();
    place.write_rows(200);
    let text = PROJECT.replace("accuracy", "rmse");
    fs::write(place.folder.path().join("trainyard.toml"), text).unwrap();
    let project = Project::open(place.folder.path(), None).unwrap();
    let error =
        train(&project, &place.tracking, &TrainOptions::default(), &|_| ()).await.unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.message().contains("\"rmse\", which is for quantities"), "{error}");
    assert!(place.tracking.registered_models.get("Churn").await.is_err());
}
