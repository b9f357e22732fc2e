//! What the runs of versions logged of their holdouts. A version is held to its own: what users got of an older one says
//! nothing of whether a newer one keeps what it promised.

use std::collections::{BTreeMap, BTreeSet};

use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::ModelVersion;

use crate::Result;
use crate::registry::versions;

/// Figures of holdouts by version.
#[derive(Debug, Clone, Default)]
pub(super) struct OfRuns {
    served: Option<String>,
    by_version: BTreeMap<String, BTreeMap<String, f64>>,
}

impl OfRuns {
    /// Of the version that is served, and of others in the log.
    pub(super) async fn read(
        tracking: &Tracking,
        served: &ModelVersion,
        in_log: &BTreeSet<String>,
    ) -> Result<Self> {
        let is_other = |version: &String| *version != served.version && in_log.contains(version);
        let mut wanted = vec![served.clone()];
        if in_log.iter().any(is_other) {
            let all = versions(tracking, &served.name).await?;
            wanted.extend(all.into_iter().filter(|one| is_other(&one.version)));
        }
        let mut by_version = BTreeMap::new();
        for version in wanted {
            let Some(run_id) = version.run_id.as_deref().filter(|id| !id.is_empty()) else {
                continue;
            };
            match tracking.runs.get(run_id).await {
                Ok(run) => {
                    let metrics = run.data.metrics.into_iter();
                    let figures = metrics.map(|metric| (metric.key, metric.value)).collect();
                    by_version.insert(version.version, figures);
                }
                // Runs of old versions are removed at some time.
                Err(error) if error.is_not_found() && version.version != served.version => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { served: Some(served.version.clone()), by_version })
    }

    /// The version whose figures predictions of these versions together are held to; none of several.
    pub(super) fn of_all<'v>(&'v self, versions: &'v BTreeSet<String>) -> Option<&'v str> {
        let mut all = versions.iter();
        match (all.next(), all.next()) {
            (Some(_), Some(_)) => None,
            (Some(one), None) if self.by_version.contains_key(one) => Some(one),
            _ => self.served.as_deref(),
        }
    }

    /// The version that the verdict is about where there are several: the one that is served.
    pub(super) fn decisive(&self, versions: &BTreeSet<String>) -> Option<&str> {
        self.served.as_deref().filter(|served| versions.len() > 1 && versions.contains(*served))
    }

    /// What a metric was on the holdout of a version.
    pub(super) fn figure(&self, version: Option<&str>, metric: &str) -> Option<f64> {
        self.by_version.get(version?)?.get(metric).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_held_to_its_own_figures_and_several_together_to_none() {
        let figures = |accuracy: f64| BTreeMap::from([("accuracy".to_owned(), accuracy)]);
        let of_runs = OfRuns {
            served: Some("2".to_owned()),
            by_version: [("1".to_owned(), figures(0.8)), ("2".to_owned(), figures(0.9))].into(),
        };
        let set = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        let before = |all: &[&str]| {
            let versions: BTreeSet<String> = set(all);
            of_runs.figure(of_runs.of_all(&versions), "accuracy")
        };
        assert_eq!(before(&["1"]), Some(0.8));
        assert_eq!(before(&["2"]), Some(0.9));
        assert_eq!(before(&["1", "2"]), None);
        // A log without versions, or of a server that calls them otherwise.
        assert_eq!((before(&[]), before(&["blue"])), (Some(0.9), Some(0.9)));
        assert_eq!(of_runs.decisive(&set(&["1", "2"])), Some("2"));
        assert_eq!(of_runs.decisive(&set(&["2"])), None);
        assert_eq!(of_runs.decisive(&set(&["1", "3"])), None);
    }
}
