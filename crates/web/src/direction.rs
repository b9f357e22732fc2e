//! Which values of metrics are better: as people chose for the experiment, as the gate of its models takes it, or by a
//! metric's name. Whoever is told which value is the best is told by which of the three.

use trainyard_base::Better;
use trainyard_base::words::tags::BETTER;
use trainyard_mlflow::entities::{Experiment, Tag};

use crate::columns::{Column, Kind};

/// MLflow's tags of an experiment: its main metric, and whether its larger values are better.
pub(crate) const MAIN: &str = "mlflow.experiment.primaryMetric.name";
pub(crate) const MAIN_GREATER: &str = "mlflow.experiment.primaryMetric.greaterIsBetter";

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Choice,
    Gate,
    Name,
}

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Direction {
    pub(crate) better: Better,
    pub(crate) by: By,
}

impl Direction {
    /// For a sentence: `smaller is better, by its name`.
    pub(crate) fn told(self) -> String {
        let by = match self.by {
            By::Choice => "as chosen for the experiment",
            By::Gate => "as the gate takes it",
            By::Name => "by its name",
        };
        format!("{} is better, {by}", self.better.name())
    }

    /// The same in one character.
    pub(crate) fn arrow(self) -> &'static str {
        match self.better {
            Better::Larger => "↑",
            Better::Smaller => "↓",
        }
    }

    /// The order that begins with the best.
    pub(crate) fn order(self) -> &'static str {
        match self.better {
            Better::Larger => "DESC",
            Better::Smaller => "ASC",
        }
    }

    /// The best of some values; none where they are all the same, so that none of them is better than another.
    pub(crate) fn best(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        let mut best: Option<f64> = None;
        let mut differ = false;
        // MLflow stores infinities as the largest number.
        for value in values.filter(|value| value.is_finite() && value.abs() < f64::MAX) {
            differ |= best.is_some_and(|known| known.to_bits() != value.to_bits());
            if best.is_none_or(|known| self.better.is_better(value, known)) {
                best = Some(value);
            }
        }
        best.filter(|_| differ)
    }
}

/// What is known of an experiment's metrics; of names alone where there is none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Directions<'a> {
    tags: &'a [Tag],
}

impl<'a> Directions<'a> {
    pub(crate) fn of(experiment: &'a Experiment) -> Self {
        Self { tags: &experiment.tags }
    }

    /// The metric that people chose as the main one.
    pub(crate) fn main(self) -> Option<&'a str> {
        Tag::find(self.tags, MAIN).filter(|metric| !metric.is_empty())
    }

    /// Metrics that people or the gate named: the main one first.
    pub(crate) fn named(self) -> Vec<&'a str> {
        let of_gate = self.tags.iter().filter_map(|tag| tag.key.strip_prefix(BETTER));
        let mut named: Vec<&str> = Vec::new();
        for metric in self.main().into_iter().chain(of_gate) {
            if !named.contains(&metric) {
                named.push(metric);
            }
        }
        named
    }

    /// Of a metric, if it is known.
    pub(crate) fn find(self, metric: &str) -> Option<Direction> {
        if self.main() == Some(metric) {
            // As Python writes it.
            match Tag::find(self.tags, MAIN_GREATER).map(str::to_ascii_lowercase).as_deref() {
                Some("true") => return Some(Direction { better: Better::Larger, by: By::Choice }),
                Some("false") => {
                    return Some(Direction { better: Better::Smaller, by: By::Choice });
                }
                _ => {}
            }
        }
        let of_gate = self.tags.iter().find(|tag| tag.key.strip_prefix(BETTER) == Some(metric));
        if let Some(better) = of_gate.and_then(|tag| Better::read(&tag.value)) {
            return Some(Direction { better, by: By::Gate });
        }
        Better::by_name(metric).map(|better| Direction { better, by: By::Name })
    }

    /// Of a column of a metric, or of its history.
    pub(crate) fn of_column(self, column: &Column) -> Option<Direction> {
        (column.kind == Kind::Metric).then(|| self.find(&column.key)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tags: &[(&str, &str)], metric: &str) -> Option<String> {
        let tags = tags.iter().map(|(key, value)| Tag::new(*key, *value)).collect();
        let experiment = Experiment { tags, ..Experiment::default() };
        Directions::of(&experiment).find(metric).map(Direction::told)
    }

    #[test]
    fn people_know_better_than_the_gate_and_the_gate_than_a_name() {
        let gate = ("trainyard.better.val_loss", "larger");
        let main = [(MAIN, "val_loss"), (MAIN_GREATER, "False"), gate];
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(told(&[], "val_loss"), text("smaller is better, by its name"));
        assert_eq!(told(&[gate], "val_loss"), text("larger is better, as the gate takes it"));
        assert_eq!(
            told(&main, "val_loss"),
            text("smaller is better, as chosen for the experiment")
        );
        assert_eq!(told(&main, "accuracy"), text("larger is better, by its name"));
        assert_eq!(told(&main, "epoch"), None);
        // What says nothing is passed over.
        assert_eq!(told(&[(MAIN, "epoch"), (MAIN_GREATER, "maybe")], "epoch"), None);
        assert_eq!(told(&[("trainyard.better.epoch", "more")], "epoch"), None);
    }

    #[test]
    fn the_best_is_one_that_others_are_worse_than() {
        let smaller = Direction { better: Better::Smaller, by: By::Name };
        let values = [f64::NAN, 3.0, 1.0, -f64::MAX, f64::NEG_INFINITY, 2.0];
        assert_eq!(smaller.best(values.into_iter()), Some(1.0));
        assert_eq!(smaller.best([1.0, 1.0].into_iter()), None);
        assert_eq!(smaller.best([1.0].into_iter()), None);
        assert_eq!(smaller.best(std::iter::empty()), None);
    }
}
