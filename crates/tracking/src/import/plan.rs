//! Which experiment of the database each experiment of the files becomes. Numbers are kept where they can be;
//! nothing that others made is changed.

use std::collections::HashSet;

use super::file_store::ExperimentFolder;
use crate::store::import_experiments::KnownExperiment;

/// What becomes of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Becomes {
    /// Made with its own number.
    Itself,
    /// Made with another number: its own is or was that of another experiment, or is larger than the column.
    Renumbered,
    /// Part of one that is there: it was imported before, is experiment 0, or has that name.
    Part(i64),
    /// Nothing: another experiment has its name.
    Refused {
        /// The other one.
        by: i64,
    },
}

/// Numbers that no experiment may get.
#[derive(Debug)]
pub(super) struct Numbers<'a> {
    /// Those of experiments that were removed: what was granted on them is for nothing else.
    pub(super) removed: &'a HashSet<i64>,
    /// The largest of the column.
    pub(super) max: i64,
}

/// Decides for all of them. `merges` lets runs go into the experiment that has the same name.
pub(super) fn plan(
    folders: &[ExperimentFolder],
    known: &[KnownExperiment],
    numbers: &Numbers<'_>,
    merges: bool,
) -> Vec<Becomes> {
    let mut taken: HashSet<i64> = known.iter().map(|known| known.id).collect();
    let mut all = Vec::with_capacity(folders.len());
    for folder in folders {
        let becomes = one(folder, known, &taken, numbers, merges);
        if becomes == Becomes::Itself {
            taken.insert(folder.number);
        }
        all.push(becomes);
    }
    all
}

fn one(
    folder: &ExperimentFolder,
    known: &[KnownExperiment],
    taken: &HashSet<i64>,
    numbers: &Numbers<'_>,
    merges: bool,
) -> Becomes {
    let own = &folder.experiment;
    // When it was made tells it from another one of its number, also when one of the two was renamed since.
    let is_same = |other: &&KnownExperiment| match (own.creation_time, other.creation_time) {
        (Some(own), Some(others)) => own == others,
        _ => own.name == other.name,
    };
    let imported = known.iter().filter(is_same).find(|other| match &other.imported_id {
        Some(number) => *number == own.experiment_id,
        None => other.id == folder.number,
    });
    if let Some(before) = imported {
        return Becomes::Part(before.id);
    }
    if folder.number == 0 && taken.contains(&0) {
        return Becomes::Part(0);
    }
    if let Some(other) = known.iter().find(|other| other.name == own.name) {
        return if merges { Becomes::Part(other.id) } else { Becomes::Refused { by: other.id } };
    }
    let is_removed = numbers.removed.contains(&folder.number);
    if is_removed || taken.contains(&folder.number) || folder.number > numbers.max {
        return Becomes::Renumbered;
    }
    Becomes::Itself
}

#[cfg(test)]
mod tests {
    use trainyard_mlflow::entities::Experiment;

    use super::*;

    fn folder(number: i64, name: &str, creation_time: Option<i64>) -> ExperimentFolder {
        let experiment = Experiment {
            experiment_id: number.to_string(),
            name: name.to_owned(),
            creation_time,
            ..Experiment::default()
        };
        ExperimentFolder { path: number.to_string().into(), experiment, number }
    }

    fn known(id: i64, name: &str, time: i64, imported_id: Option<&str>) -> KnownExperiment {
        KnownExperiment {
            id,
            name: name.to_owned(),
            creation_time: Some(time),
            artifact_location: String::new(),
            imported_id: imported_id.map(str::to_owned),
        }
    }

    #[test]
    fn numbers_are_kept_and_nobody_else_is_changed() {
        let here = [
            known(0, "Default", 1, None),
            known(1, "theirs", 2, None),
            known(2, "shared", 3, None),
            known(7, "renumbered", 70, Some("5")),
            known(9, "renamed here", 90, None),
        ];
        let removed = HashSet::from([6]);
        let numbers = Numbers { removed: &removed, max: 1000 };
        let becomes = |number, name: &str, time, merges| {
            let all = plan(&[folder(number, name, time)], &here, &numbers, merges);
            all.into_iter().next().unwrap()
        };
        assert_eq!(becomes(3, "new", Some(5), false), Becomes::Itself);
        assert_eq!(becomes(0, "Default", Some(5), false), Becomes::Part(0));
        assert_eq!(becomes(1, "mine", Some(5), false), Becomes::Renumbered);
        assert_eq!(becomes(6, "of a removed one", Some(5), false), Becomes::Renumbered);
        assert_eq!(becomes(1001, "large", Some(5), false), Becomes::Renumbered);
        assert_eq!(becomes(4, "shared", Some(5), false), Becomes::Refused { by: 2 });
        assert_eq!(becomes(4, "shared", Some(5), true), Becomes::Part(2));
        // The second time.
        assert_eq!(becomes(2, "shared", Some(3), false), Becomes::Part(2));
        assert_eq!(becomes(2, "shared", None, false), Becomes::Part(2));
        assert_eq!(becomes(5, "renumbered", Some(70), false), Becomes::Part(7));
        assert_eq!(becomes(9, "old name", Some(90), false), Becomes::Part(9));
    }
}
