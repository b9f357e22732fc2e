//! How much there is of everything: in the files, and afterwards in the database.

use std::ops::AddAssign;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Experiments,
    ExperimentTags,
    Runs,
    Params,
    RunTags,
    MetricValues,
    DatasetInputs,
    ModelInputs,
    ModelOutputs,
    LoggedModels,
    LoggedModelParams,
    LoggedModelTags,
    LoggedModelMetrics,
    RegisteredModels,
    RegisteredModelTags,
    Aliases,
    ModelVersions,
    ModelVersionTags,
    Files,
}

impl Kind {
    /// All of them, in the order in which they are shown, with what people call them.
    pub const ALL: [(Self, &'static str); 19] = [
        (Self::Experiments, "experiments"),
        (Self::ExperimentTags, "experiment tags"),
        (Self::Runs, "runs"),
        (Self::Params, "params"),
        (Self::RunTags, "run tags"),
        (Self::MetricValues, "metric values"),
        (Self::DatasetInputs, "datasets of runs"),
        (Self::ModelInputs, "models read by runs"),
        (Self::ModelOutputs, "models made by runs"),
        (Self::LoggedModels, "logged models"),
        (Self::LoggedModelParams, "logged model params"),
        (Self::LoggedModelTags, "logged model tags"),
        (Self::LoggedModelMetrics, "logged model metrics"),
        (Self::RegisteredModels, "registered models"),
        (Self::RegisteredModelTags, "registered model tags"),
        (Self::Aliases, "aliases"),
        (Self::ModelVersions, "model versions"),
        (Self::ModelVersionTags, "model version tags"),
        (Self::Files, "artifact files"),
    ];

    /// What people call it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

/// A number for each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u64; Kind::ALL.len()]);

impl Counts {
    pub fn get(&self, kind: Kind) -> u64 {
        self.0.get(kind as usize).copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, kind: Kind, number: u64) {
        if let Some(count) = self.0.get_mut(kind as usize) {
            *count += number;
        }
    }

    /// Counts of some kinds.
    pub(super) fn of<const N: usize>(numbers: [(Kind, u64); N]) -> Self {
        let mut counts = Self::default();
        for (kind, number) in numbers {
            counts.add(kind, number);
        }
        counts
    }

    /// The kinds of which there is less in `stored`.
    pub(super) fn missing_in(&self, stored: &Self) -> impl Iterator<Item = Kind> {
        let less = move |kind: &Kind| stored.get(*kind) < self.get(*kind);
        Kind::ALL.into_iter().map(|(kind, _)| kind).filter(less)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_place_and_name() {
        for (place, (kind, name)) in Kind::ALL.into_iter().enumerate() {
            assert_eq!((kind as usize, kind.name()), (place, name));
        }
        let mut counts = Counts::of([(Kind::Runs, 2), (Kind::Files, 1)]);
        let once = counts;
        counts += once;
        assert_eq!((counts.get(Kind::Runs), counts.get(Kind::Files)), (4, 2));
        let stored = Counts::of([(Kind::Runs, 4), (Kind::Files, 1), (Kind::Params, 9)]);
        assert_eq!(counts.missing_in(&stored).collect::<Vec<_>>(), [Kind::Files]);
    }
}
